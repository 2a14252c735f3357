// The audit log, read.
#include <fmt/format.h>

#include "admin/routes.h"
#include "base/encoding.h"
#include "base/json/writer.h"
#include "base/text.h"
#include "identity/audit_json.h"

namespace weir::admin {
namespace {

constexpr int64_t kLimitMax = 1000;

std::string text_of(const Request& request, const std::string& name) {
  const auto found = request.query.find(name);
  return found == request.query.end() ? std::string() : found->second;
}

Result<int64_t> number_of(const Request& request, const std::string& name, int64_t standard,
                          int64_t least, int64_t most) {
  const auto found = request.query.find(name);
  if (found == request.query.end()) return standard;
  const auto number = parse_int64(found->second);
  if (!number || *number < least || *number > most) {
    return fail(ErrorCode::invalid_argument, fmt::format("{}: expected a whole number", name));
  }
  return *number;
}

Result<identity::AuditQuery> query_of(const Request& request) {
  identity::AuditQuery query;
  WEIR_TRY(query.limit, number_of(request, "limit", 100, 1, kLimitMax));
  WEIR_TRY(query.before, number_of(request, "before", 0, 1, INT64_MAX));
  WEIR_TRY(query.since_ms, number_of(request, "since", 0, 0, INT64_MAX));
  WEIR_TRY(query.until_ms, number_of(request, "until", INT64_MAX, 0, INT64_MAX));
  query.actor = text_of(request, "actor");
  query.action = text_of(request, "action");
  query.object = text_of(request, "object");
  return query;
}

}  // namespace

net::Task<Result<Reply>> list_audit(Backend& backend, const Request& request) {
  auto query = query_of(request);
  if (!query) co_return fail(std::move(query).error());
  auto records = backend.audit().list(*query);
  if (!records) co_return fail(std::move(records).error());
  Reply reply;
  json::Writer w(reply.body);
  w.begin_object().key("records").begin_array();
  for (const identity::AuditRecord& record : *records) {
    identity::write_record(w, record);
  }
  w.end_array().key("next");
  const bool more = static_cast<int64_t>(records->size()) == query->limit;
  more && records->back().number > 1 ? w.number(records->back().number) : w.null();
  w.end_object();
  co_return reply;
}

net::Task<Result<Reply>> get_audit_head(Backend& backend, const Request&) {
  auto head = backend.audit().head();
  if (!head) co_return fail(std::move(head).error());
  const std::string_view hash(reinterpret_cast<const char*>(head->hash.data()), head->hash.size());
  Reply reply;
  json::Writer(reply.body)
      .begin_object()
      .member("number", head->number)
      .member("hash", hex_encode(hash))
      .member("signature", hex_encode(head->signature))
      .member("anchor", to_text(identity::AuditAnchor{.number = head->number, .hash = head->hash}))
      .member("public_key", backend.audit().public_pem())
      .end_object();
  co_return reply;
}

}  // namespace weir::admin
