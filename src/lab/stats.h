// Medians with bootstrap confidence intervals, over the seeds of paired runs. Deterministic.
#pragma once

#include <vector>

namespace weir::lab {

struct Estimate {
  double median = 0;
  double low = 0;  // 95 % interval
  double high = 0;
};

Estimate estimate(const std::vector<double>& values);
double median(std::vector<double> values);

}  // namespace weir::lab
