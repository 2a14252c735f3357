// The kinds of jobs that the admin API starts: what each is told, checked, and as work for the
// runner. Orders are made on the control plane's thread; their work runs on the runner's, with a
// copy of the configuration of then.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "app/config/config.h"
#include "base/json/document.h"
#include "base/result.h"
#include "jobs/job.h"

namespace weir::app {

struct JobPlace {
  std::shared_ptr<const Config> config;
};

// Errors: invalid_argument with the field and what was expected.
Result<jobs::Order> make_order(std::string_view kind, json::Value body, const JobPlace& place);

}  // namespace weir::app
