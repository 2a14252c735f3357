#include <fmt/format.h>

#include <algorithm>

#include "base/date.h"
#include "base/json/writer.h"
#include "dialect/translate.h"
#include "gateway/count_tokens.h"
#include "gateway/stages.h"

namespace weir::gateway {
namespace {

using dialect::Dialect;

constexpr size_t kDroppedBytesMax = 1024;

// OpenAI's form of a reset: "0s", "350ms", "6m0s".
std::string openai_duration(Nanoseconds duration) {
  const int64_t ms = std::chrono::ceil<Milliseconds>(duration).count();
  if (ms == 0) return "0s";
  if (ms < 1000) return std::to_string(ms) + "ms";
  const int64_t seconds = (ms + 999) / 1000;
  if (seconds < 60) return fmt::format("{}s", seconds);
  if (seconds < 3600) return fmt::format("{}m{}s", seconds / 60, seconds % 60);
  return fmt::format("{}h{}m{}s", seconds / 3600, seconds / 60 % 60, seconds % 60);
}

// The key's limits in the words of the client's own vendor.
struct LimitNames {
  std::string_view limit, remaining, reset;
};
constexpr LimitNames kOpenAiRequests = {
    "x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"};
constexpr LimitNames kOpenAiTokens = {"x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens",
                                      "x-ratelimit-reset-tokens"};
constexpr LimitNames kAnthropicRequests = {"anthropic-ratelimit-requests-limit",
                                           "anthropic-ratelimit-requests-remaining",
                                           "anthropic-ratelimit-requests-reset"};
constexpr LimitNames kAnthropicTokens = {"anthropic-ratelimit-tokens-limit",
                                         "anthropic-ratelimit-tokens-remaining",
                                         "anthropic-ratelimit-tokens-reset"};

void add_limit(const Exchange& x, const LimitNames& names, const ledger::LimitAnswer& answer,
               http::HeaderMap& headers) {
  if (answer.limit <= 0) return;
  headers.set(names.limit, fmt::format_int(answer.limit).c_str());
  headers.set(names.remaining, fmt::format_int(std::max<int64_t>(answer.remaining, 0)).c_str());
  if (x.route.error_dialect == Dialect::anthropic_messages) {
    headers.set(
        names.reset,
        rfc3339(x.start_ms + std::chrono::ceil<Milliseconds>(answer.reset_after).count() + 999));
    return;
  }
  headers.set(names.reset, openai_duration(answer.reset_after));
}

// The part of a text that may stand in a header field.
std::string header_text(std::string_view text) {
  std::string clean;
  for (const char c : text) {
    if (c >= ' ' && c < '\x7f') clean += c;
  }
  return clean;
}

void write_model(json::Writer& w, const Exchange& x, const Model& model) {
  switch (x.route.error_dialect) {
    case Dialect::anthropic_messages:
      w.begin_object()
          .member("type", "model")
          .member("id", model.name)
          .member("display_name", model.name)
          .member("created_at", rfc3339(model.created_s * 1000))
          .end_object();
      return;
    case Dialect::gemini:
      w.begin_object()
          .member("name", "models/" + model.name)
          .member("displayName", model.name)
          .key("supportedGenerationMethods")
          .begin_array()
          .string("generateContent")
          .string("countTokens")
          .end_array()
          .end_object();
      return;
    default:
      w.begin_object()
          .member("id", model.name)
          .member("object", "model")
          .member("created", model.created_s)
          .member("owned_by", "weir")
          .end_object();
  }
}

std::string models_page(const Exchange& x, const std::vector<const Model*>& models) {
  std::string body;
  json::Writer w(body);
  w.begin_object();
  const bool gemini = x.route.error_dialect == Dialect::gemini;
  const bool anthropic = x.route.error_dialect == Dialect::anthropic_messages;
  if (!gemini && !anthropic) w.member("object", "list");
  w.key(gemini ? "models" : "data").begin_array();
  for (const Model* model : models) write_model(w, x, *model);
  w.end_array();
  if (anthropic) {
    w.member("has_more", false);
    w.key("first_id");
    models.empty() ? w.null() : w.string(models.front()->name);
    w.key("last_id");
    models.empty() ? w.null() : w.string(models.back()->name);
  }
  w.end_object();
  return body;
}

}  // namespace

bool refuse(Exchange& x, dialect::ApiErrorType type, int status, std::string code,
            std::string message, std::string param) {
  x.error = dialect::ApiError{.type = type,
                              .status = status,
                              .message = std::move(message),
                              .code = std::move(code),
                              .param = std::move(param)};
  return false;
}

void add_weir_headers(const Exchange& x, http::HeaderMap& headers) {
  headers.set("x-weir-request-id", x.id_text);
  // The SDKs show these as the request's id.
  const std::string_view vendor_id =
      x.route.error_dialect == Dialect::anthropic_messages ? "request-id" : "x-request-id";
  if (!headers.find(vendor_id)) headers.add(vendor_id, x.id_text);
  headers.set("x-weir-config", fmt::format_int(x.snapshot->generation).c_str());
  if (x.serving != nullptr) headers.set("x-weir-model", header_text(x.serving->name));
  if (x.deployment != nullptr) headers.set("x-weir-deployment", header_text(x.deployment->name));
  if (x.asked != nullptr)
    headers.set("x-weir-attempts", fmt::format_int(x.attempts.size()).c_str());
  if (x.limited) {
    const bool anthropic = x.route.error_dialect == Dialect::anthropic_messages;
    add_limit(x, anthropic ? kAnthropicRequests : kOpenAiRequests, x.limits.requests, headers);
    add_limit(x, anthropic ? kAnthropicTokens : kOpenAiTokens, x.limits.tokens, headers);
  }
  if (!x.dropped.empty()) {
    headers.set(
        "x-weir-dropped",
        header_text(fmt::format("{}", fmt::join(x.dropped, ", "))).substr(0, kDroppedBytesMax));
  }
}

net::Task<void> answer_error(Exchange& x) {
  if (!x.error) refuse(x, dialect::ApiErrorType::server, 500, "internal", "Weir failed.");
  http::HeaderMap fields;
  if (x.retry_after) {
    const int64_t ms = std::max<int64_t>(x.retry_after->count(), 1);
    fields.set("retry-after", fmt::to_string((ms + 999) / 1000));
    fields.set("retry-after-ms", fmt::to_string(ms));
  }
  std::string body;
  if (x.foreign_error) {
    x.status = x.foreign_error->status;
    fields.set("content-type", x.foreign_error->content_type.empty()
                                   ? "application/json"
                                   : x.foreign_error->content_type);
    body = std::move(x.foreign_error->body);
  } else {
    x.status = dialect::error_status(x.route.error_dialect, *x.error);
    fields.set("content-type", "application/json");
    body = dialect::write_error(x.route.error_dialect, *x.error, x.id_text);
  }
  // Nobody is there to be told.
  if (x.status == 499) co_return;
  add_weir_headers(x, fields);
  x.first_byte = x.now();
  x.bytes_out += static_cast<int64_t>(body.size());
  const http::ResponseHead head{.status = x.status, .reason = {}, .headers = fields.list()};
  if (!co_await x.client.respond(head, body)) x.client_gone = true;
}

net::Task<void> answer_json(Exchange& x, std::string body, int status) {
  http::HeaderMap fields;
  fields.set("content-type", "application/json");
  add_weir_headers(x, fields);
  x.status = status;
  x.first_byte = x.now();
  x.bytes_out += static_cast<int64_t>(body.size());
  const http::ResponseHead head{.status = status, .reason = {}, .headers = fields.list()};
  if (!co_await x.client.respond(head, body)) x.client_gone = true;
}

net::Task<void> answer_models(Exchange& x) {
  if (x.route.kind == RouteKind::get_model) {
    const Model* model = x.snapshot->find_model(x.route.model);
    if (model == nullptr || !x.principal->may_use(model->name)) {
      refuse(x, dialect::ApiErrorType::not_found, 404, "model_not_found",
             fmt::format("The model \"{}\" does not exist here or this key may not use it.",
                         x.route.model.substr(0, 200)),
             "model");
      co_return co_await answer_error(x);
    }
    std::string body;
    json::Writer w(body);
    write_model(w, x, *model);
    co_return co_await answer_json(x, std::move(body));
  }
  std::vector<const Model*> models;
  for (const Model& model : x.snapshot->models) {
    if (x.principal->may_use(model.name)) models.push_back(&model);
  }
  co_await answer_json(x, models_page(x, models));
}

net::Task<void> answer_token_estimate(Exchange& x) {
  const std::string body = count_body(x.route.dialect, x.input_estimate);
  http::HeaderMap fields;
  fields.set("content-type", "application/json");
  // The model's own provider counts no tokens: this is Weir's estimate, and says so.
  fields.set("x-weir-estimated", "true");
  add_weir_headers(x, fields);
  x.status = 200;
  x.first_byte = x.now();
  x.bytes_out += static_cast<int64_t>(body.size());
  const http::ResponseHead head{.status = 200, .reason = {}, .headers = fields.list()};
  if (!co_await x.client.respond(head, body)) x.client_gone = true;
}

}  // namespace weir::gateway
