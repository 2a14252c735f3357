// Jobs: long work, started, watched, cancelled, and what it made. What each kind is told is the
// process's affair (Backend::start_job); who may start, cancel and fetch it stands here.
#include <fmt/format.h>

#include "admin/jobs_json.h"
#include "admin/routes.h"
#include "base/json/writer.h"
#include "base/text.h"

namespace weir::admin {
namespace {

using identity::Permission;

Result<int64_t> id_of(const Request& request) {
  const auto id = parse_int64(request.path_value);
  if (!id) return fail(ErrorCode::not_found, "there is no such job");
  return *id;
}

// A job of which the actor may do what its kind needs.
Result<jobs::Job> own_job(Backend& backend, const Request& request) {
  WEIR_TRY(const int64_t id, id_of(request));
  WEIR_TRY(jobs::Job job, backend.jobs().get(id));
  WEIR_CHECK_OK(check_kind(job.kind, request.actor));
  return job;
}

Reply reply_of(const jobs::Job& job, int status = 200) {
  Reply reply{.status = status, .body = {}};
  json::Writer w(reply.body);
  write_job(w, job);
  return reply;
}

Result<Reply> start(Backend& backend, const Request& request) {
  const std::string kind = request.body["kind"].string_or("");
  WEIR_CHECK_OK(check_kind(kind, request.actor));
  WEIR_TRY(jobs::Order order, backend.make_job(kind, request.body));
  order.by = request.actor.name;
  WEIR_TRY(const jobs::Job job, backend.jobs().submit(std::move(order)));
  request.note->object = fmt::format("{}", job.id);
  json::Writer(request.note->after)
      .begin_object()
      .member("kind", job.kind)
      .member("title", job.title)
      .end_object();
  return reply_of(job, 202);
}

Result<Reply> cancel(Backend& backend, const Request& request) {
  WEIR_TRY(const jobs::Job job, own_job(backend, request));
  WEIR_TRY(const jobs::Job cancelled, backend.jobs().cancel(job.id));
  return reply_of(cancelled);
}

Result<Reply> remove(Backend& backend, const Request& request) {
  WEIR_TRY(const jobs::Job job, own_job(backend, request));
  WEIR_CHECK_OK(backend.jobs().remove(job.id));
  return Reply{.body = R"({"removed":true})"};
}

Result<Reply> file(Backend& backend, const Request& request) {
  WEIR_TRY(const jobs::Job job, own_job(backend, request));
  Reply reply;
  WEIR_TRY(reply.file, backend.jobs().file_of(job.id));
  reply.content_type = job.file_name.ends_with(".csv") ? "text/csv; charset=utf-8"
                                                       : "application/jsonl; charset=utf-8";
  reply.headers.emplace_back("content-disposition",
                             fmt::format("attachment; filename=\"{}\"", job.file_name));
  // Who took the rows away is a thing to know.
  request.note->record = true;
  return reply;
}

}  // namespace

std::span<const JobKind> job_kinds() {
  static constexpr JobKind kKinds[] = {
      {"export", Permission::cost_read},     {"rerate", Permission::cost_write},
      {"reconcile", Permission::cost_write}, {"import_prices", Permission::cost_write},
      {"compact", Permission::config_write},
  };
  return kKinds;
}

Result<void> check_kind(std::string_view kind, const identity::Actor& actor) {
  for (const JobKind& one : job_kinds()) {
    if (one.name != kind) continue;
    if (actor.may(one.permission)) return {};
    return fail(ErrorCode::permission_denied,
                fmt::format("a job of the kind {} needs the permission {}", kind,
                            identity::to_string(one.permission)));
  }
  std::string names;
  for (const JobKind& one : job_kinds()) names.append(names.empty() ? "" : ", ").append(one.name);
  return fail(ErrorCode::invalid_argument, fmt::format("kind: expected one of {}", names));
}

void write_job(json::Writer& w, const jobs::Job& job) {
  w.begin_object()
      .member("id", fmt::format("{}", job.id))
      .member("kind", job.kind)
      .member("title", job.title)
      .member("state", jobs::to_string(job.state))
      .member("done", job.done)
      .member("total", job.total)
      .member("unit", job.unit)
      .member("created_ms", job.created_ms)
      .member("started_ms", job.started_ms)
      .member("ended_ms", job.ended_ms)
      .member("by", job.by);
  w.key("result");
  job.result.empty() ? w.null() : w.raw(job.result);
  w.member("error", job.error)
      .member("file", job.state == jobs::State::done && !job.file_name.empty())
      .member("file_name", job.file_name)
      .end_object();
}

net::Task<Result<Reply>> list_jobs(Backend& backend, const Request&) {
  Reply reply;
  json::Writer w(reply.body);
  w.begin_object().key("items").begin_array();
  for (const jobs::Job& job : backend.jobs().list()) write_job(w, job);
  w.end_array().end_object();
  co_return reply;
}

net::Task<Result<Reply>> create_job(Backend& backend, const Request& request) {
  co_return start(backend, request);
}

net::Task<Result<Reply>> get_job(Backend& backend, const Request& request) {
  const auto id = id_of(request);
  if (!id) co_return fail(id.error());
  auto job = backend.jobs().get(*id);
  if (!job) co_return fail(std::move(job).error());
  co_return reply_of(*job);
}

net::Task<Result<Reply>> cancel_job(Backend& backend, const Request& request) {
  co_return cancel(backend, request);
}

net::Task<Result<Reply>> get_job_file(Backend& backend, const Request& request) {
  co_return file(backend, request);
}

net::Task<Result<Reply>> remove_job(Backend& backend, const Request& request) {
  co_return remove(backend, request);
}

}  // namespace weir::admin
