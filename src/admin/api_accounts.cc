// Accounts and models: those of the file, shown, and those made here, made, changed and removed.
// What is in force is shown without its secrets, and no answer repeats one.
#include <fmt/format.h>

#include <optional>

#include "admin/fields.h"
#include "admin/routes.h"
#include "base/date.h"
#include "base/json/writer.h"

namespace weir::admin {
namespace {

constexpr size_t kModelBytesMax = 256;

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

// Nothing where there is none of that name.
Result<std::optional<ConfiguredObject>> find(Backend& backend, std::string_view kind,
                                             std::string_view name) {
  WEIR_TRY(std::vector<ConfiguredObject> objects, backend.configured(kind));
  for (ConfiguredObject& object : objects) {
    if (object.name == name) return std::optional(std::move(object));
  }
  return std::optional<ConfiguredObject>();
}

// As it is now: for who asked and, without secrets as it is shown, for the audit log.
Result<Reply> made(Backend& backend, std::string_view kind, const Request& request,
                   std::string_view name, int status) {
  WEIR_TRY(const auto object, find(backend, kind, name));
  if (!object) return fail(ErrorCode::not_found, "it is gone again");
  request.note->after = object->definition;
  Reply reply{.status = status, .body = {}};
  json::Writer w(reply.body);
  write_object(w, *object);
  return reply;
}

Result<void> note_before(Backend& backend, std::string_view kind, const Request& request) {
  WEIR_TRY(const auto object, find(backend, kind, request.path_value));
  if (object) request.note->before = object->definition;
  return {};
}

Result<Reply> create(Backend& backend, std::string_view kind, const Request& request) {
  if (!request.body.is_object()) {
    return fail(ErrorCode::invalid_argument, "body: expected a JSON object with at least a name");
  }
  WEIR_CHECK_OK(backend.add_configured(kind, request.body, request.actor.name));
  const std::string name = request.body["name"].string_or("");
  request.note->object = name;
  return made(backend, kind, request, name, 201);
}

Result<Reply> change(Backend& backend, std::string_view kind, const Request& request) {
  if (!request.body.is_object()) {
    return fail(ErrorCode::invalid_argument, "body: expected a JSON object");
  }
  WEIR_CHECK_OK(note_before(backend, kind, request));
  WEIR_CHECK_OK(
      backend.change_configured(kind, request.path_value, request.body, request.actor.name));
  return made(backend, kind, request, request.path_value, 200);
}

Result<Reply> remove(Backend& backend, std::string_view kind, const Request& request) {
  WEIR_CHECK_OK(note_before(backend, kind, request));
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
  std::string model;
  if (request.body.exists()) {
    if (auto known = only_fields(request.body, {"model"}); !known) co_return fail(known.error());
    auto named = text_member(request.body, "model");
    if (!named) co_return fail(std::move(named).error());
    model = named->value_or("");
  }
  if (model.size() > kModelBytesMax) co_return fail(wrong_field("model", "a shorter name"));
  auto probe = model.empty() ? co_await backend.probe(request.path_value)
                             : co_await backend.try_account(request.path_value, model);
  if (!probe) co_return fail(std::move(probe).error());
  Reply reply;
  json::Writer w(reply.body);
  w.begin_object()
      .member("ok", probe->ok)
      .member("status", probe->status)
      .member("failure", probe->failure)
      .member("detail", probe->detail);
  w.key("models").begin_array();
  for (const std::string& name : probe->models) w.string(name);
  w.end_array()
      .member("took_ms", probe->took.count())
      .member("request", probe->request_id)
      .member("input_tokens", probe->input_tokens)
      .member("output_tokens", probe->output_tokens)
      .member("cost_usd", probe->cost.to_usd())
      .member("cost_state", probe->cost_state)
      .end_object();
  request.note->after = fmt::format(R"({{"ok":{},"model":{},"cost_usd":"{}"}})", probe->ok,
                                    json::quoted(model), probe->cost.to_usd());
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
