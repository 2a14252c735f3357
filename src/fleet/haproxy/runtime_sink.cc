#include "fleet/haproxy/runtime_sink.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"
#include "fleet/haproxy/servers_state.h"

namespace weir::fleet::haproxy {

namespace {

std::vector<std::string> services_of(const std::vector<Backend>& backends) {
  std::vector<std::string> out;
  for (const Backend& backend : backends) out.push_back(backend.service);
  return out;
}

SinkOptions with_services(SinkOptions options, const std::vector<Backend>& backends) {
  options.kind = "haproxy";
  options.services = services_of(backends);
  return options;
}

}  // namespace

RuntimeSink::RuntimeSink(net::Loop& loop, Feed& feed, std::unique_ptr<net::Dialer> dialer,
                         net::Origin origin, std::vector<Backend> backends, SinkOptions options)
    : Sink(loop, feed, with_services(std::move(options), backends)),
      dialer_(std::move(dialer)),
      origin_(std::move(origin)),
      backends_(std::move(backends)) {}

net::Task<Result<std::string>> RuntimeSink::talk(std::string line) {
  const net::Deadline deadline = loop_.deadline_in(kTalkTime);
  auto dialed = co_await dialer_->dial(origin_, deadline);
  if (!dialed) co_return fail(std::move(dialed.error()));
  net::Stream& stream = **dialed;
  net::Timer timer(loop_, [&stream] { stream.cancel(ErrorCode::timeout); });
  timer.arm_at(deadline);
  line += '\n';
  if (auto sent = co_await stream.write_all(line); !sent) co_return fail(std::move(sent.error()));
  std::string answer;
  std::array<char, 16 * 1024> room;
  while (true) {
    const auto got = co_await stream.read(room);
    if (!got) co_return fail(got.error());
    if (*got == 0) co_return answer;
    answer.append(room.data(), *got);
    if (answer.size() > kAnswerBytes) {
      co_return fail(ErrorCode::limit_exceeded, "HAProxy's answer is longer than 8 MiB");
    }
  }
}

net::Task<Result<void>> RuntimeSink::round() {
  uint64_t unmatched = 0;
  std::string refusals;
  for (const Backend& backend : backends_) {
    const auto view = feed_.view(backend.service);
    if (!view) continue;
    auto answer = co_await talk(fmt::format("show servers state {}", backend.backend));
    if (!answer) co_return fail(std::move(answer.error()));
    auto servers = read_servers_state(*answer);
    if (!servers) {
      co_return fail(servers.error().code(),
                     fmt::format("backend {}: {}", backend.backend, servers.error().message()));
    }
    const Plan plan = plan_commands(backend.backend, *view, *servers);
    unmatched += plan.unmatched;
    for (size_t at = 0; at < plan.commands.size(); at += kCommandsPerLine) {
      const size_t count = std::min(kCommandsPerLine, plan.commands.size() - at);
      std::string line;
      // A ';' behind the last would be one more command, and unknown.
      for (size_t i = at; i < at + count; ++i) line += (i == at ? "" : ";") + plan.commands[i];
      auto said = co_await talk(std::move(line));
      if (!said) co_return fail(std::move(said.error()));
      // A command that was taken is answered by an empty line.
      for (const std::string_view raw : split(*said, '\n')) {
        const std::string_view text = trim(raw);
        if (text.empty()) continue;
        ++counters_.refused;
        if (refusals.empty()) refusals = text;
      }
    }
    counters_.changes += plan.weights;
  }
  counters_.unmatched = unmatched;
  complain("haproxy_refused", refusals);
  complain("haproxy_servers_missing",
           unmatched == 0 ? "" : fmt::format("{} endpoints are no server there", unmatched));
  co_return Result<void>();
}

}  // namespace weir::fleet::haproxy
