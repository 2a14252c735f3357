#include <fmt/format.h>

#include "base/text.h"
#include "gateway/estimate.h"
#include "gateway/multipart.h"
#include "gateway/pins.h"
#include "gateway/stages.h"

namespace weir::gateway {
namespace {

using dialect::ApiErrorType;
using dialect::Dialect;
using provider::Operation;

// Bodies that are not JSON are searched for their `model` field up to here, then streamed on.
constexpr size_t kSearchBytesMax = 256 * 1024;

// Reads until the end, or until `enough` says that the rest may be streamed.
template <class Enough>
net::Task<bool> read_pieces(Exchange& x, Enough enough) {
  uint64_t& held = x.worker.counters.body_bytes_held;
  while (true) {
    auto piece = co_await x.client.read_body();
    if (!piece) co_return refuse_read_error(x, piece.error());
    if (piece->empty()) co_return true;
    if (held + piece->size() > Worker::kBodyBytesHeldMax) {
      ++x.worker.counters.refused_memory;
      co_return refuse(x, ApiErrorType::overloaded, 503, "bodies_limit",
                       "Weir holds too many request bodies at the moment. Try again shortly.");
    }
    x.body += *piece;
    held += piece->size();
    x.bytes_in += static_cast<int64_t>(piece->size());
    if (enough(x.body)) {
      x.body_streamed = true;
      co_return true;
    }
  }
}

bool expects_json(const Exchange& x) {
  if (x.route.operation != Operation::passthrough) return true;
  return x.client.head().headers.get("content-type").find("json") != std::string_view::npos;
}

// Names and flags that the journey needs, in one pass over the members.
bool inspect(Exchange& x) {
  const json::Value root = x.document.root();
  if (!root.is_object()) {
    return refuse(x, ApiErrorType::invalid_request, 400, "invalid_json",
                  "The request body must be a JSON object.");
  }
  if (x.model_asked.empty()) {
    const json::Value model = root["model"];
    if (model.exists() && !model.is_string()) {
      return refuse(x, ApiErrorType::invalid_request, 400, "invalid_type",
                    fmt::format("model: expected a string, got {}.", model.raw().substr(0, 40)),
                    "model");
    }
    x.model_asked = model.string_or("");
    // Google's resources name a model by its path.
    if (x.route.dialect == Dialect::gemini && x.model_asked.starts_with("models/")) {
      x.model_asked.erase(0, 7);
    }
  }
  // Anthropic's batches name a model in each request: the first leads to the account.
  if (x.model_asked.empty() && x.route.endpoint == "/messages/batches") {
    for (const json::Value request : root["requests"].elements()) {
      x.model_asked = request["params"]["model"].string_or("");
      break;
    }
  }
  x.model_named = x.model_named || root["model"].is_string();
  if (x.route.dialect != Dialect::gemini) {
    const json::Value stream = root["stream"];
    if (stream.exists() && !stream.is_bool() && !stream.is_null()) {
      return refuse(
          x, ApiErrorType::invalid_request, 400, "invalid_type",
          fmt::format("stream: expected true or false, got {}.", stream.raw().substr(0, 40)),
          "stream");
    }
    x.stream = stream.as_bool().value_or(false);
  }
  x.client_wants_usage = root["stream_options"]["include_usage"].as_bool().value_or(false);
  if (auto user = root["user"].string_or(root["metadata"]["user_id"].string_or(""));
      !user.empty()) {
    x.user = std::move(user);
  }
  x.input_estimate = estimate_input_tokens(root);
  x.output_estimate = x.route.operation == Operation::embed ||
                              x.route.operation == Operation::rerank ||
                              x.route.operation == Operation::count_tokens
                          ? 0
                          : estimate_output_tokens(root);
  return true;
}

}  // namespace

bool refuse_read_error(Exchange& x, const Error& error) {
  switch (error.code()) {
    case ErrorCode::limit_exceeded:
      return refuse(x, ApiErrorType::too_large, 413, "request_too_large",
                    fmt::format("The request body is over this server's limit of {} bytes "
                                "(server.limits.body_bytes).",
                                x.client.body_limit()));
    case ErrorCode::timeout:
      return refuse(x, ApiErrorType::timeout, 408, "request_timeout",
                    "The request body did not arrive in time.");
    case ErrorCode::protocol_error:
      return refuse(x, ApiErrorType::invalid_request, 400, "bad_request_body",
                    fmt::format("The request body is not valid HTTP: {}.", error.message()));
    default:
      x.client_gone = true;
      return refuse(x, ApiErrorType::unavailable, 499, "client_closed_request",
                    "The client closed the connection.");
  }
}

net::Task<bool> read(Exchange& x) {
  x.stream = x.route.stream;
  x.model_asked = x.route.model;
  x.model_named = !x.model_asked.empty();
  // Where no body can name a model (files, batches), a header may.
  if (const auto model = x.client.head().headers.find("x-weir-model"); x.model_asked.empty()) {
    x.model_asked = model.value_or("");
  }
  x.user = std::string(x.client.head().headers.get("x-weir-user"));
  x.client.set_body_limit(x.snapshot->body_bytes_max);
  if (expects_json(x)) {
    if (!co_await read_pieces(x, [](const std::string&) { return false; })) co_return false;
    if (x.body.empty() && x.route.operation == Operation::passthrough) co_return true;
    if (auto parsed = x.document.parse(x.body); !parsed) {
      co_return refuse(
          x, ApiErrorType::invalid_request, 400, "invalid_json",
          fmt::format("The request body is not valid JSON: {}.", parsed.error().message()));
    }
    x.body_is_json = true;
    co_return inspect(x);
  }

  const std::string boundary = multipart_boundary(x.client.head().headers.get("content-type"));
  // Uploads of files name no model. Forms do, many behind the file: they are read until they do,
  // also where the model is known otherwise, for it is put into that field.
  const bool form = !boundary.empty() && !keeps_state(x);
  MultipartSearch search(boundary, "model");
  const bool readable = co_await read_pieces(x, [&](const std::string& body) {
    return form ? search.look(body) : body.size() >= kSearchBytesMax;
  });
  if (!readable) co_return false;
  if (!form) co_return true;
  if (!search.found()) {
    if (!x.route.model.empty()) co_return true;
    // What Weir cannot find the provider may: the key's models would not hold.
    co_return refuse(x, ApiErrorType::invalid_request, 400, "missing_model",
                     "model: expected a form field of that name with a model's name.", "model");
  }
  if (x.model_asked.empty()) {
    x.model_asked = x.body.substr(search.found()->offset, search.found()->length);
  }
  x.model_named = true;
  co_return true;
}

}  // namespace weir::gateway
