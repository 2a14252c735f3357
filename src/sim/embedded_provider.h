// EmbeddedProvider: the simulated provider that `weir serve` answers model `demo` with when nobody
// has configured a real account. It listens on loopback, on a port that the kernel picks, and runs
// on a thread and an event loop of its own, so the gateway reaches it as it would reach any other
// provider. Its answers are the same for the same prompt. start() and the destructor may be called
// from any thread; the destructor cuts what is running and waits for the thread.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"

namespace weir::sim {

class EmbeddedProvider {
 public:
  // The model that the demo speaks for; the simulator answers to any other name as well.
  static constexpr const char* kModel = "demo";

  // io_error where the loopback address cannot be listened on.
  static Result<std::unique_ptr<EmbeddedProvider>> start();
  ~EmbeddedProvider();
  EmbeddedProvider(const EmbeddedProvider&) = delete;
  EmbeddedProvider& operator=(const EmbeddedProvider&) = delete;

  // The base URL for an `openai_compatible` account: "http://127.0.0.1:40123/v1".
  std::string endpoint() const;

 private:
  class Impl;
  explicit EmbeddedProvider(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir::sim
