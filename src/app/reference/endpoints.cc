// docs/reference/endpoints.md: the gateway's routes, and how each kind of account serves them, by
// asking the providers' own functions.
#include <fmt/format.h>

#include <memory>
#include <vector>

#include "app/reference/pages.h"
#include "dialect/translate.h"
#include "gateway/embed.h"
#include "gateway/route.h"
#include "provider/call.h"

namespace weir::app {
namespace {

using dialect::Dialect;
using provider::Operation;

struct Column {
  std::string_view title;
  provider::Kind kind;
  std::string_view model;
  std::optional<Dialect> dialect = std::nullopt;
  // Where it takes models of their own to embed and to rerank.
  std::string_view embedding_model = {};
  std::string_view reranking_model = {};
};
constexpr Column kColumns[] = {
    {"openai", provider::Kind::openai, "gpt"},
    {"openai_compatible", provider::Kind::openai_compatible, "gpt"},
    {"azure_openai", provider::Kind::azure_openai, "gpt"},
    {"azure_openai, Claude", provider::Kind::azure_openai, "claude", Dialect::anthropic_messages},
    {"anthropic", provider::Kind::anthropic, "claude"},
    {"gemini", provider::Kind::gemini, "gemini"},
    {"vertex_ai, Gemini", provider::Kind::vertex_ai, "gemini"},
    {"vertex_ai, Claude", provider::Kind::vertex_ai, "claude"},
    {"bedrock", provider::Kind::bedrock, "amazon.nova", std::nullopt, "amazon.titan-embed-text",
     "cohere.rerank"},
    {"bedrock, Claude", provider::Kind::bedrock, "anthropic.claude"},
};

provider::Deployment deployment_of(const Column& column) {
  auto account = std::make_shared<provider::Account>();
  account->kind = column.kind;
  provider::Deployment deployment;
  deployment.model = column.model;
  deployment.dialect = column.dialect;
  deployment.account = std::move(account);
  return deployment;
}

std::string_view served(const gateway::EndpointRow& row, const Column& column) {
  provider::Deployment deployment = deployment_of(column);
  if (row.operation == Operation::embed && !column.embedding_model.empty()) {
    deployment.model = column.embedding_model;
  }
  if (row.operation == Operation::rerank && !column.reranking_model.empty()) {
    deployment.model = column.reranking_model;
  }
  const auto spoken = provider::spoken(deployment, row.operation, row.dialect);
  if (!spoken) return row.operation == Operation::count_tokens ? "estimated" : "";
  if (row.operation == Operation::embed) {
    gateway::Route route;
    route.dialect = row.dialect;
    const size_t colon = row.path.rfind(':');
    if (colon != std::string::npos) route.rest = std::string_view(row.path).substr(colon);
    return gateway::client_embeddings_api(route) ==
                   gateway::provider_embeddings_api(route, deployment)
               ? "relayed"
               : "translated";
  }
  const Dialect dialect = spoken->dialect;
  return dialect == row.dialect || dialect == Dialect::passthrough ? "relayed" : "translated";
}

constexpr std::string_view kIntroduction =
    R"(At `server.listen`, by default `http://127.0.0.1:8080`. The paths are the ones that the vendors' SDKs
build: [clients](../clients.md) says what to set in each. A request goes to a deployment of the model
that it names, if its account's provider has the endpoint:

- **relayed**: the provider gets the client's bytes with its own name of the model, and the client the
  provider's. Unknown fields survive.
- **translated**: the provider speaks another API. [dialects.md](../dialects.md) says what happens to
  what the two do not share.
- **estimated**: the provider cannot be asked; Weir answers its own estimate and says
  `x-weir-estimated: true`.
- empty: deployments of that kind are passed over. Where a model has no other, the client gets 400
  `unsupported_operation`.

)";

constexpr std::string_view kRest = R"(
`*` stands for one or more characters. Paths that name no model in path or body (`/v1/files`,
`/v1/batches`, `/v1/responses/…`) go by the header `x-weir-model`, and without it to the first model
that the key may use and whose account has the endpoint. Requests whose body names no `user` may by
the header `x-weir-user`, which goes no further than the ledger. `/v1/realtime` is a WebSocket and names its
model in the query.

Other prefixes of the same paths: `/openai/v1/…`, `/openai/…` and
`/openai/deployments/{model}/…?api-version=…` for those below `/v1` that are OpenAI's; `/v1alpha/…` and
`/v1/…` for `/v1beta/…`; `/v2/rerank` for `/v1/rerank`.

## Headers of a request

| header | |
|---|---|
| `x-weir-model` | the model, where path and body name none |
| `x-weir-user` | the end user, in place of `user` or `metadata.user_id` in the body: for limits of users and the ledger |
| `x-weir-priority` | `high`, `normal` or `low`: lowers the key's priority for this request; what is higher, or anything else, is passed over |

None of them is sent on to a provider.

## Answered by Weir

| request | answer |
|---|---|
| `GET /v1/models`, `GET /v1/models/{model}` | the models that the key may use, in OpenAI's form; with the header `anthropic-version` in Anthropic's |
| `GET /v1beta/models`, `GET /v1beta/models/{model}` | the same in Gemini's form; at `/v1/models` too for requests with a header of Google's SDKs |
| `GET /healthz` | 200 while the process lives; asks for no key |
| `GET /readyz` | 200 while it serves, 503 once it drains; asks for no key |

## Headers of an answer

| header | holds |
|---|---|
| `x-weir-request-id` | the id of the ledger's row: `GET /api/v1/requests/{id}` at the admin address. Also as `x-request-id`, or `request-id` for Anthropic's clients, unless the provider sent one |
| `x-weir-model` | the model that answered: the one that was asked for, or a fallback |
| `x-weir-deployment` | `account/model` of the last attempt |
| `x-weir-attempts` | how many were made |
| `x-weir-config` | generation of the configuration that served it |
| `x-weir-cost-usd` | cost of a whole answer with reported usage and a price. A stream's cost is known after its head: it is in the ledger |
| `x-weir-dropped` | what translation could not express, by path |
| `x-weir-estimated` | `true` on a token count that Weir estimated |
| `x-ratelimit-{limit,remaining,reset}-{requests,tokens}` | the key's or team's limits, where there are some; `anthropic-ratelimit-{requests,tokens}-{limit,remaining,reset}` for Anthropic's clients |
| `retry-after`, `retry-after-ms` | on errors after which waiting helps |
)";

}  // namespace

std::string endpoints_page() {
  std::string out =
      "# Endpoints\n\n<!-- Printed by `weir reference endpoints`. Do not edit: run\n"
      "     `weir reference endpoints > docs/reference/endpoints.md`. -->\n\n";
  out += kIntroduction;
  out += "| request | dialect |";
  for (const Column& column : kColumns) out += fmt::format(" {} |", column.title);
  out += "\n|---|---|";
  for (size_t i = 0; i < std::size(kColumns); ++i) out += "---|";
  out += "\n";
  for (const gateway::EndpointRow& row : gateway::endpoints()) {
    out +=
        fmt::format("| `{} {}` | {} |", row.method, row.path,
                    row.dialect == Dialect::passthrough ? "any" : dialect::to_string(row.dialect));
    for (const Column& column : kColumns) out += fmt::format(" {} |", served(row, column));
    out += "\n";
  }
  out += kRest;
  return out;
}

}  // namespace weir::app
