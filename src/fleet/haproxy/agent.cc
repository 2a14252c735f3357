#include "fleet/haproxy/agent.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"

namespace weir::fleet::haproxy {

Agent::Agent(net::Loop& loop, Feed& feed, size_t connections_max)
    : loop_(loop), feed_(feed), connections_max_(connections_max), checks_(loop) {}

Result<net::Address> Agent::listen(const net::Address& address) {
  WEIR_TRY(listener_, net::Listener::open(loop_, {.address = address,
                                                  .reuse_port = false,
                                                  .max_connections = connections_max_}));
  listener_->start([this](std::unique_ptr<net::Stream> stream) { serve(std::move(stream)); });
  return listener_->address();
}

void Agent::serve(std::unique_ptr<net::Stream> stream) {
  if (checks_.size() < connections_max_) checks_.spawn(check(std::move(stream)));
}

net::Task<void> Agent::check(std::unique_ptr<net::Stream> stream) {
  net::Timer timer(loop_, [raw = stream.get()] { raw->cancel(ErrorCode::timeout); });
  timer.arm(kCheckTime);
  std::string name;
  std::array<char, kNameBytes> room;
  while (name.find('\n') == std::string::npos) {
    const auto got = co_await stream->read(room);
    if (got && *got > 0) name.append(room.data(), *got);
    // Without agent-send nothing comes; an end without a line feed may end a name.
    const bool ended = got && *got == 0 && !name.empty();
    if (ended) break;
    if (!got || *got == 0 || name.size() > kNameBytes) {
      ++counters_.broken;
      co_return;
    }
  }
  ++counters_.checks;
  const std::string line = answer(trim(std::string_view(name).substr(0, name.find('\n'))));
  if (co_await stream->write_all(line)) {
    co_await net::close_gracefully(std::move(stream), kCheckTime);
  }
}

std::string Agent::answer(std::string_view name) {
  const size_t slash = name.find('/');
  const auto view = slash == std::string_view::npos ? nullptr : feed_.view(name.substr(0, slash));
  if (view) {
    const std::string_view endpoint = name.substr(slash + 1);
    const auto found = std::ranges::lower_bound(
        view->endpoints, endpoint, {},
        [](const EndpointView& one) -> std::string_view { return one.info->name; });
    if (found != view->endpoints.end() && found->info->name == endpoint) {
      if (found->weight == 0) return "drain\n";
      const uint32_t percent = (found->weight * 100U + found->full / 2U) / found->full;
      return fmt::format("up ready {}%\n", std::clamp<uint32_t>(percent, 1, 100));
    }
  }
  ++counters_.unknown;
  return "\n";
}

}  // namespace weir::fleet::haproxy
