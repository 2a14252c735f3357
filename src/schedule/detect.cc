#include "schedule/detect.h"

#include <algorithm>
#include <cmath>

namespace weir::schedule {

ErrorTest error_test_between(float p0, float p1) {
  p0 = std::clamp(p0, 1e-6F, 0.98F);
  p1 = std::clamp(p1, p0 + 0.005F, 0.99F);
  return {p0, p1, std::log(p1 / p0), std::log((1 - p1) / (1 - p0))};
}

ErrorTest error_test(float p0, float overdispersion, const Policy& policy) {
  p0 = std::max(p0, policy.error_floor);
  const float p1 =
      std::min(0.95F, std::max(p0 * policy.error_ratio_tested, p0 + policy.error_excess_tested));
  ErrorTest test = error_test_between(p0, p1);
  test.failed /= overdispersion;
  test.succeeded /= overdispersion;
  return test;
}

float evidence_threshold(uint64_t tests, const Policy& policy) {
  const double chances = static_cast<double>(std::max<uint64_t>(tests, 1)) * 86'400;
  return std::max(policy.evidence_min,
                  static_cast<float>(std::log(chances / policy.false_alarms_per_day)));
}

float lower_median(std::span<float> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<ptrdiff_t>((values.size() - 1) / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

float median(std::span<float> values) {
  const float lower = lower_median(values);
  if (values.empty() || values.size() % 2 == 1) return lower;
  const auto upper = values.begin() + static_cast<ptrdiff_t>(values.size() / 2);
  return (lower + *std::min_element(upper, values.end())) / 2;
}

Spread spread(std::span<const float> values) {
  if (values.empty()) return {};
  const auto count = static_cast<float>(values.size());
  float sum = 0;
  for (const float v : values) sum += v;
  const float mean = sum / count;
  float squares = 0;
  for (const float v : values) squares += (v - mean) * (v - mean);
  return {mean, std::sqrt(squares / count)};
}

}  // namespace weir::schedule
