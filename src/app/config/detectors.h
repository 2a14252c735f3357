// The detectors that a configuration may name, weir.yaml's and the fleet's alike.
#pragma once

#include <array>

#include "app/config/codec.h"
#include "schedule/policy.h"

namespace weir::app {

template <>
struct Choices<schedule::Detector> {
  static constexpr std::array kValues{schedule::Detector::sequential, schedule::Detector::sigma3,
                                      schedule::Detector::envoy_success_rate,
                                      schedule::Detector::consecutive_errors};
};

}  // namespace weir::app
