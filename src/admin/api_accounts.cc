// Accounts and models: those of the file, shown, and those made here, made, changed and removed.
// What is in force is shown without its secrets, and no answer repeats one.
#include "admin/routes.h"
#include "base/date.h"
#include "base/json/writer.h"

namespace weir::admin {
namespace {

void write_time(json::Writer& w, std::string_view name, int64_t wall_ms) {
  w.key(name);
  wall_ms > 0 ? w.string(rfc3339(wall_ms)) : w.null();
}

void write_object(json::Writer& w, const ConfiguredObject& object) {
  w.begin_object()
      .member("name", object.name)
      .member("source", object.from_file ? "file" : "console")
      .member_raw("definition", object.definition)
      .member("sealed_under", object.key_id);
  write_time(w, "created", object.created_ms);
  write_time(w, "changed", object.changed_ms);
  w.end_object();
}

Result<Reply> list(Backend& backend, std::string_view kind, std::string_view member) {
  WEIR_TRY(const std::vector<ConfiguredObject> objects, backend.configured(kind));
  Reply reply;
  json::Writer w(reply.body);
  w.begin_object().key(member).begin_array();
  for (const ConfiguredObject& object : objects) write_object(w, object);
  w.end_array().end_object();
  return reply;
}

// For the audit log: as it is shown, without secrets.
std::string definition_of(Backend& backend, std::string_view kind, std::string_view name) {
  const auto objects = backend.configured(kind);
  if (!objects) return {};
  for (const ConfiguredObject& object : *objects) {
    if (object.name == name) return object.definition;
  }
  return {};
}

Result<Reply> one(Backend& backend, std::string_view kind, std::string_view name, int status) {
  WEIR_TRY(const std::vector<ConfiguredObject> objects, backend.configured(kind));
  for (const ConfiguredObject& object : objects) {
    if (object.name != name) continue;
    Reply reply{.status = status, .body = {}};
    json::Writer w(reply.body);
    write_object(w, object);
    return reply;
  }
  return fail(ErrorCode::not_found, "it is gone again");
}

Result<Reply> create(Backend& backend, std::string_view kind, const Request& request) {
  if (!request.body.is_object()) {
    return fail(ErrorCode::invalid_argument, "body: expected a JSON object with at least a name");
  }
  WEIR_CHECK_OK(backend.add_configured(kind, request.body, request.actor.name));
  const std::string name = request.body["name"].string_or("");
  request.note->object = name;
  request.note->after = definition_of(backend, kind, name);
  return one(backend, kind, name, 201);
}

Result<Reply> change(Backend& backend, std::string_view kind, const Request& request) {
  if (!request.body.is_object()) {
    return fail(ErrorCode::invalid_argument, "body: expected a JSON object");
  }
  request.note->before = definition_of(backend, kind, request.path_value);
  WEIR_CHECK_OK(
      backend.change_configured(kind, request.path_value, request.body, request.actor.name));
  request.note->after = definition_of(backend, kind, request.path_value);
  return one(backend, kind, request.path_value, 200);
}

Result<Reply> remove(Backend& backend, std::string_view kind, const Request& request) {
  request.note->before = definition_of(backend, kind, request.path_value);
  WEIR_CHECK_OK(backend.remove_configured(kind, request.path_value, request.actor.name));
  return Reply{.body = R"({"removed":true})"};
}

}  // namespace

net::Task<Result<Reply>> list_accounts(Backend& backend, const Request&) {
  co_return list(backend, "account", "accounts");
}
net::Task<Result<Reply>> create_account(Backend& backend, const Request& request) {
  co_return create(backend, "account", request);
}
net::Task<Result<Reply>> change_account(Backend& backend, const Request& request) {
  co_return change(backend, "account", request);
}
net::Task<Result<Reply>> remove_account(Backend& backend, const Request& request) {
  co_return remove(backend, "account", request);
}

net::Task<Result<Reply>> test_account(Backend& backend, const Request& request) {
  auto probe = co_await backend.probe(request.path_value);
  if (!probe) co_return fail(std::move(probe).error());
  Reply reply;
  json::Writer w(reply.body);
  w.begin_object()
      .member("ok", probe->ok)
      .member("status", probe->status)
      .member("failure", probe->failure)
      .member("detail", probe->detail);
  w.key("models").begin_array();
  for (const std::string& model : probe->models) w.string(model);
  w.end_array().member("took_ms", probe->took.count()).end_object();
  co_return reply;
}

net::Task<Result<Reply>> list_definitions(Backend& backend, const Request&) {
  co_return list(backend, "model", "models");
}
net::Task<Result<Reply>> create_model(Backend& backend, const Request& request) {
  co_return create(backend, "model", request);
}
net::Task<Result<Reply>> change_model(Backend& backend, const Request& request) {
  co_return change(backend, "model", request);
}
net::Task<Result<Reply>> remove_model(Backend& backend, const Request& request) {
  co_return remove(backend, "model", request);
}

}  // namespace weir::admin
