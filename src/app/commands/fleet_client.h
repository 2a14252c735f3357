// A small client for the API of a running fleet: what `weir fleet status` and its siblings ask
// through. It drives a loop of its own; one thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"

namespace weir::app {

class FleetClient {
 public:
  // invalid_argument where the URL is none.
  static Result<FleetClient> create(std::string_view url, Secret token);
  FleetClient(FleetClient&&) noexcept;
  FleetClient& operator=(FleetClient&&) noexcept;
  ~FleetClient();

  // The body of a 2xx answer. Another status gives the server's own message.
  Result<std::string> call(std::string_view method, std::string_view path,
                           std::string_view body = {});
  // Follows an event stream: each piece of it goes to `on_piece` until that returns false, the
  // server ends it, or nothing came for a minute.
  Result<void> stream(std::string_view path,
                      const std::function<bool(std::string_view piece)>& on_piece);

 private:
  class Impl;
  explicit FleetClient(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir::app
