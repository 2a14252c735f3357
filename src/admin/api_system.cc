// Status, models, reload, and the API's own document.
#include <fmt/format.h>

#include "admin/reply_schema.h"
#include "admin/routes.h"
#include "base/date.h"
#include "base/json/writer.h"
#include "base/text.h"

namespace weir::admin {
namespace {

// What a standard request at this hour is priced by: the row and its rates, or "" and {}.
void write_price(json::Writer& w, const provider::Deployment& deployment,
                 const ledger::PriceBook& prices, int64_t wall_ms) {
  const ledger::PriceQuery query{.provider = provider::to_string(deployment.account->kind),
                                 .model = deployment.base_model,
                                 .location = deployment.account->location,
                                 .account = deployment.account->name,
                                 .wall_ms = wall_ms};
  ledger::Cost cost;
  cost.row = prices.find(query);
  if (cost.row != nullptr) cost.rates = &cost.row->rates;
  cost.factors = prices.factors(query);
  w.member("price_row", cost.row == nullptr ? "" : cost.row->id)
      .member_raw("rates", cost.row == nullptr ? "{}" : ledger::rates_text(cost));
}

void write_deployment(json::Writer& w, const provider::Deployment& deployment,
                      const gateway::Snapshot& snapshot, Nanoseconds now, int64_t wall_ms) {
  const provider::Lease& lease = deployment.state->lease;
  const provider::Lease& credential = deployment.account->state->credential;
  const Nanoseconds until = provider::parked_until(deployment);
  w.begin_object()
      .member("name", deployment.name)
      .member("account", deployment.account->name)
      .member("provider", provider::to_string(deployment.account->kind))
      .member("model", deployment.model)
      .member("priced_as", deployment.base_model);
  write_price(w, deployment, snapshot.prices, wall_ms);
  w.member("weight", int64_t{deployment.weight})
      .member("in_flight", int64_t{deployment.state->in_flight.load(std::memory_order_relaxed)})
      .member("open", lease.is_open(now) && credential.is_open(now))
      .member("parked_by", !lease.is_open(now)        ? "lease"
                           : !credential.is_open(now) ? "credential"
                                                      : "")
      .member("parked_ms",
              until > now ? std::chrono::duration_cast<Milliseconds>(until - now).count() : 0)
      .end_object();
}

void write_parameters(json::Writer& w, const Route& route) {
  w.key("parameters").begin_array();
  if (route.path.find("{id}") != std::string_view::npos) {
    w.begin_object()
        .member("name", "id")
        .member("in", "path")
        .member("required", true)
        .key("schema")
        .begin_object()
        .member("type", "string")
        .end_object()
        .end_object();
  }
  for (const QueryParameter& parameter : route.query) {
    w.begin_object()
        .member("name", parameter.name)
        .member("in", "query")
        .member("description", parameter.doc)
        .key("schema")
        .begin_object()
        .member("type", "string")
        .end_object()
        .end_object();
  }
  w.end_array();
}

void write_response(json::Writer& w, std::string_view status, std::string_view doc,
                    std::string_view notation) {
  w.key(status).begin_object().member("description", doc);
  if (!notation.empty()) {
    w.key("content")
        .begin_object()
        .key("application/json")
        .begin_object()
        .member_raw("schema", schema_of(notation).value_or("{}"))
        .end_object()
        .end_object();
  }
  w.end_object();
}

void write_operation(json::Writer& w, const Route& route) {
  w.key(to_lower(route.method)).begin_object().member("summary", route.summary);
  w.member("x-weir-permission", identity::to_string(route.permission));
  write_parameters(w, route);
  if (!route.body_example.empty()) {
    w.key("requestBody")
        .begin_object()
        .key("content")
        .begin_object()
        .key("application/json")
        .begin_object()
        .member_raw("example", route.body_example)
        .end_object()
        .end_object()
        .end_object();
  }
  w.key("responses").begin_object();
  write_response(w, "200", "The answer", reply_notation(route));
  write_response(w, "default", "An error", "Error");
  w.end_object().end_object();
}

void write_components(json::Writer& w) {
  w.key("components").begin_object().key("schemas").begin_object();
  for (const NamedSchema& schema : schemas()) {
    w.member_raw(schema.name, schema_of(schema.notation).value_or("{}"));
  }
  w.end_object().end_object();
}

}  // namespace

net::Task<Result<Reply>> get_status(Backend& backend, const Request&) {
  const ledger::LogHealth health = backend.ledger_health();
  Reply reply;
  json::Writer w(reply.body);
  w.begin_object()
      .member("version", backend.version())
      .member("address", backend.public_address())
      .member("started", rfc3339(backend.started_ms()))
      .member("config_generation", static_cast<int64_t>(backend.snapshot()->generation));
  w.key("rolled_back");
  write_rollback(w, backend.rolled_back());
  w.key("ledger")
      .begin_object()
      .member("ok", health.ok)
      .member("problem", health.problem)
      .member("rows_written", static_cast<int64_t>(health.rows_written))
      .member("rows_spooled", static_cast<int64_t>(health.rows_spooled))
      .member("rows_dropped", static_cast<int64_t>(health.rows_dropped))
      .end_object()
      .end_object();
  co_return reply;
}

net::Task<Result<Reply>> list_models(Backend& backend, const Request&) {
  const auto snapshot = backend.snapshot();
  const Nanoseconds now = SystemClock().monotonic();
  const int64_t wall_ms = SystemClock().wall_ms();
  Reply reply;
  json::Writer w(reply.body);
  w.begin_object().key("models").begin_array();
  for (const gateway::Model& model : snapshot->models) {
    w.begin_object().member("name", model.name);
    w.key("fallbacks").begin_array();
    for (const std::string& fallback : model.fallbacks) w.string(fallback);
    w.end_array().key("deployments").begin_array();
    for (const auto& deployment : model.pool.deployments()) {
      write_deployment(w, *deployment, *snapshot, now, wall_ms);
    }
    w.end_array().end_object();
  }
  w.end_array().end_object();
  co_return reply;
}

net::Task<Result<Reply>> post_reload(Backend& backend, const Request& request) {
  const auto generation_text = [&backend] {
    return fmt::format(R"({{"config_generation":{}}})", backend.snapshot()->generation);
  };
  request.note->before = generation_text();
  auto generation = backend.reload(request.actor.name);
  if (!generation) co_return fail(std::move(generation).error());
  request.note->after = generation_text();
  Reply reply;
  json::Writer(reply.body)
      .begin_object()
      .member("config_generation", static_cast<int64_t>(*generation))
      .end_object();
  co_return reply;
}

net::Task<Result<Reply>> get_document(Backend& backend, const Request&) {
  Reply reply;
  json::Writer w(reply.body);
  w.begin_object()
      .member("openapi", "3.1.0")
      .key("info")
      .begin_object()
      .member("title", "Weir admin API")
      .member("version", backend.version())
      .end_object()
      .key("paths")
      .begin_object();
  std::string_view open_path;
  for (const Route& route : routes()) {
    // Rows of one path stand together in the table.
    if (route.path != open_path) {
      if (!open_path.empty()) w.end_object();
      w.key(route.path).begin_object();
      open_path = route.path;
    }
    write_operation(w, route);
  }
  if (!open_path.empty()) w.end_object();
  w.end_object();
  write_components(w);
  w.end_object();
  co_return reply;
}

}  // namespace weir::admin
