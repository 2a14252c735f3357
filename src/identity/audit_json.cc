#include "identity/audit_json.h"

#include "base/date.h"
#include "base/json/document.h"

namespace weir::identity {
namespace {

// What was cut off is JSON no more: it is shown as a text.
void write_state(json::Writer& w, std::string_view name, const std::string& text) {
  if (text.empty()) return;
  json::Document document;
  document.parse(text) ? w.member_raw(name, text) : w.member(name, text);
}

}  // namespace

void write_record(json::Writer& w, const AuditRecord& record) {
  w.begin_object()
      .member("number", record.number)
      .member("time", rfc3339(record.time_ms))
      .member("actor", record.actor)
      .member("actor_kind", record.actor_kind)
      .member("address", record.address)
      .member("action", record.action)
      .member("object", record.object)
      .member("status", record.status);
  write_state(w, "before", record.before);
  write_state(w, "after", record.after);
  w.end_object();
}

}  // namespace weir::identity
