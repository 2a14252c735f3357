// Amazon Bedrock: Converse for every model, InvokeModel for Claude, whose own dialect Anthropic's
// clients speak, and for models that embed; the agents' runtime to rerank. Requests are signed
// (SigV4) or carry a Bedrock API key.
// https://docs.aws.amazon.com/bedrock/latest/APIReference/API_Operations_Amazon_Bedrock_Runtime.html
#include <algorithm>
#include <array>

#include "base/date.h"
#include "base/encoding.h"
#include "base/json/writer.h"
#include "base/text.h"
#include "dialect/embeddings.h"
#include "http/sigv4.h"
#include "provider/call.h"

namespace weir::provider {
namespace {

using dialect::Dialect;

constexpr std::string_view kAnthropicVersion = "bedrock-2023-05-31";
constexpr std::string_view kFrames = "application/vnd.amazon.eventstream";

// Betas that Bedrock knows; it answers 400 to a flag that it does not, and Anthropic's clients send
// flags of features that exist at Anthropic alone. An account's own anthropic-beta header adds
// more. From docs.aws.amazon.com/bedrock/latest/userguide, "Anthropic Claude Messages API", and
// what LiteLLM forwards there (anthropic_beta_headers_config.json, 2026-11).
constexpr auto kBetas = std::to_array<std::string_view>({
    "computer-use-2024-10-22",
    "computer-use-2025-01-24",
    "computer-use-2025-11-24",
    "token-efficient-tools-2025-02-19",
    "interleaved-thinking-2025-05-14",
    "output-128k-2025-02-19",
    "dev-full-thinking-2025-05-14",
    "context-1m-2025-08-07",
    "context-management-2025-06-27",
    "effort-2025-11-24",
    "tool-search-tool-2025-10-19",
    "tool-examples-2025-10-29",
    "compact-2026-01-12",
    "fine-grained-tool-streaming-2025-05-14",
    "mid-conversation-output-config-2026-07-01",
    "mid-conversation-tool-changes-2026-07-01",
    "thinking-binding-controls-2026-08-01",
    "thinking-display-updates-2026-08-18",
    "dangerous-tool-use-2026-09-03",
});
// What Anthropic calls one beta, Amazon has under another name.
constexpr std::string_view kToolUse = "advanced-tool-use-2025-11-20";
constexpr std::string_view kToolSearch = "tool-search-tool-2025-10-19";

bool is_claude(const Deployment& deployment) {
  return deployment.model.find("claude") != std::string::npos ||
         deployment.base_model.find("claude") != std::string::npos;
}

bool embeds(const Deployment& deployment) {
  return dialect::bedrock_embeddings_api(deployment.base_model) ||
         dialect::bedrock_embeddings_api(deployment.model);
}

// By InvokeModel the form of Cohere's models alone is known.
bool reranks(const Deployment& deployment) {
  const std::string_view part =
      bedrock_has_agent_runtime(*deployment.account) ? "rerank" : "cohere.rerank";
  return deployment.model.find(part) != std::string::npos ||
         deployment.base_model.find(part) != std::string::npos;
}

// Claude is invoked in its own dialect unless the deployment says otherwise, everything else
// converses.
Dialect spoken(const Deployment& deployment) {
  if (deployment.dialect) return *deployment.dialect;
  return is_claude(deployment) ? Dialect::anthropic_messages : Dialect::bedrock_converse;
}

std::optional<Dialect> dialect_of(const Deployment& deployment, Operation operation,
                                  Dialect client) {
  switch (operation) {
    case Operation::generate:
      return spoken(deployment);
    case Operation::count_tokens:
      // Counts are relayed and never translated: for other clients Weir estimates.
      if (client == Dialect::anthropic_messages && is_claude(deployment)) return client;
      return std::nullopt;
    case Operation::embed:
      // In forms of Amazon's own (dialect/embeddings_bedrock.h), with Amazon's errors.
      if (embeds(deployment)) return Dialect::bedrock_converse;
      return std::nullopt;
    case Operation::rerank:
      if (reranks(deployment)) return Dialect::bedrock_converse;
      return std::nullopt;
    case Operation::complete:
    case Operation::respond:
    case Operation::passthrough:
      return std::nullopt;
  }
  return std::nullopt;
}

// Tokens are counted by the model itself, not by a profile of regions: "us.anthropic.claude-..."
// and ARNs are told by what stands behind them.
std::string_view counted_model(const Deployment& deployment) {
  std::string_view model = deployment.model;
  if (model.starts_with("arn:")) model = deployment.base_model;
  const size_t at = model.find("anthropic.");
  return at == std::string_view::npos ? model : model.substr(at);
}

std::string target(const Deployment& deployment, const Call& call) {
  const std::string base = deployment.account->base_path + "/model/";
  if (call.operation == Operation::count_tokens) {
    return base + percent_encode(counted_model(deployment)) + "/count-tokens";
  }
  const bool rerank = call.operation == Operation::rerank;
  if (rerank && bedrock_has_agent_runtime(*deployment.account)) {
    return deployment.account->base_path + "/rerank";
  }
  const std::string path = base + percent_encode(deployment.model);
  if (call.operation == Operation::embed || rerank) return path + "/invoke";
  if (call.dialect == Dialect::bedrock_converse) {
    return path + (call.stream ? "/converse-stream" : "/converse");
  }
  return path + (call.stream ? "/invoke-with-response-stream" : "/invoke");
}

// The agents' runtime has a host of its own beside the models'; behind an endpoint of the account's
// own choice it is expected there.
http::Origin origin(const Deployment& deployment, const Call& call) {
  constexpr std::string_view kRuntime = "bedrock-runtime";
  http::Origin out = deployment.account->origin;
  if (call.operation == Operation::rerank && bedrock_has_agent_runtime(*deployment.account) &&
      out.host.starts_with(kRuntime)) {
    out.host.replace(0, kRuntime.size(), "bedrock-agent-runtime");
  }
  return out;
}

Result<void> authenticate(const Account& account, http::HeaderMap& headers) {
  if (account.auth == AuthKind::aws_signature) return {};  // sign() does it, over all the rest
  return authenticate_bearer(account, headers);
}

Result<void> sign(const Account& account, const Outbound& request, http::HeaderMap& headers) {
  if (account.auth != AuthKind::aws_signature) return {};
  return http::sign_v4({.method = request.method,
                        .host = request.host,
                        .target = request.target,
                        .body = request.body,
                        .region = account.location,
                        .service = "bedrock",
                        .wall_ms = request.wall_ms},
                       account.aws, headers);
}

void add_headers(const Deployment&, const Call& call, http::HeaderMap& headers) {
  const bool frames = call.stream && call.dialect == Dialect::bedrock_converse;
  headers.set("accept", frames ? kFrames : "application/json");
  // It travels in the body.
  headers.erase("anthropic-beta");
}

void add_beta(std::vector<std::string>& betas, std::string_view beta) {
  if (beta.empty() || std::find(betas.begin(), betas.end(), beta) != betas.end()) return;
  betas.emplace_back(beta);
}

std::vector<std::string> betas_of(const Deployment& deployment, const Call& call,
                                  json::Value body) {
  std::vector<std::string> betas;
  for (const json::Value beta : body["anthropic_beta"].elements()) {
    add_beta(betas, beta.string_or(""));
  }
  for (const auto& [name, value] : deployment.account->headers) {
    if (!http::iequals(name, "anthropic-beta")) continue;
    for (const std::string_view beta : split(value, ',')) add_beta(betas, trim(beta));
  }
  if (call.client_headers == nullptr) return betas;
  for (const http::Header& header : *call.client_headers) {
    if (!http::iequals(header.name, "anthropic-beta")) continue;
    for (const std::string_view part : split(header.value, ',')) {
      const std::string_view beta = trim(part);
      if (beta == kToolUse) add_beta(betas, kToolSearch);
      if (std::find(kBetas.begin(), kBetas.end(), beta) != kBetas.end()) add_beta(betas, beta);
    }
  }
  return betas;
}

// Claude Code opens its instructions with a block for Anthropic's accounting, which changes from
// call to call; Amazon answers 400 to it.
void leave_out_billing_block(BodyEdit& body) {
  constexpr std::string_view kMark = "x-anthropic-billing-header:";
  const json::Value system = body.root["system"];
  std::string kept = "[";
  bool found = false;
  for (const json::Value block : system.elements()) {
    const auto text = block["text"].as_plain_string();
    if (text && text->starts_with(kMark)) {
      found = true;
      continue;
    }
    if (kept.size() > 1) kept.push_back(',');
    kept.append(block.raw());
  }
  if (!found) return;
  if (kept.size() == 1) {
    body.members.remove("system");
    return;
  }
  body.members.set("system", kept + "]");
}

void edit(const Deployment& deployment, const Call& call, BodyEdit& body) {
  if (call.dialect != Dialect::anthropic_messages) return;
  leave_out_billing_block(body);
  // The path says the model and whether it streams; Anthropic's service tiers are not Amazon's.
  body.members.remove("model").remove("stream").remove("service_tier");
  if (!body.root["anthropic_version"].exists()) {
    body.members.set("anthropic_version", json::quoted(kAnthropicVersion));
  }
  if (call.operation == Operation::count_tokens && !body.root["max_tokens"].exists()) {
    body.members.set("max_tokens", "1");  // a whole InvokeModel body is counted, and has one
  }
  const std::vector<std::string> betas = betas_of(deployment, call, body.root);
  if (betas.empty()) return;
  std::string list;
  json::Writer w(list);
  w.begin_array();
  for (const std::string& beta : betas) w.string(beta);
  w.end_array();
  body.members.set("anthropic_beta", list);
}

std::string wrap(const Call& call, std::span<const std::string_view> body) {
  if (call.operation != Operation::count_tokens) return {};
  std::string whole;
  for (const std::string_view piece : body) whole += piece;
  return R"({"input":{"invokeModel":{"body":")" + base64_encode(whole) + R"("}}})";
}

std::string unwrap(const Call& call, json::Value answer) {
  const auto count = answer["inputTokens"].as_int64();
  if (call.operation != Operation::count_tokens || !count) return {};
  return R"({"input_tokens":)" + std::to_string(*count) + "}";
}

}  // namespace

// docs.aws.amazon.com/bedrock/latest/userguide/api-keys.html
bool bedrock_has_agent_runtime(const Account& account) {
  return account.auth == AuthKind::aws_signature;
}

std::string bedrock_model_arn(const Deployment& deployment) {
  if (deployment.model.starts_with("arn:")) return deployment.model;
  const std::string& region = deployment.account->location;
  const std::string_view partition = region.starts_with("cn-")       ? "aws-cn"
                                     : region.starts_with("us-gov-") ? "aws-us-gov"
                                                                     : "aws";
  std::string arn("arn:");
  arn.append(partition).append(":bedrock:").append(region).append("::foundation-model/");
  return arn + deployment.model;
}

const Provider kBedrock{.dialect = dialect_of,
                        .target = target,
                        .authenticate = authenticate,
                        .headers = add_headers,
                        .edit = edit,
                        .sign = sign,
                        .wrap = wrap,
                        .unwrap = unwrap,
                        .origin = origin,
                        .own_errors = true};

}  // namespace weir::provider
