// What a client of xDS may send: the first byte chooses the mode, the rest is a body of gRPC
// frames. Whatever comes, each response that is taken out is a well-formed message, and there are
// never more than what was asked for can call for.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "fleet/xds/grpc.h"
#include "fleet/xds/protobuf.h"
#include "fleet/xds/stream_state.h"

namespace weir::fleet::xds {
namespace {

class OneService final : public Feed {
 public:
  OneService() {
    auto info = std::make_shared<EndpointInfo>();
    info->name = "e";
    info->address = "127.0.0.1";
    info->port = 80;
    auto view = std::make_shared<ServiceView>();
    view->name = "svc";
    view->endpoints.push_back({std::move(info), 0, 1000, 1000, Health::healthy});
    view_ = std::move(view);
  }
  std::vector<std::string> services() const override { return {"svc"}; }
  uint64_t services_version() const override { return 1; }
  std::shared_ptr<const ServiceView> view(std::string_view service) override {
    return service == "svc" ? view_ : nullptr;
  }
  Subscription subscribe(std::function<void(const News&)>) override { return {}; }

 private:
  std::shared_ptr<const ServiceView> view_;
};

void run(std::string_view bytes) {
  if (bytes.empty()) return;
  OneService feed;
  Catalog catalog(feed);
  Counters counters;
  const Mode mode = (bytes[0] & 1) != 0 ? Mode::delta : Mode::state_of_the_world;
  StreamState state(catalog, counters, mode, "weir");
  FrameReader frames(4096);
  frames.push(bytes.substr(1));
  Nanoseconds now{0};
  while (const auto message = frames.next("")) {
    if (!state.take(*message)) return;
    now += std::chrono::seconds(2);
    for (size_t i = 0; const auto response = state.next(now); ++i) {
      WEIR_ASSERT(i < kKinds);
      Reader reader(*response);
      while (reader.next()) {
      }
      WEIR_ASSERT(!reader.failed());
    }
    state.changed({"svc", true});
    state.changed({});
  }
}

}  // namespace
}  // namespace weir::fleet::xds

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  weir::fleet::xds::run({reinterpret_cast<const char*>(data), size});
  return 0;
}
