#include "lab/stats.h"

#include <algorithm>

#include "base/random.h"

namespace weir::lab {

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 ? values[half] : (values[half - 1] + values[half]) / 2;
}

Estimate estimate(const std::vector<double>& values) {
  if (values.empty()) return {};
  constexpr int kResamples = 400;
  Random random(12345);
  std::vector<double> medians(kResamples);
  std::vector<double> sample(values.size());
  for (double& m : medians) {
    for (double& v : sample) v = values[random.below(static_cast<uint32_t>(values.size()))];
    m = median(sample);
  }
  std::sort(medians.begin(), medians.end());
  return {median(values), medians[kResamples / 40], medians[kResamples - 1 - kResamples / 40]};
}

}  // namespace weir::lab
