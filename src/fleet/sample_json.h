// One sample as JSON, for people and for reporters that need no speed: endpoint by name, latencies
// in milliseconds. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/json/document.h"
#include "base/result.h"
#include "schedule/sample.h"

namespace weir::fleet {

struct NamedSample {
  std::string service;
  std::string endpoint;
  std::string start;  // of the endpoint's process, where its own view tells it
  schedule::Sample sample;
};

// invalid_argument names the member and what was expected.
Result<NamedSample> read_sample(const json::Value& value);

}  // namespace weir::fleet
