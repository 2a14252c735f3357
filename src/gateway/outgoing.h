// Outgoing: one attempt's request to the provider, put together from the client's request: the
// same bytes with a few edits where both speak one dialect, else a translation. Pure but for
// reading the account's access token. Views refer to the Exchange and to the Outgoing itself.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json/splice.h"
#include "base/result.h"
#include "dialect/conversation.h"
#include "gateway/embed.h"
#include "gateway/exchange.h"
#include "gateway/rerank.h"
#include "http/client.h"
#include "http/head.h"
#include "provider/call.h"

namespace weir::gateway {

class Outgoing {
 public:
  // Errors: unavailable (no access token yet); invalid_argument (the client's request is at fault
  // or cannot be put into the provider's dialect): the message is for the client.
  static Result<std::unique_ptr<Outgoing>> build(Exchange& x,
                                                 const provider::Deployment& deployment);

  // Some requests take several calls: how many, and one of those behind the first, which is this.
  size_t calls() const { return calls_; }
  Result<std::unique_ptr<Outgoing>> another(Exchange& x, const provider::Deployment& deployment,
                                            size_t call) const;

  dialect::Dialect provider_dialect() const { return call_.dialect; }
  bool translated() const { return translated_; }
  const provider::Call& call() const { return call_; }
  // Operation::embed: the API that the provider is asked by.
  dialect::EmbeddingsApi embeddings_api() const { return embeddings_api_; }
  // Weir asked for usage in an OpenAI stream and the client had not.
  bool strip_usage_chunk() const { return strip_usage_chunk_; }
  std::string_view head() const { return head_; }
  // A call that the provider bills each time: not to be sent again unseen.
  bool once() const { return head_.starts_with("POST "); }
  std::span<const std::string_view> body() const { return pieces_; }
  // The client takes a stream as events; else, by Gemini's API without alt=sse, as one JSON array.
  bool client_sse() const { return client_sse_; }
  std::string_view translated_stream_type() const {
    return client_sse_ ? "text/event-stream; charset=utf-8" : "application/json; charset=utf-8";
  }
  // Operation::rerank, where it is translated.
  const std::optional<dialect::RerankRequest>& rerank() const { return rerank_; }
  // Where the call goes.
  const http::Origin& origin() const { return origin_; }
  // Bytes by which the body differs in size from the client's.
  int64_t size_change() const { return size_change_; }

 private:
  Outgoing() = default;
  Result<void> translate(Exchange& x, const provider::Deployment& deployment);
  Result<void> edit(Exchange& x, const provider::Deployment& deployment);
  void edit_multipart(const Exchange& x, const provider::Deployment& deployment);
  Result<void> build_head(const Exchange& x, const provider::Deployment& deployment);
  void cut(std::string_view text, std::vector<json::Edit> edits);
  void wrap(const provider::Provider& provider);

  provider::Call call_;
  bool translated_ = false;
  bool client_sse_ = true;
  dialect::EmbeddingsApi embeddings_api_ = dialect::EmbeddingsApi::openai;
  std::optional<dialect::EmbeddingsRequest> embeddings_;  // where they are translated
  size_t calls_ = 1;
  std::optional<dialect::RerankRequest> rerank_;
  http::Origin origin_;
  bool strip_usage_chunk_ = false;
  std::string query_;
  std::string head_;
  std::string text_;               // the translated body
  std::vector<json::Edit> edits_;  // in order; their replacements are pieces of the body
  std::vector<std::string_view> pieces_;
  int64_t size_change_ = 0;
};

// Whether an Anthropic client wants the provider to keep the conversation, and sends or will send
// only what is new of it.
bool wants_thread(const Exchange& x);

// What the client is told where build() gave invalid_argument.
dialect::ApiError refusal_of(const Exchange& x, const Error& error);

// The client's query without Weir's own business: the key and Azure's api-version.
std::string forwarded_query(std::string_view query);

}  // namespace weir::gateway
