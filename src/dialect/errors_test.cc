#include "dialect/errors.h"

#include <gtest/gtest.h>

namespace weir::dialect {
namespace {

struct ReadCase {
  const char* what;
  int status;
  const char* body;
  ApiErrorType type;
  int told_status;
  const char* message;
  const char* code = "";
  const char* param = "";
};

const ReadCase kReadCases[] = {
    {"OpenAI, wrong key", 401,
     R"({"error":{"message":"Incorrect API key","type":"invalid_request_error","param":null,"code":"invalid_api_key"}})",
     ApiErrorType::authentication, 401, "Incorrect API key", "invalid_api_key"},
    {"OpenAI, quota", 429,
     R"({"error":{"message":"You exceeded your current quota","type":"insufficient_quota","param":null,"code":"insufficient_quota"}})",
     ApiErrorType::quota, 429, "You exceeded your current quota", "insufficient_quota"},
    {"OpenAI, rate limit", 429,
     R"({"error":{"message":"slow down","type":"tokens","param":null,"code":"rate_limit_exceeded"}})",
     ApiErrorType::rate_limit, 429, "slow down", "rate_limit_exceeded"},
    {"OpenAI, model", 404,
     R"({"error":{"message":"no model","type":"invalid_request_error","param":null,"code":"model_not_found"}})",
     ApiErrorType::not_found, 404, "no model", "model_not_found"},
    {"OpenAI, parameter", 400,
     R"({"error":{"message":"bad","type":"invalid_request_error","param":"messages[0].content","code":null}})",
     ApiErrorType::invalid_request, 400, "bad", "", "messages[0].content"},
    {"OpenAI, context length", 400,
     R"({"error":{"message":"too long","type":"invalid_request_error","code":"context_length_exceeded"}})",
     ApiErrorType::invalid_request, 400, "too long", "context_length_exceeded"},
    {"OpenAI, overloaded", 503,
     R"({"error":{"message":"busy","type":"service_unavailable_error","code":"server_is_overloaded"}})",
     ApiErrorType::overloaded, 529, "busy", "server_is_overloaded"},
    {"Azure, content filter", 400,
     R"({"error":{"message":"filtered","type":null,"param":"prompt","code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation","content_filter_result":{}}}})",
     ApiErrorType::content_filter, 400, "filtered", "content_filter", "prompt"},
    {"Azure, deployment", 404,
     R"({"error":{"code":"DeploymentNotFound","message":"no deployment"}})",
     ApiErrorType::not_found, 404, "no deployment", "DeploymentNotFound"},
    {"Azure, code as number text", 429, R"({"error":{"code":"429","message":"slow"}})",
     ApiErrorType::rate_limit, 429, "slow", "429"},
    {"Azure, gateway in front", 401, R"({"statusCode":401,"message":"Access denied"})",
     ApiErrorType::authentication, 401, "Access denied"},
    {"Anthropic, overloaded", 529,
     R"({"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"r"})",
     ApiErrorType::overloaded, 529, "Overloaded"},
    {"Anthropic, too large", 413,
     R"({"type":"error","error":{"type":"request_too_large","message":"big"}})",
     ApiErrorType::too_large, 413, "big"},
    {"Anthropic, no credit", 400,
     R"({"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API."}})",
     ApiErrorType::quota, 429, "Your credit balance is too low to access the Anthropic API."},
    {"Gemini, quota", 429,
     R"({"error":{"code":429,"message":"Resource exhausted","status":"RESOURCE_EXHAUSTED"}})",
     ApiErrorType::rate_limit, 429, "Resource exhausted", "RESOURCE_EXHAUSTED"},
    {"Gemini, array", 503,
     R"([{"error":{"code":503,"message":"overloaded","status":"UNAVAILABLE"}}])",
     ApiErrorType::unavailable, 503, "overloaded", "UNAVAILABLE"},
    {"Gemini, wrong key with 400", 400,
     R"({"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT","details":[{"@type":"x","reason":"API_KEY_INVALID"}]}})",
     ApiErrorType::authentication, 401, "API key not valid.", "INVALID_ARGUMENT"},
    {"Gemini, argument", 400,
     R"({"error":{"code":400,"message":"bad","status":"INVALID_ARGUMENT"}})",
     ApiErrorType::invalid_request, 400, "bad", "INVALID_ARGUMENT"},
    {"Gemini, deadline", 504,
     R"({"error":{"code":504,"message":"late","status":"DEADLINE_EXCEEDED"}})",
     ApiErrorType::timeout, 504, "late", "DEADLINE_EXCEEDED"},
    {"Bedrock, throttle labelled 400", 400,
     R"({"__type":"com.amazon.coral#ThrottlingException","message":"slow"})",
     ApiErrorType::rate_limit, 429, "slow"},
    {"Bedrock, message only", 403, R"({"Message":"denied"})", ApiErrorType::permission, 403,
     "denied"},
    {"FastAPI", 422,
     R"({"detail":[{"loc":["body","messages",0],"msg":"field required","type":"value_error"}]})",
     ApiErrorType::invalid_request, 422, "body.messages.0: field required", "", "body.messages.0"},
    {"FastAPI, text", 404, R"({"detail":"Not Found"})", ApiErrorType::not_found, 404, "Not Found"},
    {"vLLM", 400,
     R"({"object":"error","message":"too long","type":"BadRequestError","param":null,"code":400})",
     ApiErrorType::invalid_request, 400, "too long"},
    {"xAI", 400, R"({"code":"Client specified an invalid argument","error":"bad model"})",
     ApiErrorType::invalid_request, 400, "bad model", "Client specified an invalid argument"},
    {"DeepSeek, no balance", 402,
     R"({"error":{"message":"Insufficient Balance","type":"unknown_error","code":"invalid_request_error"}})",
     ApiErrorType::quota, 402, "Insufficient Balance", "invalid_request_error"},
    {"Mistral", 422, R"({"object":"error","message":{"detail":[{"msg":"m","loc":[]}]}})",
     ApiErrorType::invalid_request, 422, "m"},
    {"Cloudflare", 500, R"({"success":false,"errors":[{"code":1000,"message":"cf"}]})",
     ApiErrorType::server, 500, "cf"},
    {"string", 500, R"({"error":"out of memory"})", ApiErrorType::server, 500, "out of memory"},
    {"HTML", 502, "<html>\r\n<head><title>502 Bad Gateway</title></head><body>x</body></html>",
     ApiErrorType::unavailable, 502, "502 Bad Gateway"},
    {"text", 503, "  upstream connect error\n", ApiErrorType::unavailable, 503,
     "upstream connect error"},
    {"nothing", 503, "", ApiErrorType::unavailable, 503, "the provider answered 503"},
    {"empty array", 500, "[]", ApiErrorType::server, 500, "the provider answered 500"},
    {"torn JSON", 500, R"({"error":{"mess)", ApiErrorType::server, 500, R"({"error":{"mess)"},
    {"repeated name", 500, R"({"error":{"message":"a"},"error":{"message":"b"}})",
     ApiErrorType::server, 500, "a"},
    {"status without a class", 418, "teapot", ApiErrorType::invalid_request, 418, "teapot"},
    // Inside a stream the answer's status was 200.
    {"stream, Anthropic", 200,
     R"({"type":"error","error":{"type":"rate_limit_error","message":"m"}})",
     ApiErrorType::rate_limit, 429, "m"},
    {"stream, OpenAI", 200,
     R"({"error":{"message":"m","type":"server_error","param":null,"code":null}})",
     ApiErrorType::server, 500, "m"},
    {"stream, OpenRouter", 200, R"({"error":{"message":"m","code":502}})",
     ApiErrorType::unavailable, 503, "m"},
    {"stream, responses", 200,
     R"({"type":"error","code":"rate_limit_exceeded","message":"m","param":null})",
     ApiErrorType::rate_limit, 429, "m", "rate_limit_exceeded"},
    {"stream, response.failed", 200,
     R"({"type":"response.failed","response":{"error":{"code":"server_error","message":"m"}}})",
     ApiErrorType::server, 500, "m", "server_error"},
};

TEST(ReadError, EveryProvider) {
  for (const ReadCase& expected : kReadCases) {
    SCOPED_TRACE(expected.what);
    const ApiError error = read_error(Dialect::openai_chat, expected.status, expected.body);
    EXPECT_EQ(to_string(error.type), to_string(expected.type));
    EXPECT_EQ(error.status, expected.told_status);
    EXPECT_EQ(error.message, expected.message);
    EXPECT_EQ(error.code, expected.code);
    EXPECT_EQ(error.param, expected.param);
  }
}

TEST(ReadError, LongMessagesAreCut) {
  const ApiError text = read_error(Dialect::gemini, 500, std::string(100'000, 'x'));
  EXPECT_EQ(text.message.size(), kErrorMessageBytesMax);
  const ApiError json =
      read_error(Dialect::gemini, 500, "{\"error\":\"" + std::string(100'000, 'x') + "\"}");
  EXPECT_EQ(json.message.size(), kErrorMessageBytesMax);
  const ApiError invalid = read_error(Dialect::gemini, 500, "\xFF\xFE broken");
  EXPECT_EQ(invalid.message, "\xEF\xBF\xBD\xEF\xBF\xBD broken");
}

TEST(WriteError, InTheClientsWords) {
  struct Case {
    ApiError error;
    Dialect dialect;
    int status;
    const char* body;
  };
  const ApiError overloaded{ApiErrorType::overloaded, 529, "busy", "", ""};
  const ApiError limited{ApiErrorType::rate_limit, 429, "slow", "RESOURCE_EXHAUSTED", ""};
  const ApiError quota{ApiErrorType::quota, 402, "empty", "", ""};
  const ApiError wrong{ApiErrorType::invalid_request, 422, "bad", "", "messages"};
  const Case cases[] = {
      {overloaded, Dialect::openai_chat, 503,
       R"({"error":{"message":"busy","type":"server_error","param":null,"code":"server_is_overloaded"}})"},
      {overloaded, Dialect::anthropic_messages, 529,
       R"({"type":"error","error":{"type":"overloaded_error","message":"busy"},"request_id":"req_1"})"},
      {overloaded, Dialect::gemini, 503,
       R"({"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}})"},
      {limited, Dialect::openai_embeddings, 429,
       R"({"error":{"message":"slow","type":"rate_limit_error","param":null,"code":"rate_limit_exceeded"}})"},
      {limited, Dialect::anthropic_messages, 429,
       R"({"type":"error","error":{"type":"rate_limit_error","message":"slow"},"request_id":"req_1"})"},
      {quota, Dialect::openai_completions, 429,
       R"({"error":{"message":"empty","type":"insufficient_quota","param":null,"code":"insufficient_quota"}})"},
      {quota, Dialect::anthropic_messages, 402,
       R"({"type":"error","error":{"type":"billing_error","message":"empty"},"request_id":"req_1"})"},
      {quota, Dialect::gemini, 429,
       R"({"error":{"code":429,"message":"empty","status":"RESOURCE_EXHAUSTED"}})"},
      {wrong, Dialect::openai_responses, 422,
       R"({"error":{"message":"bad","type":"invalid_request_error","param":"messages","code":null}})"},
      {wrong, Dialect::gemini, 400,
       R"({"error":{"code":400,"message":"bad","status":"INVALID_ARGUMENT"}})"},
  };
  for (const Case& expected : cases) {
    SCOPED_TRACE(expected.body);
    EXPECT_EQ(error_status(expected.dialect, expected.error), expected.status);
    EXPECT_EQ(write_error(expected.dialect, expected.error, "req_1"), expected.body);
  }
}

// Every class survives the way through every dialect's body and status.
TEST(WriteError, ReadsBackAsTheSameClass) {
  const ApiErrorType types[] = {
      ApiErrorType::invalid_request, ApiErrorType::authentication, ApiErrorType::permission,
      ApiErrorType::not_found,       ApiErrorType::too_large,      ApiErrorType::rate_limit,
      ApiErrorType::quota,           ApiErrorType::content_filter, ApiErrorType::server,
      ApiErrorType::unavailable,     ApiErrorType::overloaded,     ApiErrorType::timeout};
  for (const ApiErrorType type : types) {
    SCOPED_TRACE(to_string(type));
    const ApiError error{type, status_of_error_type(type), "m", "", ""};
    for (const Dialect dialect :
         {Dialect::openai_chat, Dialect::anthropic_messages, Dialect::gemini}) {
      SCOPED_TRACE(to_string(dialect));
      const ApiError again =
          read_error(dialect, error_status(dialect, error), write_error(dialect, error, "r"));
      EXPECT_EQ(again.message, "m");
      const bool openai = dialect == Dialect::openai_chat;
      const bool gemini = dialect == Dialect::gemini;
      // What a vocabulary lacks arrives as the nearest class.
      const bool filter = type == ApiErrorType::content_filter && !openai;
      const bool other =
          gemini && (type == ApiErrorType::quota || type == ApiErrorType::overloaded ||
                     type == ApiErrorType::too_large);
      if (filter) {
        EXPECT_EQ(to_string(again.type), to_string(ApiErrorType::invalid_request));
      } else if (!other) {
        EXPECT_EQ(to_string(again.type), to_string(type));
      }
    }
  }
}

TEST(WriteStreamError, FramedForEachDialect) {
  const ApiError error{ApiErrorType::unavailable, 502, "gone \n\"now\"", "", ""};
  const std::string openai =
      R"({"message":"gone \n\"now\"","type":"server_error","param":null,"code":null})";
  EXPECT_EQ(write_stream_error(Dialect::openai_chat, error, "r"),
            "data: {\"error\":" + openai + "}\n\n");
  EXPECT_EQ(write_stream_error(Dialect::openai_completions, error, "r"),
            "data: {\"error\":" + openai + "}\n\n");
  EXPECT_EQ(write_stream_error(Dialect::openai_responses, error, "r"),
            "event: error\ndata: {\"type\":\"error\",\"sequence_number\":0,\"code\":null,"
            "\"message\":\"gone \\n\\\"now\\\"\",\"param\":null,\"error\":" +
                openai + "}\n\n");
  EXPECT_EQ(write_stream_error(Dialect::anthropic_messages, error, "r"),
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\","
            "\"message\":\"gone \\n\\\"now\\\"\"},\"request_id\":\"r\"}\n\n");
  EXPECT_EQ(write_stream_error(Dialect::gemini, error, "r"),
            "data: {\"error\":{\"code\":502,\"message\":\"gone \\n\\\"now\\\"\","
            "\"status\":\"UNAVAILABLE\"}}\r\n\r\n");
  EXPECT_EQ(write_stream_error(Dialect::passthrough, error, "r"), "");
}

}  // namespace
}  // namespace weir::dialect
