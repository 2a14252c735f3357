#include "sim/arrivals.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/date.h"
#include "base/text.h"

namespace weir::sim {
namespace {

constexpr size_t kRowsMax = 10'000'000;

class ByRate final : public Arrivals {
 public:
  ByRate(const RateShape& shape, uint64_t seed) : shape_(shape), random_(seed) {}

  std::optional<Arrival> next() override {
    // By count and not by sum: a constant rate must not drift off its seconds.
    if (shape_.spacing == Spacing::constant) {
      at_s_ = static_cast<double>(count_++) / shape_.per_second;
    } else {
      at_s_ += -std::log(1 - random_.uniform()) / shape_.per_second;
    }
    Arrival arrival;
    arrival.at = Nanoseconds(std::llround(at_s_ * 1e9));
    arrival.prompt_tokens = vary(shape_.prompt_tokens);
    arrival.output_tokens = vary(shape_.output_tokens);
    return arrival;
  }

 private:
  int64_t vary(int64_t tokens) {
    if (shape_.spread <= 0) return tokens;
    const double factor = 1 + shape_.spread * (2 * random_.uniform() - 1);
    return std::max<int64_t>(1, std::llround(static_cast<double>(tokens) * factor));
  }

  RateShape shape_;
  Random random_;
  double at_s_ = 0;
  uint64_t count_ = 0;
};

class ByTrace final : public Arrivals {
 public:
  explicit ByTrace(std::vector<Arrival> trace) : trace_(std::move(trace)) {}
  std::optional<Arrival> next() override {
    if (at_ == trace_.size()) return std::nullopt;
    return trace_[at_++];
  }

 private:
  std::vector<Arrival> trace_;
  size_t at_ = 0;
};

// "2023-11-16 18:15:46.6805900" to 100 ns: milliseconds by the date, the rest from the decimals.
std::optional<Nanoseconds> parse_time(std::string_view text) {
  std::string date(text);
  if (date.size() < 19 || date[10] != ' ') return std::nullopt;
  date[10] = 'T';
  const auto seconds_ms = parse_rfc3339(date.substr(0, 19) + "Z");
  if (!seconds_ms) return std::nullopt;
  int64_t nanoseconds = 0;
  int64_t scale = 100'000'000;
  for (size_t i = 20; i < date.size() && scale > 0; ++i, scale /= 10) {
    if (date[i] < '0' || date[i] > '9') return std::nullopt;
    nanoseconds += (date[i] - '0') * scale;
  }
  return Nanoseconds(*seconds_ms * 1'000'000 + nanoseconds);
}

}  // namespace

std::unique_ptr<Arrivals> arrivals_by_rate(const RateShape& shape, uint64_t seed) {
  return std::make_unique<ByRate>(shape, seed);
}

std::unique_ptr<Arrivals> arrivals_by_trace(std::vector<Arrival> trace) {
  return std::make_unique<ByTrace>(std::move(trace));
}

Result<std::vector<Arrival>> parse_trace(std::string_view csv, double speed) {
  std::vector<Arrival> trace;
  std::optional<Nanoseconds> first;
  size_t line_number = 0;
  while (!csv.empty()) {
    const size_t end = csv.find('\n');
    const std::string_view line = trim(csv.substr(0, end));
    csv = end == std::string_view::npos ? std::string_view() : csv.substr(end + 1);
    if (++line_number == 1 || line.empty()) continue;
    const auto fields = split(line, ',');
    const auto wrong = [&](std::string_view what) {
      return fail(ErrorCode::invalid_argument, fmt::format("line {}: {}", line_number, what));
    };
    if (fields.size() < 3) return wrong("expected TIMESTAMP,ContextTokens,GeneratedTokens");
    const auto time = parse_time(trim(fields[0]));
    const auto prompt = parse_int64(trim(fields[1]));
    const auto output = parse_int64(trim(fields[2]));
    if (!time) return wrong("expected a time like 2023-11-16 18:15:46.6805900");
    if (!prompt || !output || *prompt < 0 || *output < 0) return wrong("expected token counts");
    if (!first) first = *time;
    const auto since = static_cast<double>((*time - *first).count());
    trace.push_back({Nanoseconds(static_cast<int64_t>(since / speed)), *prompt, *output});
    if (trace.size() > kRowsMax) return fail(ErrorCode::limit_exceeded, "the trace is too long");
  }
  std::sort(trace.begin(), trace.end(),
            [](const Arrival& a, const Arrival& b) { return a.at < b.at; });
  return trace;
}

}  // namespace weir::sim
