// Errors of model APIs beyond the door of translate.h: reading an error that is already parsed (the
// error event of a stream), and the table between Weir's classes and HTTP statuses. Pure; any
// thread.
#pragma once

#include "base/json/document.h"
#include "dialect/translate.h"

namespace weir::dialect {

// Providers' messages are kept up to this many bytes (HTML error pages, stack traces).
inline constexpr size_t kErrorMessageBytesMax = 2048;

// Anthropic's code for a request whose `thread`, a conversation kept by the provider, cannot be
// served. It is this code, in the error's details, that makes the SDK's tool runner send the whole
// conversation instead.
inline constexpr std::string_view kThreadUnsupported = "thread_unsupported_request";

// The error that `root` tells, in the form of any provider. `status` is the HTTP status of the
// answer, or 200 for an error inside a stream: the object's own words decide then.
ApiError read_error_json(int status, json::Value root);

// What tells an error in a chunk of an OpenAI-style stream, to be read by read_error_json(): the
// chunk itself, or Groq's `x_groq`. Missing where nothing does: some servers send an `error` that
// is null or "" with every chunk.
json::Value error_in_openai_chunk(json::Value chunk);

// The name of Amazon Bedrock's exception for a class, "ThrottlingException".
std::string_view bedrock_exception(ApiErrorType type);
// The code that OpenAI's clients act on; "" where there is none.
std::string_view openai_error_code(const ApiError& error);
// The data of the `error` event in a stream of responses.
std::string write_responses_error(const ApiError& error, int64_t sequence_number);

// The class of an HTTP status alone, and the usual status of a class.
ApiErrorType error_type_of_status(int status);
int status_of_error_type(ApiErrorType type);

}  // namespace weir::dialect
