// The first half of a call: reading, identifying, deciding. What is answered is in call_answer.cc.
#include "sim/call_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/encoding.h"
#include "dialect/errors.h"
#include "http/sigv4.h"
#include "sim/completions.h"
#include "sim/control.h"
#include "sim/responses.h"
#include "sim/words.h"

namespace weir::sim {
namespace {

using dialect::ApiError;
using dialect::ApiErrorType;
using dialect::Dialect;

// Kept in the record of a call, without secrets.
constexpr std::array<std::string_view, 16> kHeadersKept = {"user-agent",
                                                           "content-type",
                                                           "accept",
                                                           "accept-encoding",
                                                           "anthropic-version",
                                                           "anthropic-beta",
                                                           "openai-beta",
                                                           "openai-organization",
                                                           "openai-project",
                                                           "x-stainless-lang",
                                                           "traceparent",
                                                           "idempotency-key",
                                                           "x-request-id",
                                                           "x-goog-user-project",
                                                           "x-client-request-id",
                                                           "host"};

ApiError error_of(ApiErrorType type, std::string message, std::string code = {}) {
  ApiError error;
  error.type = type;
  error.status = dialect::status_of_error_type(type);
  error.message = std::move(message);
  error.code = std::move(code);
  return error;
}

bool has_conversation(Endpoint endpoint) {
  switch (endpoint) {
    case Endpoint::chat:
    case Endpoint::completions:
    case Endpoint::responses:
    case Endpoint::messages:
    case Endpoint::count_tokens:
    case Endpoint::generate:
    case Endpoint::converse:
    case Endpoint::gemini_count_tokens:
      return true;
    default:
      return false;
  }
}

bool has_json(Endpoint endpoint) {
  switch (endpoint) {
    case Endpoint::unknown:
    case Endpoint::models:
    case Endpoint::transcriptions:
    case Endpoint::files:
    case Endpoint::batches:
    case Endpoint::entra_token:
    case Endpoint::google_token:
    case Endpoint::control:
      return false;
    default:
      return true;
  }
}

}  // namespace

CallRun::CallRun(Simulator::Impl& sim, http::ServerExchange& exchange)
    : sim_(sim), exchange_(exchange) {
  const http::RequestHead& head = exchange.head();
  route_ = find_route(head.path, head.query);
  call_.id = route_.endpoint == Endpoint::control ? 0 : sim_.next_call++;
  call_.started_ms = sim_.wall_ms();
  call_.endpoint = route_.endpoint;
  call_.dialect = route_.dialect;
  call_.method = std::string(head.method);
  call_.path = std::string(head.path);
  call_.stream = route_.stream;
  call_.model = route_.model;
  if (const WireStream* wire = sim_.wires.find(exchange.peer())) call_.peer = wire->real_peer();
  for (const std::string_view name : kHeadersKept) {
    if (const auto value = head.headers.find(name)) call_.headers.emplace_back(name, *value);
  }
}

CallRun::~CallRun() {
  if (call_.id > 0) settle();
}

void CallRun::settle() {
  call_.ended_ms = sim_.wall_ms();
  const bool complete = sender_ && sender_->complete();
  const bool broken = sender_ && sender_->broken();
  if (complete && !broken && call_.status < 400) {
    call_.outcome = Outcome::whole;
  } else {
    call_.outcome = complete || broken ? Outcome::failed : Outcome::aborted;
  }
  sim_.calls.add(std::move(call_));
}

net::Task<bool> CallRun::read_body() {
  if (const auto length = exchange_.content_length()) {
    body_.reserve(static_cast<size_t>(std::min<uint64_t>(*length, uint64_t{1} << 20)));
  }
  while (true) {
    auto piece = co_await exchange_.read_body();
    if (!piece) {
      if (piece.error().code() != ErrorCode::limit_exceeded) co_return false;
      co_await send_error(error_of(ApiErrorType::too_large, "the request body is too large"));
      co_return false;
    }
    if (piece->empty()) break;
    body_.append(*piece);
  }
  call_.request_bytes = body_.size();
  call_.request = body_.substr(0, sim_.config.request_bytes_kept);
  co_return true;
}

void CallRun::find_key() {
  const http::HeaderList& headers = exchange_.head().headers;
  constexpr std::string_view kBearer = "Bearer ";
  for (const std::string_view name : {"x-api-key", "api-key", "x-goog-api-key"}) {
    if (const auto value = headers.find(name)) key_ = std::string(*value);
  }
  if (const auto value = headers.find("authorization"); key_.empty() && value) {
    bearer_ = starts_with_ignore_case(*value, kBearer);
    key_ = std::string(bearer_ ? value->substr(kBearer.size()) : *value);
  }
  if (key_.empty()) key_ = query_value(exchange_.head().query, "key");
  if (key_.empty()) return;
  call_.key_hash = fmt::format("{:016x}", hash_text(key_));
  call_.key_last4 = key_.substr(key_.size() - std::min<size_t>(4, key_.size()));
}

void CallRun::identify() {
  find_key();
  // A key in the query is a secret; the rest of the query is worth keeping.
  if (query_value(exchange_.head().query, "key").empty()) {
    call_.query = std::string(exchange_.head().query);
  }
  const json::Value root = document_.root();
  const json::Value model = root["model"];
  if (route_.model.empty() && model.is_string()) call_.model = model.string_or("");
  if (route_.flavor == Flavor::bedrock && route_.endpoint == Endpoint::rerank &&
      route_.model.empty()) {
    call_.model = bedrock_rerank_model(root);
  }
  if (route_.endpoint == Endpoint::transcriptions) call_.model = form_field(body_, "model");
  if (root["stream"].as_bool().value_or(false)) call_.stream = true;
}

// CountTokens wraps the body that InvokeModel would get.
std::optional<ApiError> CallRun::unwrap() {
  const auto body = base64_decode(document_.root()["input"]["invokeModel"]["body"].string_or(""));
  if (!body || body->empty()) {
    return error_of(ApiErrorType::invalid_request, "input.invokeModel.body: expected base64");
  }
  body_ = *body;
  if (document_.parse(body_) && document_.root().is_object()) return std::nullopt;
  return error_of(ApiErrorType::invalid_request, "input.invokeModel.body: expected JSON");
}

std::optional<ApiError> CallRun::parse() {
  const bool posted = exchange_.head().method == "POST";
  if (!has_json(route_.endpoint) || !posted) return std::nullopt;
  if (const auto parsed = document_.parse(body_); !parsed) {
    return error_of(ApiErrorType::invalid_request,
                    fmt::format("We could not parse the JSON body of your request: {}",
                                parsed.error().message()));
  }
  if (!document_.root().is_object()) {
    return error_of(ApiErrorType::invalid_request, "expected a JSON object as the body");
  }
  const bool wrapped =
      route_.flavor == Flavor::bedrock && route_.endpoint == Endpoint::count_tokens;
  return wrapped ? unwrap() : std::nullopt;
}

Result<dialect::Conversation> CallRun::read_conversation() const {
  const json::Value root = document_.root();
  if (route_.endpoint == Endpoint::responses) return read_responses_request(root);
  if (route_.endpoint == Endpoint::completions) return read_completions_request(root);
  dialect::Context context;
  context.model = call_.model;
  context.stream = route_.stream;
  // countTokens may wrap a whole request.
  const json::Value wrapped = root["generateContentRequest"];
  return dialect::read_request(route_.dialect, wrapped.is_object() ? wrapped : root, context);
}

// What providers insist on and a lenient reader would let pass.
std::optional<ApiError> CallRun::check_request() const {
  const json::Value root = document_.root();
  const auto invalid = [](std::string message) {
    return error_of(ApiErrorType::invalid_request, std::move(message));
  };
  const bool versioned = exchange_.head().target.find("api-version=") != std::string_view::npos;
  if (route_.flavor == Flavor::azure && !route_.model.empty() && !versioned) {
    return error_of(ApiErrorType::not_found, "Resource not found", "404");
  }
  if (call_.model.empty() && has_json(route_.endpoint) && document_.root().exists()) {
    const bool optional =
        route_.endpoint == Endpoint::moderations || route_.endpoint == Endpoint::images;
    if (!optional) return invalid("you must provide a model parameter");
  }
  if (sim_.config.known_models_only && !call_.model.empty() &&
      !sim_.config.models.contains(call_.model)) {
    return error_of(
        ApiErrorType::not_found,
        fmt::format("The model `{}` does not exist or you do not have access to it.", call_.model),
        "model_not_found");
  }
  if (route_.dialect != Dialect::anthropic_messages) return std::nullopt;
  if (route_.flavor == Flavor::bedrock) {
    if (!root["anthropic_version"].equals("bedrock-2023-05-31")) {
      return invalid("anthropic_version: expected \"bedrock-2023-05-31\" in the body");
    }
    for (const std::string_view name : {"model", "stream"}) {
      if (root[name].exists()) {
        return invalid(std::string(name) + ": Extra inputs are not permitted");
      }
    }
  } else if (route_.flavor == Flavor::vertex) {
    if (!root["anthropic_version"].equals("vertex-2023-10-16")) {
      return invalid("anthropic_version: expected \"vertex-2023-10-16\" in the body");
    }
    if (route_.endpoint == Endpoint::messages && root["model"].exists()) {
      return invalid("model: Extra inputs are not permitted");
    }
  } else if (!exchange_.head().headers.find("anthropic-version")) {
    return invalid("anthropic-version: header is required");
  }
  if (root["thread"].is_object()) {
    return error_of(ApiErrorType::invalid_request, "thread: the simulator keeps no conversations",
                    std::string(dialect::kThreadUnsupported));
  }
  if (route_.endpoint == Endpoint::messages && !root["max_tokens"].as_int64()) {
    return invalid("max_tokens: Field required");
  }
  return std::nullopt;
}

// An AWS signature where credentials were configured.
std::optional<ApiError> CallRun::check_signature() const {
  const http::RequestHead& head = exchange_.head();
  const std::string_view body = signed_body_;
  const auto verified = http::verify_v4({.method = head.method,
                                         .host = head.headers.get("host"),
                                         .target = head.target,
                                         .body = {&body, 1},
                                         .region = sim_.config.aws_region,
                                         .service = "bedrock",
                                         .wall_ms = sim_.wall_ms()},
                                        head.headers, sim_.config.aws);
  if (verified) return std::nullopt;
  ApiError error = error_of(ApiErrorType::authentication, std::string(verified.error().message()));
  error.status = 403;
  return error;
}

std::optional<ApiError> CallRun::check_key() const {
  const bool may_sign = route_.flavor == Flavor::bedrock && !bearer_;
  if (may_sign && !sim_.config.aws.empty()) return check_signature();
  const bool token_path =
      route_.flavor == Flavor::vertex || (route_.flavor == Flavor::azure && bearer_);
  if (sim_.config.require_tokens && token_path) {
    if (sim_.tokens.valid(key_, sim_.wall_ms())) return std::nullopt;
    return error_of(
        ApiErrorType::authentication,
        "Request had invalid authentication credentials. Expected OAuth 2 access token.");
  }
  const auto& keys = sim_.config.keys;
  if (keys.empty() || std::find(keys.begin(), keys.end(), key_) != keys.end()) return std::nullopt;
  if (route_.dialect == Dialect::gemini && route_.flavor == Flavor::plain) {
    return error_of(ApiErrorType::invalid_request,
                    "API key not valid. Please pass a valid API key.");
  }
  return error_of(ApiErrorType::authentication,
                  key_.empty() ? "You didn't provide an API key."
                               : "Incorrect API key provided: ..." + call_.key_last4,
                  "invalid_api_key");
}

std::optional<ApiError> CallRun::check_limits() {
  const RateLimits& limits = sim_.settings_of(call_.model).limits;
  const int64_t tokens = conversation_ ? prompt_tokens(*conversation_) : count_tokens(body_);
  const auto verdict = sim_.limiter.take(call_.model, limits, tokens, sim_.loop.now());
  limit_headers_ = rate_limit_headers(route_.dialect, limits, verdict, sim_.wall_ms());
  if (verdict.allowed) return std::nullopt;
  call_.fault = "rate_limit";
  if (route_.dialect != Dialect::gemini) {
    const int64_t ms = verdict.retry_after.count() / 1'000'000 + 1;
    limit_headers_.emplace_back("retry-after", std::to_string((ms + 999) / 1000));
    if (route_.flavor == Flavor::azure) {
      limit_headers_.emplace_back("retry-after-ms", std::to_string(ms));
    }
  }
  return error_of(ApiErrorType::rate_limit,
                  fmt::format("Rate limit reached for {} on {} per min.", call_.model,
                              verdict.by_tokens ? "tokens" : "requests"),
                  "rate_limit_exceeded");
}

void CallRun::pick_rule() {
  CallFacts facts;
  facts.endpoint = route_.endpoint;
  facts.dialect = route_.dialect;
  facts.model = call_.model;
  facts.path = call_.path;
  facts.key = key_;
  facts.last_user_text = conversation_ ? std::string_view(user_text_) : std::string_view(body_);
  facts.stream = call_.stream;
  facts.conversation = conversation_ ? &*conversation_ : nullptr;
  rule_ = sim_.script.pick(facts, sim_.rates);
  if (!rule_) return;
  call_.rule = rule_->id;
  if (rule_->reply && rule_->take) {
    filled_ = fill_reply(*rule_->reply, take_text(*rule_->take, facts).value_or(""));
  }
  if (!rule_->fault) return;
  call_.fault = std::string(to_string(rule_->fault->kind));
  sender_->set_fault(&*rule_->fault);
}

net::Task<void> CallRun::run() {
  if (!co_await read_body()) co_return;
  if (route_.endpoint == Endpoint::control) {
    const ControlAnswer control =
        answer_control(sim_, exchange_.head().method, route_.id, exchange_.head().query, body_);
    http::ResponseHead head;
    head.status = control.status;
    head.headers.add("content-type", "application/json");
    static_cast<void>(co_await exchange_.respond(head, control.body));
    co_return;
  }
  sender_.emplace(exchange_, sim_.loop, sim_.wires, call_, Random(sim_.config.seed ^ call_.id));
  if (route_.flavor == Flavor::bedrock) {
    signed_body_ = body_;
    if (route_.stream) sender_->set_frames(route_.endpoint == Endpoint::messages);
  }
  std::optional<ApiError> problem = parse();
  identify();
  if (!problem && has_conversation(route_.endpoint) && document_.root().exists()) {
    auto conversation = read_conversation();
    if (conversation) {
      conversation->model = call_.model;
      stream_usage_ = conversation->stream_usage;
      call_.stream = call_.stream || conversation->stream;
      user_text_ = last_user_text(*conversation);
      conversation_ = std::move(*conversation);
    } else {
      problem =
          error_of(ApiErrorType::invalid_request, std::string(conversation.error().message()));
    }
  }
  if (auto refused = check_key()) {
    co_await send_error(*refused);
    co_return;
  }
  pick_rule();
  if (rule_ && (rule_->raw || rule_->fault)) {
    if (rule_->raw) {
      co_await answer_raw();
      co_return;
    }
    if (rule_->fault->kind == FaultKind::status ||
        rule_->fault->kind == FaultKind::content_filter) {
      co_await answer_fault();
      co_return;
    }
  }
  if (!problem) problem = check_request();
  if (!problem) problem = check_limits();
  if (problem) {
    co_await send_error(*problem, limit_headers_);
    co_return;
  }
  co_await answer();
}

}  // namespace weir::sim
