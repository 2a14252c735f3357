// The arithmetic of the detectors as free functions: the sequential error test, medians, and the
// classic rules that stand beside it. No state, no clock; any thread.
#pragma once

#include <cstdint>
#include <span>

#include "schedule/policy.h"

namespace weir::schedule {

// The likelihood ratio of "fails with p1" against "fails as the peers do, p0", in nats a request.
struct ErrorTest {
  float p0 = 0;
  float p1 = 0;
  float failed = 0;     // added for each error, positive
  float succeeded = 0;  // added for each success, negative
};

// `overdispersion` >= 1: errors that come in bursts are worth less each.
ErrorTest error_test(float p0, float overdispersion, const Policy& policy);
// Against a given alternative: what speaks for "as good as the peers" is its negative.
ErrorTest error_test_between(float p0, float p1);

// Threshold of a sequential test over `tests` things once a second: crossing it by chance happens
// about policy.false_alarms_per_day times a day over all of them.
float evidence_threshold(uint64_t tests, const Policy& policy);

// The lower median; reorders the values. 0 for none. Of rates: half of the peers may be bad.
float lower_median(std::span<float> values);
// The median, of an even number the mean of the middle two; reorders the values. Of movements: it
// must not lean to either side, or every endpoint would look a little slow.
float median(std::span<float> values);

// Mean and population standard deviation, as the classic rules compute them.
struct Spread {
  float mean = 0;
  float deviation = 0;
};
Spread spread(std::span<const float> values);

}  // namespace weir::schedule
