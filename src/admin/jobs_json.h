// Jobs as the admin API tells them, and what each kind asks of who starts, cancels or fetches one.
// Pure; any thread.
#pragma once

#include <span>
#include <string_view>

#include "base/json/writer.h"
#include "base/result.h"
#include "identity/people.h"
#include "jobs/job.h"

namespace weir::admin {

struct JobKind {
  std::string_view name;
  identity::Permission permission;
};

std::span<const JobKind> job_kinds();
// Errors: invalid_argument, where there is no such kind; permission_denied.
Result<void> check_kind(std::string_view kind, const identity::Actor& actor);

void write_job(json::Writer& w, const jobs::Job& job);

}  // namespace weir::admin
