#include "base/json/writer.h"
#include "dialect/errors.h"

namespace weir::dialect {
namespace {

bool speaks_anthropic(Dialect dialect) {
  return dialect == Dialect::anthropic_messages;
}
bool speaks_gemini(Dialect dialect) {
  return dialect == Dialect::gemini;
}

std::string_view openai_type(ApiErrorType type) {
  switch (type) {
    case ApiErrorType::invalid_request:
    case ApiErrorType::authentication:
    case ApiErrorType::not_found:
    case ApiErrorType::too_large:
    case ApiErrorType::content_filter:
      return "invalid_request_error";
    case ApiErrorType::permission:
      return "permission_error";
    case ApiErrorType::rate_limit:
      return "rate_limit_error";
    case ApiErrorType::quota:
      return "insufficient_quota";
    case ApiErrorType::server:
    case ApiErrorType::unavailable:
    case ApiErrorType::overloaded:
    case ApiErrorType::timeout:
      return "server_error";
  }
  return "server_error";
}

std::string_view anthropic_type(ApiErrorType type) {
  switch (type) {
    case ApiErrorType::invalid_request:
    case ApiErrorType::content_filter:
      return "invalid_request_error";
    case ApiErrorType::authentication:
      return "authentication_error";
    case ApiErrorType::permission:
      return "permission_error";
    case ApiErrorType::not_found:
      return "not_found_error";
    case ApiErrorType::too_large:
      return "request_too_large";
    case ApiErrorType::rate_limit:
      return "rate_limit_error";
    case ApiErrorType::quota:
      return "billing_error";
    case ApiErrorType::server:
    case ApiErrorType::unavailable:
      return "api_error";
    case ApiErrorType::overloaded:
      return "overloaded_error";
    case ApiErrorType::timeout:
      return "timeout_error";
  }
  return "api_error";
}

std::string_view gemini_status(ApiErrorType type) {
  switch (type) {
    case ApiErrorType::invalid_request:
    case ApiErrorType::content_filter:
    case ApiErrorType::too_large:
      return "INVALID_ARGUMENT";
    case ApiErrorType::authentication:
      return "UNAUTHENTICATED";
    case ApiErrorType::permission:
      return "PERMISSION_DENIED";
    case ApiErrorType::not_found:
      return "NOT_FOUND";
    case ApiErrorType::rate_limit:
    case ApiErrorType::quota:
      return "RESOURCE_EXHAUSTED";
    case ApiErrorType::server:
      return "INTERNAL";
    case ApiErrorType::unavailable:
    case ApiErrorType::overloaded:
      return "UNAVAILABLE";
    case ApiErrorType::timeout:
      return "DEADLINE_EXCEEDED";
  }
  return "UNKNOWN";
}

// The exception's name stands in the x-amzn-errortype header; the body has only the sentence.
std::string write_bedrock(const ApiError& error) {
  return R"({"message":)" + json::quoted(error.message) + "}";
}

// Inside a stream the name begins small and is the message's :exception-type.
std::string write_bedrock_event(const ApiError& error) {
  std::string type(bedrock_exception(error.type));
  type[0] = static_cast<char>(type[0] - 'A' + 'a');
  std::string out;
  json::Writer w(out);
  w.begin_object().member("type", "error").key("error").begin_object();
  w.member("type", type).member("message", error.message).end_object().end_object();
  return out;
}

void text_or_null(json::Writer& w, std::string_view name, std::string_view text) {
  w.key(name);
  if (text.empty()) {
    w.null();
  } else {
    w.string(text);
  }
}

void write_openai_fields(json::Writer& w, const ApiError& error) {
  w.member("message", error.message).member("type", openai_type(error.type));
  text_or_null(w, "param", error.param);
  text_or_null(w, "code", openai_error_code(error));
}

std::string write_openai(const ApiError& error) {
  std::string out;
  json::Writer w(out);
  w.begin_object().key("error").begin_object();
  write_openai_fields(w, error);
  w.end_object().end_object();
  return out;
}

std::string write_anthropic(const ApiError& error, std::string_view request_id) {
  std::string out;
  json::Writer w(out);
  w.begin_object().member("type", "error").key("error").begin_object();
  w.member("type", anthropic_type(error.type)).member("message", error.message);
  if (error.code == kThreadUnsupported) {
    w.key("details").begin_object().member("error_code", error.code).end_object();
  }
  w.end_object();
  if (!request_id.empty()) w.member("request_id", request_id);
  w.end_object();
  return out;
}

std::string write_gemini(const ApiError& error) {
  std::string out;
  json::Writer w(out);
  w.begin_object().key("error").begin_object();
  w.member("code", error_status(Dialect::gemini, error)).member("message", error.message);
  w.member("status", gemini_status(error.type)).end_object().end_object();
  return out;
}

}  // namespace

// OpenAI's clients act on some codes: those are OpenAI's own words whoever the provider was.
std::string_view openai_error_code(const ApiError& error) {
  switch (error.type) {
    case ApiErrorType::rate_limit:
      return "rate_limit_exceeded";
    case ApiErrorType::quota:
      return "insufficient_quota";
    case ApiErrorType::content_filter:
      return error.code == "content_policy_violation" ? std::string_view(error.code)
                                                      : "content_filter";
    case ApiErrorType::authentication:
      return error.code.empty() ? "invalid_api_key" : std::string_view(error.code);
    case ApiErrorType::overloaded:
      return "server_is_overloaded";
    case ApiErrorType::timeout:
      return error.code.empty() ? "timeout" : std::string_view(error.code);
    default:
      return error.code;
  }
}

// The event's own form has the fields at its top; OpenAI's servers and SDKs also know them under
// "error", and it is that member that makes the SDKs raise. So both stand here.
std::string write_responses_error(const ApiError& error, int64_t sequence_number) {
  std::string out;
  json::Writer w(out);
  w.begin_object().member("type", "error").member("sequence_number", sequence_number);
  text_or_null(w, "code", openai_error_code(error));
  w.member("message", error.message);
  text_or_null(w, "param", error.param);
  w.key("error").begin_object();
  write_openai_fields(w, error);
  w.end_object().end_object();
  return out;
}

std::string_view bedrock_exception(ApiErrorType type) {
  switch (type) {
    case ApiErrorType::invalid_request:
    case ApiErrorType::content_filter:
    case ApiErrorType::too_large:
      return "ValidationException";
    case ApiErrorType::authentication:
      return "UnrecognizedClientException";
    case ApiErrorType::permission:
      return "AccessDeniedException";
    case ApiErrorType::not_found:
      return "ResourceNotFoundException";
    case ApiErrorType::rate_limit:
      return "ThrottlingException";
    case ApiErrorType::quota:
      return "ServiceQuotaExceededException";
    case ApiErrorType::server:
      return "InternalServerException";
    case ApiErrorType::unavailable:
    case ApiErrorType::overloaded:
      return "ServiceUnavailableException";
    case ApiErrorType::timeout:
      return "ModelTimeoutException";
  }
  return "InternalServerException";
}

int error_status(Dialect dialect, const ApiError& error) {
  const int status = error.status;
  if (speaks_anthropic(dialect)) return error.type == ApiErrorType::overloaded ? 529 : status;
  if (status == 529) return 503;
  if (speaks_gemini(dialect)) {
    if (status == 413 || status == 422) return 400;
    return status == 402 ? 429 : status;
  }
  // The OpenAI SDKs know no 402; a 429 with insufficient_quota is what the vendor sends.
  return status == 402 ? 429 : status;
}

std::string write_error(Dialect dialect, const ApiError& error, std::string_view request_id) {
  if (speaks_anthropic(dialect)) return write_anthropic(error, request_id);
  if (speaks_gemini(dialect)) return write_gemini(error);
  if (dialect == Dialect::bedrock_converse) return write_bedrock(error);
  return write_openai(error);
}

std::string write_stream_error(Dialect dialect, const ApiError& error,
                               std::string_view request_id) {
  std::string out;
  switch (dialect) {
    case Dialect::openai_chat:
    case Dialect::openai_completions:
      append_sse(out, {}, write_openai(error));
      break;
    case Dialect::openai_responses:
      append_sse(out, "error", write_responses_error(error, 0));
      break;
    case Dialect::anthropic_messages:
      append_sse(out, "error", write_anthropic(error, request_id));
      break;
    case Dialect::gemini:
      out.append("data: ").append(write_gemini(error)).append("\r\n\r\n");
      break;
    case Dialect::bedrock_converse:
      append_sse(out, "error", write_bedrock_event(error));
      break;
    case Dialect::openai_embeddings:
    case Dialect::passthrough:
      break;  // no format to tell it in: the connection is cut, which no client takes for success
  }
  return out;
}

}  // namespace weir::dialect
