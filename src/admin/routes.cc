#include "admin/routes.h"

namespace weir::admin {
namespace {

const std::vector<Route>& table() {
  static const std::vector<Route> kRoutes = {
      {"GET", "/api/v1/status", "Version, configuration generation, and the ledger's health",
       get_status},
      {"GET", "/api/v1/models", "Models with their deployments: weight, health, in flight",
       list_models},
      {"GET",
       "/api/v1/overview",
       "Totals, series and percentiles of a range, as the console plots them",
       get_overview,
       {{"since", "Unix milliseconds, inclusive; an hour before `until` by default"},
        {"until", "Unix milliseconds, exclusive; now by default"},
        {"points", "steps at most, 1 to 400; 120 by default"},
        {"key", "only this key id"},
        {"team", "only this team"},
        {"model", "only this model"}}},
      {"GET",
       "/api/v1/requests",
       "Ledger rows, newest first",
       list_requests,
       {{"limit", "rows in the answer, 1 to 1000; 100 by default"},
        {"before", "rows older than this id: the `next` of the page before"},
        {"key", "only this key id"},
        {"team", "only this team"},
        {"project", "only this project"},
        {"model", "only this model"},
        {"deployment", "only this deployment"},
        {"provider", "only this provider"},
        {"user", "only this user, as the client named it"},
        {"endpoint", "only this path, such as /chat/completions"},
        {"dialect", "only this dialect of the client"},
        {"outcome", "ok, error, aborted, truncated or denied"},
        {"error_code", "only this error code"},
        {"took_ms", "only those that took at least so many milliseconds"},
        {"status_class", "2, 4 or 5"},
        {"since", "Unix milliseconds, inclusive"},
        {"until", "Unix milliseconds, exclusive"}}},
      {"GET", "/api/v1/requests/{id}", "One request, with its messages where they were captured",
       get_request},
      {"GET",
       "/api/v1/usage",
       "Requests, tokens and cost, summed from the rollups",
       list_usage,
       {{"by", "none, key, team, project, model, deployment, provider, hour or day"},
        {"then_by", "a second grouping, the same words"},
        {"key", "only this key id"},
        {"team", "only this team"},
        {"project", "only this project"},
        {"model", "only this model"},
        {"since", "Unix milliseconds, rounded down to an hour; the last 24 hours by default"},
        {"until", "Unix milliseconds, exclusive"}}},
      {"GET", "/api/v1/budgets", "Every budget in use: whose, its window, and what is spent of it",
       list_budgets},
      {"GET", "/api/v1/keys", "Virtual keys: those of the configuration and those made here",
       list_keys},
      {"POST",
       "/api/v1/keys",
       "Makes a virtual key; the answer holds it, this once",
       create_key,
       {},
       R"({"name":"search-prod","team":"search","project":"suggest","models":["gpt-4o"],"limits":{"rpm":600,"tpm":400000,"concurrency":50},"budgets":[{"usd":"50","per":"day"},{"usd":"400","per":"rolling","days":30,"hard":false}],"expires":"2027-01-01T00:00:00Z","capture":false,"tags":{"env":"prod"}})"},
      {"POST",
       "/api/v1/keys/{id}/rotate",
       "Gives the key a new secret; the old one is valid for overlap_s more",
       rotate_key,
       {},
       R"({"overlap_s":86400})"},
      {"DELETE", "/api/v1/keys/{id}", "Revokes a key at once and for good", revoke_key},
      {"POST", "/api/v1/reload", "Reads the configuration file again and swaps it in", post_reload},
      {"GET", "/api/v1/openapi.json", "This API's OpenAPI 3.1 document", get_document},
      {"GET", "/metrics", "Counters for Prometheus", get_metrics},
  };
  return kRoutes;
}

}  // namespace

std::span<const Route> routes() {
  return table();
}

}  // namespace weir::admin
