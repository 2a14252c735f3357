#include "fleet/scraped.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "fleet/exposition_read.h"

namespace weir::fleet {
namespace {

constexpr double kCountMost = 1e7;  // of a second; more is no count

uint32_t whole(double value) {
  return static_cast<uint32_t>(std::clamp(std::round(value), 0.0, kCountMost));
}

double bound_of(std::string_view text) {
  ExposedSample as_line;
  const std::string line = "x " + std::string(text);
  return read_exposed_line(line, as_line) ? as_line.value : -1;
}

}  // namespace

bool Scraped::read(std::string_view text, const ScrapeNames& names, Counts& out) {
  ExpositionReader reader(text);
  ExposedSample s;
  while (reader.next(s)) {
    if (std::isnan(s.value) || s.value < 0 || s.value > 1e15) continue;
    if (s.name == names.requests) {
      const std::string_view status = s.find(names.status_label).value_or("200");
      if (status.starts_with('5'))
        out.errors += s.value;
      else if (status == "429")
        out.throttled += s.value;
      else if (status.starts_with('4'))
        out.caller_faults += s.value;
      else
        out.good += s.value;
    } else if (!names.latency.empty() && s.name.starts_with(names.latency) &&
               s.name.substr(names.latency.size()) == "_bucket") {
      const double bound = bound_of(s.find("le").value_or(""));
      if (bound > 0 && (out.buckets.size() < kBucketsMost || out.buckets.contains(bound)))
        out.buckets[bound] += s.value;
    } else if (s.name == names.inflight) {
      out.inflight += s.value;
    } else if (s.name == names.utilization) {
      out.utilization = std::max(out.utilization, s.value);
    }
  }
  return !reader.broken();
}

std::optional<schedule::Sample> Scraped::take(std::string_view text, const ScrapeNames& names) {
  Counts now;
  if (!read(text, names, now)) {
    ++broken_;
    return std::nullopt;
  }
  const std::optional<Counts> last = std::exchange(last_, now);
  if (!last) return std::nullopt;
  const bool restarted = now.good < last->good || now.errors < last->errors ||
                         now.throttled < last->throttled || now.caller_faults < last->caller_faults;
  if (restarted) return std::nullopt;
  schedule::Sample sample;
  sample.view = schedule::View::server;
  sample.errors = whole(now.errors - last->errors);
  const uint32_t good = whole(now.good - last->good);
  sample.requests = std::min(good + sample.errors, static_cast<uint32_t>(kCountMost));
  sample.errors = std::min(sample.errors, sample.requests);
  sample.throttled = whole(now.throttled - last->throttled);
  sample.caller_faults = whole(now.caller_faults - last->caller_faults);
  sample.inflight = static_cast<uint16_t>(std::min(now.inflight, 65'535.0));
  if (now.utilization >= 0)
    sample.utilization = static_cast<uint8_t>(std::min(now.utilization * 100, 200.0));

  // Buckets are cumulative; what is between two bounds lies about at their geometric middle.
  double below = 0;
  double lower = 0;
  double counted = 0;
  double ln_sum = 0;
  for (const auto& [bound, count] : now.buckets) {
    const auto before = last->buckets.find(bound);
    const double upto = count - (before == last->buckets.end() ? 0 : before->second);
    const double inside = std::clamp(upto - below, 0.0, kCountMost);
    const double low = lower > 0 ? lower : bound / 4;
    const double middle = std::isinf(bound) ? 2 * std::max(lower, 1e-6) : std::sqrt(low * bound);
    counted += inside;
    ln_sum += inside * schedule::ln_units(middle * 1e6);
    below = std::max(below, upto);
    lower = bound;
  }
  const uint32_t successes = sample.requests - sample.errors;
  if (counted > 0 && successes > 0)
    sample.ln_latency =
        static_cast<uint32_t>(std::min(ln_sum / counted * successes, 4'294'967'295.0));
  else if (successes > 0 && !now.buckets.empty())
    return std::nullopt;  // answers without a latency would look as fast as nothing is
  return sample;
}

}  // namespace weir::fleet
