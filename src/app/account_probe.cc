#include "app/account_probe.h"

#include <fmt/format.h>

#include "base/json/document.h"
#include "dialect/translate.h"
#include "net/timer.h"
#include "provider/call.h"
#include "provider/failure.h"

namespace weir::app {
namespace {

constexpr size_t kAnswerBytesMax = 1 << 20;
constexpr size_t kModelsMax = 1000;

// The dialect in which a provider lists its models at /models; none: it has no such list there.
std::optional<dialect::Dialect> dialect_of_list(provider::Kind kind) {
  switch (kind) {
    case provider::Kind::openai:
    case provider::Kind::azure_openai:
    case provider::Kind::openai_compatible:
      return dialect::Dialect::openai_chat;
    case provider::Kind::anthropic:
      return dialect::Dialect::anthropic_messages;
    case provider::Kind::gemini:
      return dialect::Dialect::gemini;
    case provider::Kind::vertex_ai:
    case provider::Kind::bedrock:
      break;
  }
  return std::nullopt;
}

// {"data": [{"id": ...}]} or Gemini's {"models": [{"name": "models/..."}]}.
std::vector<std::string> models_in(std::string_view body) {
  std::vector<std::string> names;
  json::Document document;
  if (!document.parse(body)) return names;
  const json::Value root = document.root();
  for (const json::Value model : root["data"].elements()) {
    if (names.size() < kModelsMax) names.push_back(model["id"].string_or(""));
  }
  for (const json::Value model : root["models"].elements()) {
    std::string name = model["name"].string_or("");
    if (name.starts_with("models/")) name.erase(0, 7);
    if (names.size() < kModelsMax) names.push_back(std::move(name));
  }
  return names;
}

net::Task<Result<admin::AccountProbe>> ask(net::Loop& loop, http::Client& client,
                                           const provider::Deployment& deployment,
                                           dialect::Dialect spoken) {
  const provider::Account& account = *deployment.account;
  const provider::Provider& provider = provider::provider_of(account.kind);
  provider::Call call;
  call.operation = provider::Operation::passthrough;
  call.dialect = dialect::Dialect::passthrough;
  call.method = "GET";
  call.rest = "/models";
  http::HeaderMap fields;
  for (const auto& [name, value] : account.headers) fields.set(name, value);
  provider.headers(deployment, call, fields);
  WEIR_CO_CHECK_OK(provider.authenticate(account, fields));
  http::RequestBuilder head("GET", provider.target(deployment, call),
                            http::host_field(account.origin));
  for (size_t i = 0; i < fields.size(); ++i) head.header(fields[i].name, fields[i].value);
  const http::ClientRequest request{.head = head.text()};
  WEIR_CO_TRY(const auto exchange, co_await client.start(account.origin, request));
  net::Timer patience(loop, [&exchange] {
    exchange->cancel({ErrorCode::timeout, "the provider did not answer within 10 s"});
  });
  patience.arm(kProbeTimeout);
  WEIR_CO_TRY(const http::ResponseHead* answer, co_await exchange->response());
  admin::AccountProbe probe;
  probe.status = answer->status;
  std::string body;
  while (body.size() < kAnswerBytesMax) {
    WEIR_CO_TRY(const std::string_view piece, co_await exchange->read_body());
    if (piece.empty()) break;
    body += piece;
  }
  probe.ok = probe.status >= 200 && probe.status <= 299;
  if (probe.ok) {
    probe.models = models_in(body);
  } else {
    const auto error = dialect::read_error(spoken, probe.status, body, {});
    probe.failure =
        std::string(provider::to_string(provider::classify_answer(probe.status, error)));
    probe.detail = provider::without_secrets(error.message, account);
  }
  co_return probe;
}

}  // namespace

net::Task<admin::AccountProbe> probe_account(net::Loop& loop, http::Client& client,
                                             std::shared_ptr<const provider::Account> account) {
  const auto spoken = dialect_of_list(account->kind);
  if (!spoken) {
    co_return admin::AccountProbe{
        .ok = false,
        .status = 0,
        .failure = "unsupported",
        .detail = "this provider has no call that costs nothing; send a request to a model of it",
        .models = {},
        .took = Milliseconds{0}};
  }
  provider::Deployment deployment;
  deployment.account = account;
  const Nanoseconds begun = loop.now();
  auto probe = co_await ask(loop, client, deployment, *spoken);
  admin::AccountProbe told;
  if (probe) {
    told = std::move(*probe);
  } else {
    told.failure = std::string(provider::to_string(provider::classify_error(probe.error(), false)));
    told.detail = provider::without_secrets(std::string(probe.error().message()), *account);
  }
  told.took = std::chrono::duration_cast<Milliseconds>(loop.now() - begun);
  co_return told;
}

}  // namespace weir::app
