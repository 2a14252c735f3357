#include "gateway/batches.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json/splice.h"
#include "base/json/writer.h"
#include "dialect/usage_json.h"
#include "gateway/stages.h"
#include "state/keeper.h"

namespace weir::gateway {
namespace {

using dialect::ApiErrorType;
using dialect::Dialect;
using dialect::Usage;
using state::Record;
using state::RecordKind;

constexpr std::string_view kTier = "batch";

bool is_batch_endpoint(const Exchange& x) {
  return x.route.endpoint.starts_with("/batches") ||
         x.route.endpoint.starts_with("/messages/batches") ||
         x.route.endpoint == ":batchGenerateContent";
}

bool makes_batch(const Exchange& x) {
  return x.client.head().method == "POST" &&
         (x.route.endpoint == "/batches" || x.route.endpoint == "/messages/batches" ||
          x.route.endpoint == ":batchGenerateContent");
}

bool has_usage(json::Value batch) {
  return batch["usage"]["total_tokens"].as_int64().value_or(0) > 0;
}

bool has_ended(json::Value batch) {
  const std::string status = batch["status"].string_or("");
  return status == "completed" || status == "expired" || status == "cancelled" ||
         status == "failed";
}

Record record_of(const Exchange& x, std::string id, std::string body) {
  return {.id = std::move(id),
          .kind = RecordKind::batch,
          .owner = {x.principal->key_id, x.principal->team},
          .created_ms = x.start_ms,
          .expires_ms = x.start_ms + x.worker.keeper->options().pin_retention.count(),
          .body = std::move(body)};
}

// What the row needs to know of the call that makes the batch. `row` is one of this worker's own
// ids: the row is written once, however often it is tried.
std::string body_of(const Exchange& x, const provider::Account& account, int64_t row) {
  std::string body;
  json::Writer(body)
      .begin_object()
      .member("row", row)
      .member("user", x.user)
      .member("dialect", dialect::to_string(x.route.dialect))
      .member("account", account.name)
      .member("provider", provider::to_string(account.kind))
      .member("location", account.location)
      .end_object();
  return body;
}

// By what a batch that was announced is found. No id of a provider has a slash there.
std::string announced_by(std::string_view file) {
  return "in/" + std::string(file);
}

std::string input_file(const Exchange& x) {
  return x.document.root()["input_file_id"].string_or("");
}

bool names_row(const Record& record, int64_t row) {
  json::Document made;
  return made.parse(record.body) && made.root()["row"].as_int64() == row;
}

net::Task<void> remember(Exchange& x, std::string id) {
  state::Keeper* const keeper = x.worker.keeper;
  const bool announced = x.batch_row != 0;
  const int64_t row = announced ? x.batch_row : x.worker.ids.make(x.start_ms).value();
  keeper->keep(record_of(x, std::move(id), body_of(x, *x.deployment->account, row)));
  if (!announced) co_return;
  // The next batch of the same file may have been announced meanwhile.
  const std::string name = announced_by(input_file(x));
  const auto waiting = co_await keeper->find(x.worker.loop, name, RecordKind::batch);
  if (waiting && *waiting && names_row(**waiting, row)) keeper->remove(name);
}

// The sum over the models, each at its own price.
void put_cost(Exchange& x, const std::map<std::string, Usage>& by_model, bool complete,
              std::string_view provider, std::string_view location, ledger::RequestRow& row) {
  row.cost_state = ledger::CostState::final;
  row.usage.reported = true;
  for (const auto& [model, used] : by_model) {
    Usage usage = used;
    usage.service_tier = kTier;
    usage.reported = complete;
    const ledger::Cost cost = ledger::cost(usage, x.snapshot->prices,
                                           {.provider = provider,
                                            .model = model,
                                            .location = location,
                                            .account = row.account,
                                            .wall_ms = row.start_ms});
    row.cost += cost.total;
    row.list_cost += cost.list;
    row.cost_state = std::max(row.cost_state, cost.state);
    row.price_row = cost.row_id();
    // Several models have several rates; a row has room for one's.
    row.rates = by_model.size() == 1 ? ledger::rates_text(cost) : "";
    row.provider_model = model;
    row.usage.input += usage.input;
    row.usage.cache_read += usage.cache_read;
    row.usage.cache_write_5m += usage.cache_write_5m;
    row.usage.cache_write_1h += usage.cache_write_1h;
    row.usage.input_audio += usage.input_audio;
    row.usage.input_image += usage.input_image;
    row.usage.output += usage.output;
    row.usage.output_audio += usage.output_audio;
    row.usage.output_image += usage.output_image;
    row.usage.reasoning += usage.reasoning;
    row.usage.tool_calls += usage.tool_calls;
  }
  row.usage.service_tier = kTier;
  row.usage.reported = complete;
}

// Whoever fetched the results: the key that made the batch has spent it.
void charge(Exchange& x, const std::string& key_id, Money cost, int64_t made_ms) {
  const access::Principal* who =
      x.principal->key_id == key_id ? x.principal : x.snapshot->keys.find_by_id(key_id);
  if (who == nullptr) return;
  for (const ledger::Subject& payer : who->payers()) {
    if (payer.budgets != nullptr) payer.budgets->commit({}, cost, made_ms);
  }
}

constexpr std::string_view kSettling = R"({"settling":true,)";

// Whoever gets the record settles the batch. It stays on disk, marked, until the row is in the
// journal: a process that ends between the two leaves a batch whose row is tried once more, and is
// not charged again to budgets that were rebuilt with it.
net::Task<std::optional<Record>> claim(Exchange& x, std::string id) {
  state::Keeper* const keeper = x.worker.keeper;
  auto record = co_await keeper->find(x.worker.loop, std::move(id), RecordKind::batch,
                                      /*take=*/true);
  if (!record || !*record) co_return std::nullopt;
  if (!(*record)->body.starts_with(kSettling) && (*record)->body.starts_with('{')) {
    Record marked = **record;
    marked.body.replace(0, 1, kSettling);
    keeper->keep(std::move(marked));
    static_cast<void>(co_await keeper->flush(x.worker.loop));
  }
  co_return std::move(**record);
}

void write_row(Exchange& x, const Record& record, const std::map<std::string, Usage>& by_model,
               bool complete) {
  json::Document made;
  if (!made.parse(record.body)) return;
  const json::Value info = made.root();
  const auto text = [&](std::string_view name) { return info[name].string_or(""); };
  ledger::RequestRow row;
  row.id = Id(info["row"].as_int64().value_or(0));
  row.start_ms = row.id.wall_ms();
  row.key_id = record.owner.key_id;
  row.team = record.owner.team;
  row.user = text("user");
  row.dialect = text("dialect");
  row.endpoint = "batch";
  row.account = text("account");
  row.provider = text("provider");
  row.status = 200;
  row.outcome = ledger::Outcome::ok;
  row.config_generation = static_cast<int64_t>(x.snapshot->generation);
  put_cost(x, by_model, complete, row.provider, text("location"), row);
  row.model_asked = row.provider_model;
  row.model = row.provider_model;
  if (!record.body.starts_with(kSettling)) charge(x, row.key_id, row.cost, row.start_ms);
  ++x.worker.counters.batches_settled;
  if (!x.worker.log.submit(std::move(row))) ++x.worker.counters.ledger_rows_dropped;
  x.worker.keeper->remove(record.id);
}

void add(Usage& sum, const Usage& more) {
  sum.input += more.input;
  sum.cache_read += more.cache_read;
  sum.cache_write_5m += more.cache_write_5m;
  sum.cache_write_1h += more.cache_write_1h;
  sum.input_audio += more.input_audio;
  sum.input_image += more.input_image;
  sum.output += more.output;
  sum.output_audio += more.output_audio;
  sum.output_image += more.output_image;
  sum.reasoning += more.reasoning;
  sum.tool_calls += more.tool_calls;
}

}  // namespace

bool admit_batch(Exchange& x) {
  // Gemini's name one model, in the path.
  if (!makes_batch(x) || x.route.dialect == Dialect::gemini) return true;
  if (x.route.endpoint == "/batches") {
    if (x.principal->models.empty()) return true;
    return refuse(x, ApiErrorType::permission, 403, "batch_of_any_model",
                  "A batch's file may name any model, and this key may use only some. Batches need "
                  "a key without a list of models.");
  }
  for (const json::Value request : x.document.root()["requests"].elements()) {
    const json::Value model = request["params"]["model"];
    const std::string name = model.string_or("");
    if (x.snapshot->find_model(name) != nullptr && x.principal->may_use(name)) continue;
    return refuse(x, ApiErrorType::not_found, 404, "model_not_found",
                  fmt::format("requests[].params.model: the model \"{}\" does not exist here or "
                              "this key may not use it.",
                              name.substr(0, 200)),
                  "model");
  }
  return true;
}

Result<void> edit_batch(const Exchange& x, const provider::Deployment& deployment,
                        provider::BodyEdit& body) {
  if (x.route.endpoint != "/messages/batches" || !makes_batch(x)) return {};
  for (const json::Value request : body.root["requests"].elements()) {
    const json::Value params = request["params"];
    if (!params.is_object()) continue;
    const std::string name = params["model"].string_or("");
    const Model* model = x.snapshot->find_model(name);
    const provider::Deployment* there = nullptr;
    if (model != nullptr) {
      for (const auto& one : model->pool.deployments()) {
        if (one->account == deployment.account) there = one.get();
      }
    }
    if (there == nullptr) {
      return fail(ErrorCode::invalid_argument,
                  fmt::format("requests[].params.model: \"{}\" is not served by the account {} "
                              "that the batch's first model led to; a batch has one account",
                              name.substr(0, 200), deployment.account->name));
    }
    if (there->model == name) continue;
    body.nested.push_back(json::set_member(params, "model", json::quoted(there->model)));
  }
  return {};
}

namespace {

std::string gemini_model(json::Value name, json::Value version) {
  std::string model = name.string_or(version.string_or(""));
  if (model.starts_with("models/")) model.erase(0, 7);
  return model;
}

// The results are fetched by another name: that of a file.
net::Task<void> link_results(Exchange& x, const std::string& id, const std::string& file) {
  state::Keeper* const keeper = x.worker.keeper;
  const auto waiting = co_await keeper->find(x.worker.loop, id, RecordKind::batch);
  if (!waiting || !*waiting) co_return;
  const auto linked = co_await keeper->find(x.worker.loop, file, RecordKind::batch);
  if (!linked || *linked) co_return;
  keeper->keep(record_of(x, file, fmt::format(R"({{"batch":{}}})", json::quoted(id))));
}

// An operation that has ended has its results with it, or names their file.
net::Task<void> settle_gemini(Exchange& x, const std::string& id, json::Value operation) {
  if (operation["done"].as_bool() != true) co_return;
  json::Value output = operation["response"];
  if (!output.is_object()) output = operation["metadata"]["output"];
  if (const std::string file = output["responsesFile"].string_or(""); !file.empty()) {
    co_return co_await link_results(x, id, file);
  }
  json::Value results = output["inlinedResponses"];
  if (results.is_object()) results = results["inlinedResponses"];
  if (!results.is_array()) co_return;
  std::map<std::string, Usage> by_model;
  for (const json::Value result : results.elements()) {
    const json::Value response = result["response"];
    if (!response["usageMetadata"].is_object()) continue;
    add(by_model[gemini_model(operation["metadata"]["model"], response["modelVersion"])],
        dialect::usage_of_gemini_body(response));
  }
  if (const auto record = co_await claim(x, id)) write_row(x, *record, by_model, true);
}

// A batch whose answer was lost on its way to the process that announced it.
net::Task<void> adopt(Exchange& x, const std::string& id, json::Value batch) {
  // Clocks of providers and of this machine differ by less.
  constexpr int64_t kClockSlackMs = 60'000;
  const std::string file = batch["input_file_id"].string_or("");
  if (file.empty() || makes_batch(x)) co_return;
  state::Keeper* const keeper = x.worker.keeper;
  const auto known = co_await keeper->find(x.worker.loop, id, RecordKind::batch);
  if (!known || *known) co_return;
  const std::string name = announced_by(file);
  const auto announced = co_await keeper->find(x.worker.loop, name, RecordKind::batch);
  if (!announced || !*announced) co_return;
  // One of the same file that is older has been settled long ago.
  const int64_t made_ms = batch["created_at"].as_int64().value_or(0) * 1000;
  if (made_ms < (*announced)->created_ms - kClockSlackMs) co_return;
  const auto taken = co_await keeper->find(x.worker.loop, name, RecordKind::batch, /*take=*/true);
  if (!taken || !*taken) co_return;
  Record record = **taken;
  record.id = id;
  keeper->keep(std::move(record));
}

net::Task<void> settle_batch(Exchange& x, std::string id, json::Value batch) {
  if (x.route.dialect == Dialect::gemini) co_return co_await settle_gemini(x, id, batch);
  co_await adopt(x, id, batch);
  if (!has_ended(batch)) co_return;
  const std::string output = batch["output_file_id"].string_or("");
  if (has_usage(batch)) {
    const auto record = co_await claim(x, id);
    if (!record) co_return;
    write_row(x, *record,
              {{batch["model"].string_or(""), dialect::usage_of_openai(batch["usage"])}},
              /*complete=*/true);
  } else if (!output.empty()) {
    co_await link_results(x, id, output);
  }
}

}  // namespace

net::Task<void> announce_batch(Exchange& x, const provider::Deployment& next) {
  if (x.worker.keeper == nullptr || x.route.endpoint != "/batches" || !makes_batch(x)) co_return;
  const std::string file = input_file(x);
  if (file.empty()) co_return;
  if (x.batch_row == 0) x.batch_row = x.worker.ids.make(x.start_ms).value();
  x.worker.keeper->keep(record_of(x, announced_by(file), body_of(x, *next.account, x.batch_row)));
  // A store that fails stops no request: then this batch is remembered by its answer alone.
  static_cast<void>(co_await x.worker.keeper->flush(x.worker.loop));
}

void withdraw_batch(const Exchange& x) {
  if (x.batch_row != 0) x.worker.keeper->remove(announced_by(input_file(x)));
}

net::Task<void> watch_batch(Exchange& x, json::Value answer) {
  if (x.worker.keeper == nullptr || !is_batch_endpoint(x)) co_return;
  const bool gemini = x.route.dialect == Dialect::gemini;
  const std::string id = answer[gemini ? "name" : "id"].string_or("");
  if (!id.empty()) {
    // Some servers have ended it before they answer.
    if (makes_batch(x)) co_await remember(x, id);
    co_return co_await settle_batch(x, id, answer);
  }
  for (const json::Value batch : answer[gemini ? "operations" : "data"].elements()) {
    co_await settle_batch(x, batch[gemini ? "name" : "id"].string_or(""), batch);
  }
}

std::optional<std::string> localize_results_url(const Exchange& x, json::Value answer) {
  if (!x.route.endpoint.starts_with("/messages/batches")) return std::nullopt;
  std::vector<json::Edit> edits;
  const auto look = [&](json::Value batch) {
    const std::string url = batch["results_url"].string_or("");
    const size_t at = url.find("/messages/batches/");
    if (at == std::string::npos) return;
    edits.push_back(json::set_member(batch, "results_url", json::quoted("/v1" + url.substr(at))));
  };
  look(answer);
  for (const json::Value batch : answer["data"].elements()) look(batch);
  if (edits.empty()) return std::nullopt;
  return json::splice(answer.raw(), std::move(edits));
}

net::Task<std::unique_ptr<BatchResults>> BatchResults::open(Exchange& x) {
  state::Keeper* const keeper = x.worker.keeper;
  const std::string_view rest = x.route.rest;
  const std::string_view end = x.route.dialect == Dialect::gemini ? ":download" : "/content";
  const bool file = x.route.endpoint == "/files/*" && rest.ends_with(end);
  const bool results = x.route.endpoint == "/messages/batches/*" && rest.ends_with("/results");
  if (keeper == nullptr || (!file && !results) || x.client.head().method != "GET") {
    co_return nullptr;
  }
  std::string id;
  if (x.route.dialect == Dialect::gemini) {
    id = rest.substr(1, rest.size() - end.size() - 1);  // "files/abc", as Google names it
  } else {
    const size_t begin = rest.find('/', results ? std::string_view("/messages/").size() : 1) + 1;
    id = rest.substr(begin, rest.rfind('/') - begin);
  }
  auto record = co_await keeper->find(x.worker.loop, id, RecordKind::batch);
  if (!record || !*record) co_return nullptr;
  if (file) {
    json::Document link;
    if (!link.parse((*record)->body)) co_return nullptr;
    id = link.root()["batch"].string_or("");
  }
  co_return std::unique_ptr<BatchResults>(new BatchResults(x, std::move(id)));
}

void BatchResults::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    const size_t end = bytes.find('\n');
    const std::string_view piece = bytes.substr(0, end);
    if (!skipping_ && line_.size() + piece.size() > kLineBytesMax) {
      skipping_ = true;
      complete_ = false;
      line_.clear();
    }
    if (!skipping_) line_ += piece;
    if (end == std::string_view::npos) return;
    bytes.remove_prefix(end + 1);
    if (!skipping_) take(line_);
    skipping_ = false;
    line_.clear();
  }
}

void BatchResults::take(std::string_view line) {
  if (line.find_first_not_of(" \t\r") == std::string_view::npos) return;
  if (!document_.parse(line, {.unique_keys_levels = 0})) {
    complete_ = false;
    return;
  }
  const json::Value root = document_.root();
  if (const json::Value message = root["result"]["message"]; message.is_object()) {
    add(by_model_[message["model"].string_or("")], dialect::usage_of_anthropic(message["usage"]));
  } else if (const json::Value response = root["response"]; response["usageMetadata"].is_object()) {
    add(by_model_[gemini_model(response["modelVersion"], {})],
        dialect::usage_of_gemini_body(response));
  } else if (const json::Value body = response["body"]; body["usage"].is_object()) {
    add(by_model_[body["model"].string_or("")], dialect::usage_of_openai(body["usage"]));
  }
}

net::Task<void> BatchResults::settle() {
  if (!line_.empty() && !skipping_) take(line_);
  line_.clear();
  if (const auto record = co_await claim(x_, batch_)) write_row(x_, *record, by_model_, complete_);
}

}  // namespace weir::gateway
