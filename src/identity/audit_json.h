// A record of the audit log as JSON, as the admin API and `weir audit list --json` tell it. Pure.
#pragma once

#include "base/json/writer.h"
#include "identity/audit_log.h"

namespace weir::identity {

void write_record(json::Writer& w, const AuditRecord& record);

}  // namespace weir::identity
