#include "admin/reply_schema.h"

#include <algorithm>
#include <cctype>

#include "base/json/writer.h"

namespace weir::admin {

namespace {

constexpr NamedSchema kSchemas[] = {
    {"RolledBack", "{generation: text, since_ms: number}"},
    {"Status",
     "{version: text, address: text, started: text, config_generation: number, "
     "rolled_back: RolledBack?, "
     "ledger: {ok: bool, problem: text, rows_written: number, rows_spooled: number, "
     "rows_dropped: number}}"},
    {"Percentiles", "{p50: number, p95: number, p99: number, count: number}"},
    {"Overview",
     "{now_ms: number, since_ms: number, until_ms: number, step_ms: number, exact: bool, "
     "config_generation: number, ledger_ok: bool, ledger_problem: text, "
     "totals: {requests: number, errors: number, denied: number, input_tokens: number, "
     "output_tokens: number, cost_usd: text, total_us: Percentiles, ttft_us: Percentiles}, "
     "series: {requests: [number], errors: [number], denied: [number], input_tokens: [number], "
     "output_tokens: [number], cost_nano_usd: [number], total_p50_us: [number?], "
     "total_p95_us: [number?], total_p99_us: [number?], ttft_p50_us: [number?], "
     "ttft_p95_us: [number?], ttft_p99_us: [number?]}}"},
    {"Deployment",
     "{name: text, account: text, provider: text, model: text, priced_as: text, "
     "price_row: text, rates: any, weight: number, in_flight: number, open: bool, "
     "parked_by: text, parked_ms: number}"},
    {"Configured",
     "{name: text, source: text, definition: any, sealed_under: text, created: text?, "
     "changed: text?}"},
    {"Probe",
     "{ok: bool, status: number, failure: text, detail: text, models: [text], took_ms: number, "
     "request: text, input_tokens: number, output_tokens: number, cost_usd: text, cost_state: "
     "text}"},
    {"Model", "{name: text, fallbacks: [text], deployments: [Deployment]}"},
    {"DeploymentTraffic",
     "{name: text, priority: number, in_flight: number, parked_ms: number, weight: number, "
     "phase?: text, cause?: text, factors?: {base: number, health: number, warm_up: number, "
     "capacity: number, zone: number}, evidence?: number, latency_ratio?: number, "
     "held_back?: bool, quota_left?: number?, pinned?: Pin?}"},
    {"Pin", "{share: number, until: text}"},
    {"ModelTraffic",
     "{name: text, detector: text, dry_run: bool, deployments: [DeploymentTraffic]}"},
    {"WeightChange",
     "{number: number, time: text, model: text, deployment: text, from: number, to: number, "
     "dry_run: bool, reason: text, cause: text, sentence: text}"},
    {"Attempt",
     "{d?: text, why?: text, s?: number, e?: text, ms?: number, abort?: text, said?: text, "
     "lost_race?: bool, stale?: bool}"},
    {"Usage",
     "{input: number, cache_read: number, cache_write_5m: number, cache_write_1h: number, "
     "input_audio: number, input_image: number, output: number, output_audio: number, "
     "output_image: number, reasoning: number, tool_calls: number, service_tier: text}"},
    {"Row",
     "{id: text, time: text, start_ms: number, key: text, team: text, project: text, "
     "user: text, tags: {*: text}, dialect: text, endpoint: text, model_asked: text, model: text, "
     "deployment: text, account: text, provider: text, provider_model: text, "
     "attempts: [Attempt], status: number, outcome: text, error_code: text, streamed: bool, "
     "total_us: number, ttft_us: number, upstream_us: number, usage: Usage, cost_usd: text, "
     "cost_nano_usd: number, cost_state: text, list_cost_usd: text, price_row: text, "
     "rates: {*: number}, corrects: text, config_generation: number, "
     "bytes_in: number, bytes_out: number, captured: bool, capture?: Capture}"},
    {"Capture",
     "{request: text, request_content_type: text, request_bytes: number, response: text, "
     "response_content_type: text, response_bytes: number}"},
    {"Sums",
     "{group: text, then_group: text, requests: number, errors: number, aborted: number, "
     "denied: number, unpriced: number, estimated: number, input_tokens: number, "
     "cache_read_tokens: number, cache_write_tokens: number, output_tokens: number, "
     "reasoning_tokens: number, cost_usd: text, cost_nano_usd: number, total_us: number, "
     "ttft_us: number, ttft_count: number}"},
    {"Anomaly",
     "{type: text, created: text, kind: text, sentence: text, key_id: text, key: text, "
     "model: text, since: text, unit: text, now: text, usual: text, spent_usd: text, "
     "requests: number, errors: number}"},
    {"Budget", "{usd: text, per: text, days?: number, hard: bool}"},
    {"BudgetStanding",
     "{subject: text, usd: text, per: text, days?: number, hard: bool, spent_usd: text, "
     "reserved_usd: text}"},
    {"Key",
     "{id: text, name: text, masked: text, source: text, team: text, project: text, "
     "models: [text], capture: bool, capture_refused?: bool, addresses?: [text], "
     "endpoints?: [text], expires: text?, created?: text?, revoked?: text?, "
     "limits?: Limits, model_limits?: [ModelLimits], user_limits?: Limits, budgets?: [Budget], "
     "priority?: text?, owner?: text, tags?: {*: text}, key?: text}"},
    {"Limits", "{rpm: number?, tpm: number?, concurrency: number?}"},
    {"ModelLimits", "{model: text, rpm: number?, tpm: number?, concurrency: number?}"},
    {"User",
     "{id: text, name: text, kind: text, display: text, roles: [text], disabled: bool, "
     "password: bool, issuer: text, created: text?, signed_in: text?}"},
    {"Token",
     "{id: text, user: text, name: text, masked: text, roles: [text], created: text?, "
     "expires: text?, used: text?, revoked: text?, token?: text}"},
    {"Me",
     "{kind: text, name: text, user: User?, roles: [text], permissions: [text], csrf: text?, "
     "expires: text?}"},
    {"AuditRecord",
     "{number: number, time: text, actor: text, actor_kind: text, address: text, action: text, "
     "object: text, status: number, before?: any, after?: any}"},
    {"Job",
     "{id: text, kind: text, title: text, state: text, done: number, total: number, unit: text, "
     "created_ms: number, started_ms: number, ended_ms: number, by: text, result: any, "
     "error: text, file: bool, file_name: text}"},
    {"Setting",
     "{section: text, path: text, value: any, source: text, doc: text, secret: bool, "
     "restart: bool}"},
    {"SettingChange",
     "{path: text, before: any, after: any, change: text, secret: bool, restart: bool}"},
    {"SettingsProblem",
     "{severity: text, code: text, line: number, column: number, path: text, message: text}"},
    {"Generation",
     "{id: text, time_ms: number, by: text, why: text, changes: number, kept: bool, "
     "running: bool}"},
    {"DriftPart", "{kind: text, tokens: number, cost_usd: text}"},
    {"Drift",
     "{day: text, provider: text, model: text, provisional: bool, ledger_tokens: number, "
     "provider_tokens: number, ledger_cost_usd: text, provider_cost_usd: text, "
     "parts: [DriftPart], explained: bool, drift: bool, run: text, time_ms: number}"},
    {"ReconcileRun",
     "{id: text, time_ms: number, by: text, source: text, files: text, from: text, to: text, "
     "lines: number, left_out: {*: number}}"},
    {"HealthProblem", "{severity: text, what: text, message: text, todo: text, time_ms: number}"},
    {"HealthThread", "{name: text, count: number, ok: bool, state: text}"},
    {"HealthItem",
     "{name: text, kind: text, unit: text, length: number?, limit: number?, dropped: number}"},
    {"Health",
     "{ok: bool, problems: [HealthProblem], store: {writable: bool, problem: text, "
     "free_bytes: number, total_bytes: number, rows_written: number, rows_spooled: number, "
     "rows_dropped: number, rows_recovered: number, errors: number, last_commit_ms: number}, "
     "threads: [HealthThread], items: [HealthItem]}"},
    {"RoleRow", "{name: text, permissions: [text]}"},
    {"Error", "{error: {code: text, message: text}}"},
};

struct RouteReply {
  std::string_view method;
  std::string_view path;
  std::string_view notation;
};

constexpr RouteReply kReplies[] = {
    {"GET", "/api/v1/status", "Status"},
    {"GET", "/api/v1/health", "Health"},
    {"GET", "/api/v1/overview", "Overview"},
    {"GET", "/api/v1/models", "{models: [Model]}"},
    {"POST", "/api/v1/models", "Configured"},
    {"PATCH", "/api/v1/models/{id}", "Configured"},
    {"DELETE", "/api/v1/models/{id}", "{removed: bool}"},
    {"GET", "/api/v1/models/definitions", "{models: [Configured]}"},
    {"GET", "/api/v1/accounts", "{accounts: [Configured]}"},
    {"POST", "/api/v1/accounts", "Configured"},
    {"PATCH", "/api/v1/accounts/{id}", "Configured"},
    {"DELETE", "/api/v1/accounts/{id}", "{removed: bool}"},
    {"POST", "/api/v1/accounts/{id}/test", "Probe"},
    {"GET", "/api/v1/requests",
     "{requests: [Row], next: text?, partial: bool, searched_to_ms: number?}"},
    {"GET", "/api/v1/requests/{id}", "Row"},
    {"GET", "/api/v1/usage", "{usage: [Sums]}"},
    {"GET", "/api/v1/tags", "{tags: [text]}"},
    {"GET", "/api/v1/budgets", "{budgets: [BudgetStanding]}"},
    {"GET", "/api/v1/anomalies", "{anomalies: [Anomaly], learning_hours: number}"},
    {"GET", "/api/v1/keys", "{keys: [Key]}"},
    {"POST", "/api/v1/keys", "Key"},
    {"PATCH", "/api/v1/keys/{id}", "Key"},
    {"POST", "/api/v1/keys/{id}/rotate", "Key"},
    {"DELETE", "/api/v1/keys/{id}", "{revoked: bool}"},
    {"GET", "/api/v1/sign_in", "{open: bool, password: bool, token: bool, oidc: bool}"},
    {"POST", "/api/v1/sign_in", "Me"},
    {"POST", "/api/v1/sign_out", "{ok: bool}"},
    {"GET", "/api/v1/me", "Me"},
    {"POST", "/api/v1/me/password", "{ok: bool}"},
    {"GET", "/api/v1/me/tokens", "{tokens: [Token]}"},
    {"POST", "/api/v1/me/tokens", "Token"},
    {"DELETE", "/api/v1/me/tokens/{id}", "{revoked: bool}"},
    {"GET", "/api/v1/audit", "{records: [AuditRecord], next: number?}"},
    {"GET", "/api/v1/audit/head",
     "{number: number, hash: text, signature: text, anchor: text, public_key: text}"},
    {"GET", "/api/v1/roles", "{roles: [RoleRow], permissions: [{name: text, doc: text}]}"},
    {"GET", "/api/v1/users", "{users: [User]}"},
    {"POST", "/api/v1/users", "User"},
    {"PATCH", "/api/v1/users/{id}", "User"},
    {"DELETE", "/api/v1/users/{id}", "{removed: bool}"},
    {"POST", "/api/v1/users/{id}/password", "{ok: bool}"},
    {"POST", "/api/v1/users/{id}/tokens", "Token"},
    {"GET", "/api/v1/tokens", "{tokens: [Token]}"},
    {"DELETE", "/api/v1/tokens/{id}", "{revoked: bool}"},
    {"GET", "/api/v1/traffic",
     "{models: [ModelTraffic], counters: {seconds: number, cuts: number, recoveries: number, "
     "cuts_denied: number, panics: number}}"},
    {"GET", "/api/v1/traffic/history", "{changes: [WeightChange], next: number}"},
    {"POST", "/api/v1/traffic/pin", "{ok: bool}"},
    {"POST", "/api/v1/traffic/drain", "{ok: bool}"},
    {"POST", "/api/v1/traffic/unpin", "{ok: bool}"},
    {"POST", "/api/v1/traffic/dry_run", "{ok: bool}"},
    {"GET", "/api/v1/drift",
     "{items: [Drift], truncated: bool, ledger_cost_usd: text, provider_cost_usd: text, "
     "sums: [DriftPart], runs: [ReconcileRun]}"},
    {"GET", "/api/v1/jobs", "{items: [Job]}"},
    {"POST", "/api/v1/jobs", "Job"},
    {"GET", "/api/v1/jobs/{id}", "Job"},
    {"DELETE", "/api/v1/jobs/{id}", "{removed: bool}"},
    {"POST", "/api/v1/jobs/{id}/cancel", "Job"},
    {"GET", "/api/v1/settings", "{file: text, items: [Setting], truncated: bool}"},
    {"POST", "/api/v1/settings/check",
     "{ok: bool, problems: [SettingsProblem], changes: [SettingChange], truncated: bool}"},
    {"GET", "/api/v1/generations", "{items: [Generation], rolled_back: RolledBack?}"},
    {"GET", "/api/v1/generations/{id}/diff", "{changes: [SettingChange]}"},
    {"POST", "/api/v1/generations/{id}/rollback", "{config_generation: number}"},
    {"POST", "/api/v1/reload", "{config_generation: number}"},
};

// Reads a notation and writes its schema.
class Notation {
 public:
  Notation(std::string_view text, json::Writer& w) : rest_(text), w_(w) {}

  bool all() { return type() && (space(), rest_.empty()); }

 private:
  void space() {
    while (!rest_.empty() && rest_.front() == ' ') rest_.remove_prefix(1);
  }
  bool take(char c) {
    space();
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  std::string_view word() {
    space();
    const auto* end = std::ranges::find_if_not(
        rest_, [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; });
    const std::string_view found = rest_.substr(0, static_cast<size_t>(end - rest_.begin()));
    rest_.remove_prefix(found.size());
    return found;
  }

  bool type() {
    const std::string_view before = rest_;
    std::string inner;
    json::Writer w(inner);
    w.begin_object();
    if (!Notation(rest_, w).base(rest_)) {
      rest_ = before;
      return false;
    }
    w.end_object();
    if (!take('?')) {
      w_.raw(inner);
      return true;
    }
    w_.begin_object().key("anyOf").begin_array().raw(inner).raw(R"({"type":"null"})");
    w_.end_array().end_object();
    return true;
  }

  // The members of a schema, into a writer that is inside of its object. `rest` is moved on.
  bool base(std::string_view& rest) {
    const bool good = base_members();
    rest = rest_;
    return good;
  }

  bool base_members() {
    if (take('[')) {
      w_.member("type", "array").key("items");
      return type() && take(']');
    }
    if (take('{')) return object();
    const std::string_view name = word();
    if (name.empty()) return false;
    if (name == "any") return true;
    if (name == "text" || name == "number" || name == "bool") {
      w_.member("type", name == "text" ? "string" : name == "bool" ? "boolean" : "number");
      return true;
    }
    if (std::ranges::none_of(kSchemas, [&](const auto& schema) { return schema.name == name; })) {
      return false;
    }
    w_.member("$ref", "#/components/schemas/" + std::string(name));
    return true;
  }

  bool object() {
    w_.member("type", "object");
    if (take('*')) {
      w_.key("additionalProperties");
      return take(':') && type() && take('}');
    }
    std::string required;
    json::Writer names(required);
    names.begin_array();
    w_.key("properties").begin_object();
    do {
      const std::string_view name = word();
      if (name.empty()) return false;
      if (!take('?')) names.string(name);
      w_.key(name);
      if (!take(':') || !type()) return false;
    } while (take(','));
    w_.end_object().member_raw("required", (names.end_array(), required));
    return take('}');
  }

  std::string_view rest_;
  json::Writer& w_;
};

}  // namespace

std::span<const NamedSchema> schemas() {
  return kSchemas;
}

std::string_view reply_notation(const Route& route) {
  for (const RouteReply& reply : kReplies) {
    if (reply.method == route.method && reply.path == route.path) return reply.notation;
  }
  return {};
}

std::optional<std::string> schema_of(std::string_view notation) {
  std::string out;
  json::Writer w(out);
  if (!Notation(notation, w).all()) return std::nullopt;
  return out;
}

}  // namespace weir::admin
