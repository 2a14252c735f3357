#include "fleet/sample_json.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <optional>

namespace weir::fleet {
namespace {

using schedule::Sample;

// Reads members one after the other and keeps the first complaint.
class Members {
 public:
  explicit Members(const json::Value& object) : object_(object) {}

  template <class T>
  void whole(std::string_view name, T& out, int64_t most = std::numeric_limits<T>::max()) {
    const json::Value value = object_[name];
    if (!value) return;
    const auto number = value.as_int64();
    if (!number || *number < 0 || *number > most)
      return complain(fmt::format("{}: expected a whole number from 0 to {}", name, most));
    out = static_cast<T>(*number);
  }

  std::optional<double> real(std::string_view name, double most) {
    const json::Value value = object_[name];
    if (!value) return std::nullopt;
    const auto number = value.as_double();
    if (number && *number >= 0 && *number <= most) return number;
    complain(fmt::format("{}: expected a number from 0 to {}", name, most));
    return std::nullopt;
  }

  void text(std::string_view name, std::string& out, bool required) {
    const json::Value value = object_[name];
    if (!value && !required) return;
    auto given = value.as_string();
    if (!given || given->empty()) return complain(fmt::format("{}: expected a text", name));
    out = std::move(*given);
  }

  void complain(std::string message) {
    if (complaint_.empty()) complaint_ = std::move(message);
  }
  const std::string& complaint() const { return complaint_; }

 private:
  json::Value object_;
  std::string complaint_;
};

constexpr double kMillisecondsMost = 2.4e7;  // e^24 us

// A mean over `count` as the sum that travels.
uint32_t sum_of(double mean_ms, uint32_t count) {
  const uint64_t sum = uint64_t{schedule::ln_units(mean_ms * 1000)} * count;
  return static_cast<uint32_t>(std::min<uint64_t>(sum, 0xffff'ffff));
}

// Either the sum of ln in 1/256, or the geometric mean in milliseconds.
void latency(Members& members, std::string_view sum_name, std::string_view mean_name,
             uint32_t count, uint32_t& out) {
  members.whole(sum_name, out);
  if (const auto mean = members.real(mean_name, kMillisecondsMost)) out = sum_of(*mean, count);
}

}  // namespace

Result<NamedSample> read_sample(const json::Value& value) {
  if (!value.is_object()) return fail(ErrorCode::invalid_argument, "expected an object");
  NamedSample out;
  Sample& s = out.sample;
  Members members(value);
  members.text("service", out.service, true);
  members.text("endpoint", out.endpoint, true);
  members.text("start", out.start, false);
  members.whole("second", s.second);
  members.whole("requests", s.requests);
  members.whole("errors", s.errors);
  members.whole("unreachable", s.unreachable);
  members.whole("throttled", s.throttled);
  members.whole("caller_faults", s.caller_faults);
  members.whole("streams", s.streams);
  members.whole("tokens", s.tokens);
  members.whole("budget_reset_ms", s.budget_reset_ms);
  members.whole("inflight", s.inflight);
  members.whole("utilization", s.utilization, 200);
  members.whole("sources", s.sources);
  if (!value["second"]) members.complain("second: expected Unix seconds");
  if (const auto left = members.real("budget_left", 1))
    s.budget = static_cast<uint16_t>(std::lround(*left * schedule::kBudgetFull));
  const uint32_t successes = s.requests >= s.errors ? s.requests - s.errors : 0;
  latency(members, "ln_latency", "latency_ms", successes, s.ln_latency);
  latency(members, "ln_ttft", "ttft_ms", s.streams, s.ln_ttft);
  latency(members, "ln_itl", "itl_ms", s.streams, s.ln_itl);
  if (const json::Value view = value["view"]; view) {
    if (view.equals("server"))
      s.view = schedule::View::server;
    else if (!view.equals("client"))
      members.complain("view: expected \"client\" or \"server\"");
  }
  if (!members.complaint().empty()) return fail(ErrorCode::invalid_argument, members.complaint());
  return out;
}

}  // namespace weir::fleet
