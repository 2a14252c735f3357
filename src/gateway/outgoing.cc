#include "gateway/outgoing.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/encoding.h"
#include "dialect/errors.h"
#include "dialect/signature.h"
#include "dialect/translate.h"
#include "dialect/unmark.h"
#include "gateway/batches.h"
#include "gateway/count_tokens.h"
#include "gateway/multipart.h"
#include "gateway/stages.h"

namespace weir::gateway {
namespace {

using dialect::Dialect;
using provider::Operation;

// Headers of the client that mean something to the provider. Everything else (cookies, the key,
// tracing of the client's own network) stays here.
constexpr std::string_view kForwarded[] = {
    "accept",      "user-agent",          "idempotency-key",
    "openai-beta", "x-client-request-id", "x-goog-api-client",
};

// Realtime names its model in the query.
void name_model_in_query(std::string& query, const provider::Deployment& deployment) {
  const bool classic_azure = deployment.account->kind == provider::Kind::azure_openai &&
                             !deployment.account->api_version.empty();
  if (!query.empty()) query += '&';
  query += classic_azure ? "deployment=" : "model=";
  query += percent_encode(deployment.model);
}

// Whether a part of the conversation is kept by the provider that made it (Responses): to go on
// without it would be another question.
bool refers_elsewhere(const dialect::Conversation& conversation) {
  if (!conversation.previous_response_id.empty()) return true;
  for (const dialect::Message& message : conversation.messages) {
    for (const dialect::Part& part : message.parts) {
      if (part.kind == dialect::PartKind::native && part.name == "item_reference") return true;
    }
  }
  return false;
}

}  // namespace

bool wants_thread(const Exchange& x) {
  return x.route.dialect == Dialect::anthropic_messages && x.document.root()["thread"].is_object();
}

dialect::ApiError refusal_of(const Exchange& x, const Error& error) {
  const bool previous = x.conversation && !x.conversation->previous_response_id.empty();
  std::string_view code = previous ? "previous_response_not_found" : "invalid_request";
  if (wants_thread(x)) code = dialect::kThreadUnsupported;
  return {.type = dialect::ApiErrorType::invalid_request,
          .status = 400,
          .message = std::string(error.message()),
          .code = std::string(code),
          .param = previous ? "previous_response_id" : ""};
}

std::string forwarded_query(std::string_view query) {
  std::string kept;
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    const std::string_view name = pair.substr(0, pair.find('='));
    if (name == "key" || name == "api-version" || pair.empty()) continue;
    // Weir's own name of the model; the provider's is put in its place where one belongs.
    if (name == "model" || name == "deployment") continue;
    if (!kept.empty()) kept += '&';
    kept += pair;
  }
  return kept;
}

Result<std::unique_ptr<Outgoing>> Outgoing::build(Exchange& x,
                                                  const provider::Deployment& deployment) {
  std::unique_ptr<Outgoing> out(new Outgoing());
  const auto spoken = provider::spoken(deployment, x.route.operation, x.route.dialect);
  if (!spoken) return fail(ErrorCode::internal, "planned a deployment that cannot serve this");
  // Elsewhere the field would be dropped, and the model asked with half of the conversation.
  if (wants_thread(x) && deployment.account->kind != provider::Kind::anthropic) {
    return fail(ErrorCode::invalid_argument,
                "thread: only Anthropic's own API keeps conversations, and another provider serves "
                "this model; send the whole conversation");
  }
  provider::Call& call = out->call_;
  call.operation = spoken->operation;
  call.dialect = spoken->dialect;
  call.stream = x.stream;
  call.method = x.client.head().method;
  call.rest = x.route.rest;
  // Responses sub-paths and other unread paths keep the client's dialect for their errors alone.
  out->translated_ = call.dialect != x.route.dialect && call.dialect != Dialect::passthrough;
  if (call.operation == Operation::embed) {
    out->embeddings_api_ = provider_embeddings_api(x.route, deployment);
    out->translated_ = out->embeddings_api_ != client_embeddings_api(x.route);
    call.rest = embeddings_method(out->embeddings_api_);
  }
  out->client_sse_ =
      x.route.dialect != Dialect::gemini || x.route.query.find("alt=sse") != std::string_view::npos;
  if (!out->translated_) {
    out->query_ = forwarded_query(x.route.query);
    if (x.route.endpoint == "/realtime") name_model_in_query(out->query_, deployment);
    call.sse = out->client_sse_;
    call.query = out->query_;
    call.client_headers = &x.client.head().headers;
  }
  if (out->translated_) {
    WEIR_CHECK_OK(out->translate(x, deployment));
  } else if (x.body_is_json) {
    WEIR_CHECK_OK(out->edit(x, deployment));
  } else {
    out->edit_multipart(x, deployment);
  }
  out->wrap(provider::provider_of(deployment.account->kind));
  WEIR_CHECK_OK(out->build_head(x, deployment));
  return out;
}

Result<std::unique_ptr<Outgoing>> Outgoing::another(Exchange& x,
                                                    const provider::Deployment& deployment,
                                                    size_t call) const {
  std::unique_ptr<Outgoing> out(new Outgoing());
  out->call_ = call_;
  out->translated_ = true;
  out->embeddings_api_ = embeddings_api_;
  WEIR_TRY(out->text_, write_embeddings_call(x, *embeddings_, embeddings_api_, deployment, call));
  out->pieces_ = {out->text_};
  WEIR_CHECK_OK(out->build_head(x, deployment));
  return out;
}

Result<void> Outgoing::translate(Exchange& x, const provider::Deployment& deployment) {
  const provider::Account& account = *deployment.account;
  if (x.route.operation == Operation::embed) {
    WEIR_TRY(embeddings_, read_embeddings(x));
    calls_ = embeddings_calls(*embeddings_, embeddings_api_, deployment);
    WEIR_TRY(text_, write_embeddings_call(x, *embeddings_, embeddings_api_, deployment, 0));
    pieces_ = {text_};
    return {};
  }
  if (x.route.operation == Operation::rerank) {
    WEIR_TRY(rerank_, read_rerank(x));
    text_ = write_rerank(x, *rerank_, deployment);
    pieces_ = {text_};
    return {};
  }
  if (!x.conversation) {
    WEIR_TRY(x.conversation, dialect::read_request(x.route.dialect, counted_request(x),
                                                   {.model = x.model_asked, .stream = x.stream}));
  }
  dialect::Conversation& conversation = *x.conversation;
  // The answer repeats it, and no provider is told.
  if (!x.recalled.empty()) conversation.previous_response_id.clear();
  if (refers_elsewhere(conversation)) {
    return fail(ErrorCode::invalid_argument,
                conversation.previous_response_id.empty()
                    ? "input: an item_reference names an item that is not kept here; send the item "
                      "itself"
                    : "previous_response_id: Previous response with id '" +
                          conversation.previous_response_id.substr(0, 200) + "' not found");
  }
  const bool wanted_usage = conversation.stream_usage;
  conversation.stream_usage = x.stream && account.stream_usage;
  x.dropped.clear();
  auto written = dialect::write_request(
      call_.dialect, conversation,
      {.model = deployment.model,
       .stream = x.stream,
       .base_model = deployment.base_model,
       .max_completion_tokens = account.kind != provider::Kind::openai_compatible,
       .stream_options = account.stream_usage},
      x.dropped);
  conversation.stream_usage = wanted_usage;
  conversation.previous_response_id = x.recalled;
  if (!written) return fail(std::move(written).error());
  text_ = std::move(*written);
  if (x.route.operation == Operation::count_tokens) {
    WEIR_TRY(text_, count_request(call_.dialect, deployment, text_));
  }
  // What the provider's address changes about a body in its dialect (Vertex) holds here too.
  json::Document document;
  WEIR_CHECK_OK(document.parse(text_));
  provider::BodyEdit body(document.root());
  provider::provider_of(account.kind).edit(deployment, call_, body);
  cut(text_, body.edits());
  return {};
}

Result<void> Outgoing::edit(Exchange& x, const provider::Deployment& deployment) {
  provider::BodyEdit body(x.document.root());
  provider::provider_of(deployment.account->kind).edit(deployment, call_, body);
  WEIR_CHECK_OK(edit_batch(x, deployment, body));
  strip_usage_chunk_ =
      x.stream && deployment.account->stream_usage && !x.client_wants_usage &&
      (call_.dialect == Dialect::openai_chat || call_.dialect == Dialect::openai_completions);
  // A client that was served by another dialect before may hold what that one signed.
  if (dialect::may_hold_marks(x.body)) {
    dialect::append_unmarking(call_.dialect, x.document.root(), body.nested);
  }
  cut(x.body, body.edits());
  return {};
}

void Outgoing::wrap(const provider::Provider& provider) {
  if (provider.wrap == nullptr) return;
  std::string wrapped = provider.wrap(call_, pieces_);
  if (wrapped.empty()) return;
  text_ = std::move(wrapped);
  pieces_ = {text_};
}

void Outgoing::edit_multipart(const Exchange& x, const provider::Deployment& deployment) {
  std::vector<json::Edit> edits;
  const std::string boundary = multipart_boundary(x.client.head().headers.get("content-type"));
  if (!boundary.empty()) {
    if (const auto field = find_multipart_field(x.body, boundary, "model")) {
      edits.push_back({field->offset, field->length, deployment.model});
    }
  }
  cut(x.body, std::move(edits));
}

// The pieces of `text` with the edits (ascending) in between, without copying the text.
void Outgoing::cut(std::string_view text, std::vector<json::Edit> edits) {
  edits_ = std::move(edits);
  pieces_.reserve(2 * edits_.size() + 1);
  size_t at = 0;
  for (const json::Edit& edit : edits_) {
    if (edit.offset > at) pieces_.push_back(text.substr(at, edit.offset - at));
    if (!edit.replacement.empty()) pieces_.push_back(edit.replacement);
    at = edit.offset + edit.length;
    size_change_ +=
        static_cast<int64_t>(edit.replacement.size()) - static_cast<int64_t>(edit.length);
  }
  if (at < text.size()) pieces_.push_back(text.substr(at));
}

Result<void> Outgoing::build_head(const Exchange& x, const provider::Deployment& deployment) {
  const provider::Account& account = *deployment.account;
  const provider::Provider& provider = provider::provider_of(account.kind);
  http::HeaderMap fields;
  const http::HeaderList& from = x.client.head().headers;
  for (const std::string_view name : kForwarded) {
    if (const auto value = from.find(name)) {
      fields.add({.name = name, .value = *value, .checked = true});
    }
  }
  fields.add({.name = "accept-encoding", .value = "identity", .checked = true});
  if (!x.body.empty() || x.body_streamed) {
    const std::string_view type = from.get("content-type");
    const bool json = x.body_is_json || translated_ || type.empty();
    fields.add({.name = "content-type",
                .value = json ? std::string_view("application/json") : type,
                .checked = true});
  }
  if (wants_upgrade(x)) {
    for (const http::Header& header : from) {
      const bool websocket =
          header.name.size() > 14 && http::iequals(header.name.substr(0, 14), "sec-websocket-");
      // The subprotocol list may carry a browser client's key; Weir authenticates by header. What
      // is not offered is not used: usage is read from the frames, which must not be compressed.
      if (websocket && !http::iequals(header.name, "sec-websocket-protocol") &&
          !http::iequals(header.name, "sec-websocket-extensions")) {
        fields.add(header.name, header.value);
      }
    }
    fields.set("connection", "upgrade");
    fields.set("upgrade", "websocket");
  }
  for (const auto& [name, value] : account.headers) fields.set(name, value);
  provider.headers(deployment, call_, fields);
  WEIR_CHECK_OK(provider.authenticate(account, fields));
  const std::string target = provider.target(deployment, call_);
  origin_ = provider.origin != nullptr ? provider.origin(deployment, call_) : account.origin;
  const std::string host = http::host_field(origin_);
  if (provider.sign != nullptr) {
    WEIR_CHECK_OK(provider.sign(account,
                                {.method = call_.method,
                                 .host = host,
                                 .target = target,
                                 .body = pieces_,
                                 .wall_ms = x.worker.loop.clock().wall_ms()},
                                fields));
  }

  http::RequestBuilder builder(call_.method, target, host);
  for (size_t i = 0; i < fields.size(); ++i) builder.header(fields[i]);
  head_ = builder.take();
  return {};
}

}  // namespace weir::gateway
