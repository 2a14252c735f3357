#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/date.h"
#include "base/json/writer.h"
#include "dialect/translate.h"
#include "gateway/count_tokens.h"
#include "gateway/stages.h"

namespace weir::gateway {
namespace {

using dialect::Dialect;

constexpr size_t kDroppedBytesMax = 1024;

// OpenAI's form of a reset: "350ms", "6m0s".
std::string openai_duration(Milliseconds duration) {
  if (duration.count() < 1000) return std::to_string(duration.count()) + "ms";
  const int64_t seconds = (duration.count() + 999) / 1000;
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
               http::AnswerFields& fields) {
  if (answer.limit <= 0) return;
  fields.add_number(names.limit, answer.limit);
  fields.add_number(names.remaining, std::max<int64_t>(answer.remaining, 0));
  const Milliseconds reset = std::chrono::ceil<Milliseconds>(answer.reset_after);
  if (x.route.error_dialect == Dialect::anthropic_messages) {
    fields.add_copy(names.reset, rfc3339(x.start_ms + reset.count() + 999));
  } else if (reset.count() == 0) {
    fields.add_checked(names.reset, "0s");
  } else {
    fields.add_copy(names.reset, openai_duration(reset));
  }
}

// A name of the configuration, or the part of it that may stand in a header field.
void add_name(http::AnswerFields& fields, std::string_view name, std::string_view text) {
  const auto fits = [](char c) { return c >= ' ' && c < '\x7f'; };
  if (std::ranges::all_of(text, fits)) return fields.add_checked(name, text);
  std::string clean;
  std::ranges::copy_if(text, std::back_inserter(clean), fits);
  fields.add_copy(name, std::move(clean));
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

void add_weir_headers(const Exchange& x, http::AnswerFields& fields) {
  fields.add_checked("x-weir-request-id", x.id_text);
  // The SDKs show these as the request's id.
  const std::string_view vendor_id =
      x.route.error_dialect == Dialect::anthropic_messages ? "request-id" : "x-request-id";
  if (!fields.has(vendor_id)) fields.add_checked(vendor_id, x.id_text);
  fields.add_number("x-weir-config", static_cast<int64_t>(x.snapshot->generation));
  if (x.serving != nullptr) add_name(fields, "x-weir-model", x.serving->name);
  if (x.deployment != nullptr) add_name(fields, "x-weir-deployment", x.deployment->name);
  if (x.asked != nullptr) {
    fields.add_number("x-weir-attempts", static_cast<int64_t>(x.attempts.size()));
  }
  if (x.limited) {
    const bool anthropic = x.route.error_dialect == Dialect::anthropic_messages;
    add_limit(x, anthropic ? kAnthropicRequests : kOpenAiRequests, x.limits.requests, fields);
    add_limit(x, anthropic ? kAnthropicTokens : kOpenAiTokens, x.limits.tokens, fields);
  }
  if (!x.dropped.empty()) {
    add_name(
        fields, "x-weir-dropped",
        fields.keep(fmt::format("{}", fmt::join(x.dropped, ", ")).substr(0, kDroppedBytesMax)));
  }
}

net::Task<void> answer_error(Exchange& x) {
  if (!x.error) refuse(x, dialect::ApiErrorType::server, 500, "internal", "Weir failed.");
  http::AnswerFields fields;
  if (x.retry_after) {
    const int64_t ms = std::max<int64_t>(x.retry_after->count(), 1);
    fields.add_number("retry-after", (ms + 999) / 1000);
    fields.add_number("retry-after-ms", ms);
  }
  std::string body;
  if (x.foreign_error) {
    x.status = x.foreign_error->status;
    fields.add("content-type", x.foreign_error->content_type.empty()
                                   ? std::string_view("application/json")
                                   : x.foreign_error->content_type);
    body = std::move(x.foreign_error->body);
  } else {
    x.status = dialect::error_status(x.route.error_dialect, *x.error);
    fields.add_checked("content-type", "application/json");
    body = dialect::write_error(x.route.error_dialect, *x.error, x.id_text);
  }
  // Nobody is there to be told.
  if (x.status == 499) co_return;
  add_weir_headers(x, fields);
  x.first_byte = x.now();
  x.bytes_out += static_cast<int64_t>(body.size());
  const http::ResponseHead head{.status = x.status, .reason = {}, .headers = fields.take()};
  if (!co_await x.client.respond(head, body)) x.client_gone = true;
}

net::Task<void> answer_json(Exchange& x, std::string body, int status) {
  http::AnswerFields fields;
  fields.add_checked("content-type", "application/json");
  add_weir_headers(x, fields);
  x.status = status;
  x.first_byte = x.now();
  x.bytes_out += static_cast<int64_t>(body.size());
  const http::ResponseHead head{.status = status, .reason = {}, .headers = fields.take()};
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
  http::AnswerFields fields;
  fields.add_checked("content-type", "application/json");
  // The model's own provider counts no tokens: this is Weir's estimate, and says so.
  fields.add_checked("x-weir-estimated", "true");
  add_weir_headers(x, fields);
  x.status = 200;
  x.first_byte = x.now();
  x.bytes_out += static_cast<int64_t>(body.size());
  const http::ResponseHead head{.status = 200, .reason = {}, .headers = fields.take()};
  if (!co_await x.client.respond(head, body)) x.client_gone = true;
}

}  // namespace weir::gateway
