// The routes of the admin API: one row each, with what its document says of it. A handler gets the
// parsed request and answers with a Reply; errors are Result errors and become
// {"error":{"code":...,"message":...}} with a fitting status. Each row names the permission that a
// request needs; the server asks for it before the handler runs.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "admin/backend.h"
#include "base/json/document.h"
#include "base/json/writer.h"
#include "base/result.h"
#include "identity/people.h"
#include "net/task.h"

namespace weir::admin {

// What the audit log is told of a request beyond who, what and when. Never a secret.
struct AuditNote {
  bool record = false;  // also a request that changes nothing
  std::string actor;    // who signed in by this request
  std::string object;   // what stood for {id}, unless said otherwise
  std::string before;   // JSON
  std::string after;
};

struct Request {
  std::string_view method;
  std::string path_value;                    // what stood for {id} in the path
  std::map<std::string, std::string> query;  // decoded
  json::Value body;                          // missing where there was none
  identity::Actor actor;                     // who asks
  std::string address;                       // from where, without the port
  std::string cookie_name;                   // of sessions
  std::string oidc_cookie;                   // what the browser keeps of a sign-in elsewhere
  bool secure = false;                       // whether pages are read over HTTPS
  AuditNote* note = nullptr;                 // never null in a handler
};

struct Reply {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string file = {};  // sent in place of the body: the path of a file
};

Reply error_reply(int status, std::string_view code, std::string_view message);

using RouteHandler = net::Task<Result<Reply>> (*)(Backend&, const Request&);

struct QueryParameter {
  std::string_view name;
  std::string_view doc;
};

struct Route {
  std::string_view method;
  std::string_view path;  // "/api/v1/keys/{id}"
  identity::Permission permission;
  std::string_view summary;
  RouteHandler handler;
  std::vector<QueryParameter> query = {};
  // An example of the body, as JSON; empty: none is taken.
  std::string_view body_example = {};
  // Larger than of others, for uploads; 0: AdminServer::kBodyBytesMax.
  uint64_t body_bytes_max = 0;
};

// What was gone back to, or null.
void write_rollback(json::Writer& w, const std::optional<Rollback>& rollback);

// Every route, in the order of the document.
std::span<const Route> routes();

// api_requests.cc
net::Task<Result<Reply>> list_requests(Backend& backend, const Request& request);
net::Task<Result<Reply>> get_request(Backend& backend, const Request& request);
net::Task<Result<Reply>> list_usage(Backend& backend, const Request& request);
net::Task<Result<Reply>> list_tags(Backend& backend, const Request& request);
// api_overview.cc
net::Task<Result<Reply>> get_overview(Backend& backend, const Request& request);

// api_accounts.cc
net::Task<Result<Reply>> list_accounts(Backend& backend, const Request& request);
net::Task<Result<Reply>> create_account(Backend& backend, const Request& request);
net::Task<Result<Reply>> change_account(Backend& backend, const Request& request);
net::Task<Result<Reply>> remove_account(Backend& backend, const Request& request);
net::Task<Result<Reply>> test_account(Backend& backend, const Request& request);
net::Task<Result<Reply>> list_definitions(Backend& backend, const Request& request);
net::Task<Result<Reply>> create_model(Backend& backend, const Request& request);
net::Task<Result<Reply>> change_model(Backend& backend, const Request& request);
net::Task<Result<Reply>> remove_model(Backend& backend, const Request& request);
// api_keys.cc
net::Task<Result<Reply>> list_anomalies(Backend& backend, const Request& request);
net::Task<Result<Reply>> list_budgets(Backend& backend, const Request& request);
net::Task<Result<Reply>> list_keys(Backend& backend, const Request& request);
net::Task<Result<Reply>> create_key(Backend& backend, const Request& request);
net::Task<Result<Reply>> change_key(Backend& backend, const Request& request);
net::Task<Result<Reply>> rotate_key(Backend& backend, const Request& request);
net::Task<Result<Reply>> revoke_key(Backend& backend, const Request& request);
// api_people.cc
net::Task<Result<Reply>> get_sign_in(Backend& backend, const Request& request);
net::Task<Result<Reply>> post_sign_in(Backend& backend, const Request& request);
net::Task<Result<Reply>> post_sign_out(Backend& backend, const Request& request);
net::Task<Result<Reply>> get_me(Backend& backend, const Request& request);
net::Task<Result<Reply>> post_my_password(Backend& backend, const Request& request);
net::Task<Result<Reply>> list_roles(Backend& backend, const Request& request);
net::Task<Result<Reply>> list_users(Backend& backend, const Request& request);
net::Task<Result<Reply>> create_user(Backend& backend, const Request& request);
net::Task<Result<Reply>> change_user(Backend& backend, const Request& request);
net::Task<Result<Reply>> remove_user(Backend& backend, const Request& request);
net::Task<Result<Reply>> post_user_password(Backend& backend, const Request& request);
// api_oidc.cc
net::Task<Result<Reply>> get_oidc_start(Backend& backend, const Request& request);
net::Task<Result<Reply>> get_oidc_callback(Backend& backend, const Request& request);
// api_audit.cc
net::Task<Result<Reply>> list_audit(Backend& backend, const Request& request);
net::Task<Result<Reply>> get_audit_head(Backend& backend, const Request& request);
// api_tokens.cc
net::Task<Result<Reply>> list_my_tokens(Backend& backend, const Request& request);
net::Task<Result<Reply>> create_my_token(Backend& backend, const Request& request);
net::Task<Result<Reply>> revoke_my_token(Backend& backend, const Request& request);
net::Task<Result<Reply>> list_tokens(Backend& backend, const Request& request);
net::Task<Result<Reply>> create_user_token(Backend& backend, const Request& request);
net::Task<Result<Reply>> revoke_token(Backend& backend, const Request& request);
// api_system.cc
net::Task<Result<Reply>> get_status(Backend& backend, const Request& request);
net::Task<Result<Reply>> list_models(Backend& backend, const Request& request);
net::Task<Result<Reply>> post_reload(Backend& backend, const Request& request);
net::Task<Result<Reply>> get_document(Backend& backend, const Request& request);
// api_health.cc
net::Task<Result<Reply>> get_health(Backend& backend, const Request& request);
// api_drift.cc
net::Task<Result<Reply>> get_drift(Backend& backend, const Request& request);
// api_jobs.cc
net::Task<Result<Reply>> list_jobs(Backend& backend, const Request& request);
net::Task<Result<Reply>> create_job(Backend& backend, const Request& request);
net::Task<Result<Reply>> get_job(Backend& backend, const Request& request);
net::Task<Result<Reply>> cancel_job(Backend& backend, const Request& request);
net::Task<Result<Reply>> get_job_file(Backend& backend, const Request& request);
net::Task<Result<Reply>> remove_job(Backend& backend, const Request& request);
// api_settings.cc
net::Task<Result<Reply>> get_settings(Backend& backend, const Request& request);
net::Task<Result<Reply>> check_settings(Backend& backend, const Request& request);
net::Task<Result<Reply>> list_generations(Backend& backend, const Request& request);
net::Task<Result<Reply>> get_generation_diff(Backend& backend, const Request& request);
net::Task<Result<Reply>> post_rollback(Backend& backend, const Request& request);
// events.cc
net::Task<Result<Reply>> get_events(Backend& backend, const Request& request);
// api_traffic.cc
net::Task<Result<Reply>> get_traffic(Backend& backend, const Request& request);
net::Task<Result<Reply>> get_traffic_history(Backend& backend, const Request& request);
net::Task<Result<Reply>> post_traffic_pin(Backend& backend, const Request& request);
net::Task<Result<Reply>> post_traffic_drain(Backend& backend, const Request& request);
net::Task<Result<Reply>> post_traffic_unpin(Backend& backend, const Request& request);
net::Task<Result<Reply>> post_traffic_dry_run(Backend& backend, const Request& request);
// metrics.cc
net::Task<Result<Reply>> get_metrics(Backend& backend, const Request& request);

}  // namespace weir::admin
