// The routes of the admin API: one row each, with what its document says of it. A handler gets the
// parsed request and answers with a Reply; errors are Result errors and become
// {"error":{"code":...,"message":...}} with a fitting status.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "admin/backend.h"
#include "base/json/document.h"
#include "base/result.h"
#include "net/task.h"

namespace weir::admin {

struct Request {
  std::string_view method;
  std::string path_value;                    // what stood for {id} in the path
  std::map<std::string, std::string> query;  // decoded
  json::Value body;                          // missing where there was none
};

struct Reply {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
};

using RouteHandler = net::Task<Result<Reply>> (*)(Backend&, const Request&);

struct QueryParameter {
  std::string_view name;
  std::string_view doc;
};

struct Route {
  std::string_view method;
  std::string_view path;  // "/api/v1/keys/{id}"
  std::string_view summary;
  RouteHandler handler;
  std::vector<QueryParameter> query = {};
  // An example of the body, as JSON; empty: none is taken.
  std::string_view body_example = {};
};

// Every route, in the order of the document.
std::span<const Route> routes();

// api_requests.cc
net::Task<Result<Reply>> list_requests(Backend& backend, const Request& request);
net::Task<Result<Reply>> get_request(Backend& backend, const Request& request);
net::Task<Result<Reply>> list_usage(Backend& backend, const Request& request);
// api_overview.cc
net::Task<Result<Reply>> get_overview(Backend& backend, const Request& request);

// api_keys.cc
net::Task<Result<Reply>> list_budgets(Backend& backend, const Request& request);
net::Task<Result<Reply>> list_keys(Backend& backend, const Request& request);
net::Task<Result<Reply>> create_key(Backend& backend, const Request& request);
net::Task<Result<Reply>> rotate_key(Backend& backend, const Request& request);
net::Task<Result<Reply>> revoke_key(Backend& backend, const Request& request);
// api_system.cc
net::Task<Result<Reply>> get_status(Backend& backend, const Request& request);
net::Task<Result<Reply>> list_models(Backend& backend, const Request& request);
net::Task<Result<Reply>> post_reload(Backend& backend, const Request& request);
net::Task<Result<Reply>> get_document(Backend& backend, const Request& request);
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
