// Settings: the configuration in force with its sources, a dry run of another text, and the
// generations that were in force.
#include <fmt/format.h>

#include "admin/fields.h"
#include "admin/routes.h"
#include "base/json/writer.h"
#include "base/text.h"

namespace weir::admin {
namespace {

Result<int64_t> id_of(const Request& request) {
  const auto id = parse_int64(request.path_value);
  if (!id) return fail(ErrorCode::not_found, "there is no such generation");
  return *id;
}

void write_value(json::Writer& w, std::string_view name, const std::string& value) {
  w.key(name);
  value.empty() ? w.null() : w.raw(value);
}

void write_changes(json::Writer& w, const std::vector<SettingChange>& changes) {
  w.key("changes").begin_array();
  for (const SettingChange& change : changes) {
    w.begin_object().member("path", change.path);
    write_value(w, "before", change.before);
    write_value(w, "after", change.after);
    w.member("change", change.before.empty()  ? "added"
                       : change.after.empty() ? "removed"
                                              : "changed")
        .member("secret", change.secret)
        .member("restart", change.restart)
        .end_object();
  }
  w.end_array();
}

std::string_view section_of(std::string_view path) {
  return path.substr(0, path.find_first_of(".["));
}

}  // namespace

net::Task<Result<Reply>> get_settings(Backend& backend, const Request&) {
  const auto settings = backend.settings();
  if (!settings) co_return fail(settings.error());
  Reply reply;
  json::Writer w(reply.body);
  w.begin_object().member("file", settings->file).key("items").begin_array();
  for (const Setting& setting : settings->items) {
    w.begin_object()
        .member("section", section_of(setting.path))
        .member("path", setting.path)
        .member_raw("value", setting.value)
        .member("source", setting.source)
        .member("doc", setting.doc)
        .member("secret", setting.secret)
        .member("restart", setting.restart)
        .end_object();
  }
  w.end_array().member("truncated", settings->truncated).end_object();
  co_return reply;
}

net::Task<Result<Reply>> check_settings(Backend& backend, const Request& request) {
  if (auto known = only_fields(request.body, {"text"}); !known) co_return fail(known.error());
  const auto text = request.body["text"].as_string();
  if (!text) co_return fail(wrong_field("text", "the text of a configuration"));
  const auto check = backend.check_settings(*text);
  if (!check) co_return fail(check.error());
  Reply reply;
  json::Writer w(reply.body);
  w.begin_object().member("ok", check->ok).key("problems").begin_array();
  for (const SettingsProblem& problem : check->problems) {
    w.begin_object()
        .member("severity", problem.severity)
        .member("code", problem.code)
        .member("line", problem.line)
        .member("column", problem.column)
        .member("path", problem.path)
        .member("message", problem.message)
        .end_object();
  }
  w.end_array();
  write_changes(w, check->changes);
  w.member("truncated", check->truncated).end_object();
  co_return reply;
}

net::Task<Result<Reply>> list_generations(Backend& backend, const Request&) {
  const auto generations = backend.generations();
  if (!generations) co_return fail(generations.error());
  Reply reply;
  json::Writer w(reply.body);
  w.begin_object().key("items").begin_array();
  for (const Generation& generation : *generations) {
    w.begin_object()
        .member("id", fmt::format("{}", generation.id))
        .member("time_ms", generation.time_ms)
        .member("by", generation.by)
        .member("why", generation.why)
        .member("changes", generation.changes)
        .member("kept", generation.kept)
        .member("running", generation.running)
        .end_object();
  }
  w.end_array().key("rolled_back");
  write_rollback(w, backend.rolled_back());
  w.end_object();
  co_return reply;
}

net::Task<Result<Reply>> get_generation_diff(Backend& backend, const Request& request) {
  const auto id = id_of(request);
  if (!id) co_return fail(id.error());
  const auto against = request.query.find("against");
  const bool running = against != request.query.end() && against->second == "running";
  if (!running && against != request.query.end() && against->second != "before") {
    co_return fail(wrong_field("against", "before or running"));
  }
  const auto changes = backend.generation_changes(*id, running);
  if (!changes) co_return fail(changes.error());
  Reply reply;
  json::Writer w(reply.body);
  w.begin_object();
  write_changes(w, *changes);
  w.end_object();
  co_return reply;
}

net::Task<Result<Reply>> post_rollback(Backend& backend, const Request& request) {
  const auto id = id_of(request);
  if (!id) co_return fail(id.error());
  const auto generation = backend.rollback(*id, request.actor.name);
  if (!generation) co_return fail(generation.error());
  request.note->after = fmt::format(R"({{"config_generation":{}}})", *generation);
  co_return Reply{.body = request.note->after};
}

void write_rollback(json::Writer& w, const std::optional<Rollback>& rollback) {
  if (!rollback) {
    w.null();
    return;
  }
  w.begin_object()
      .member("generation", fmt::format("{}", rollback->generation))
      .member("since_ms", rollback->since_ms)
      .end_object();
}

}  // namespace weir::admin
