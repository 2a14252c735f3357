// Any bytes as a Gemini request, a whole answer and a stream: what is read can be written, and
// what has been written reads again; a stream ends in an end or an error and never in both.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "dialect/embeddings.h"
#include "dialect/gemini/gemini.h"
#include "dialect/translate.h"

namespace weir::dialect {
namespace {

void check_request(json::Value root) {
  const Context context{.model = "gemini-3-pro", .request_id = "r"};
  const auto conversation = gemini::read_request(root, context);
  if (!conversation) {
    WEIR_ASSERT(conversation.error().code() == ErrorCode::invalid_argument);
    return;
  }
  Dropped dropped;
  const auto body = gemini::write_request(*conversation, context, dropped);
  if (!body) return;  // nothing in it that could be said
  json::Document document;
  WEIR_ASSERT(document.parse(*body));
  const auto again = gemini::read_request(document.root(), context);
  WEIR_ASSERT(again);
  // From here on it is a fixed point: the first writing says what the client left open.
  Dropped ignored;
  const auto second = gemini::write_request(*again, context, ignored);
  WEIR_ASSERT(second);
  json::Document other;
  WEIR_ASSERT(other.parse(*second));
  const auto last = gemini::read_request(other.root(), context);
  WEIR_ASSERT(last);
  const auto third = gemini::write_request(*last, context, ignored);
  WEIR_ASSERT(third && *third == *second);
}

void check_reply(json::Value root) {
  const auto reply = gemini::read_reply(root);
  if (!reply) return;
  WEIR_ASSERT(!reply->candidates.empty());
  const std::string body = gemini::write_reply(*reply, {});
  json::Document document;
  WEIR_ASSERT(document.parse(body));
  WEIR_ASSERT(gemini::read_reply(document.root()));
}

void check_stream(std::string_view bytes) {
  StreamEvents events;
  const auto reader = gemini::make_stream_reader();
  SseReader sse;
  const auto sink = [&](const SseEvent& event) { reader->read(event, events); };
  if (sse.feed(bytes, sink)) (void)sse.finish(sink);
  reader->finish(events);
  WEIR_ASSERT(!events.empty());
  size_t ends = 0;
  for (const StreamEvent& event : events) {
    if (event.kind == EventKind::end || event.kind == EventKind::error) ++ends;
  }
  WEIR_ASSERT(ends == 1);
  const bool good = events.back().kind == EventKind::end;
  WEIR_ASSERT(good || events.back().kind == EventKind::error);

  std::string out;
  ReplyBuilder builder;
  const auto writer = gemini::make_stream_writer({});
  for (const StreamEvent& event : events) {
    writer->write(event, out);
    builder.add(event);
  }
  // What was written reads back the same way.
  StreamEvents again;
  const auto second = gemini::make_stream_reader();
  SseReader lines;
  const auto second_sink = [&](const SseEvent& event) { second->read(event, again); };
  WEIR_ASSERT(lines.feed(out, second_sink));
  second->finish(again);
  WEIR_ASSERT(!again.empty() && (again.back().kind == EventKind::end) == good);
}

void check_embeddings(json::Value root) {
  for (const EmbeddingsApi api : {EmbeddingsApi::openai, EmbeddingsApi::gemini_embed,
                                  EmbeddingsApi::gemini_batch, EmbeddingsApi::vertex_predict}) {
    if (const auto request = read_embeddings_request(api, root, {})) {
      for (const EmbeddingsApi target :
           {EmbeddingsApi::openai, EmbeddingsApi::gemini_batch, EmbeddingsApi::vertex_predict,
            EmbeddingsApi::bedrock_titan, EmbeddingsApi::bedrock_nova,
            EmbeddingsApi::bedrock_cohere}) {
        Dropped dropped;
        const auto body = write_embeddings_request(target, *request, {}, dropped);
        json::Document document;
        WEIR_ASSERT(!body || document.parse(*body));
      }
    }
  }
  for (const EmbeddingsApi api :
       {EmbeddingsApi::openai, EmbeddingsApi::gemini_embed, EmbeddingsApi::gemini_batch,
        EmbeddingsApi::vertex_predict, EmbeddingsApi::bedrock_titan, EmbeddingsApi::bedrock_nova,
        EmbeddingsApi::bedrock_cohere}) {
    if (const auto reply = read_embeddings_reply(api, root)) {
      json::Document document;
      WEIR_ASSERT(document.parse(write_embeddings_reply(EmbeddingsApi::openai, *reply, {}, true)));
    }
  }
}

void check(std::string_view bytes) {
  check_stream(bytes);
  json::Document document;
  if (!document.parse(bytes)) return;
  check_request(document.root());
  check_reply(document.root());
  check_embeddings(document.root());
}

}  // namespace
}  // namespace weir::dialect

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  weir::dialect::check({reinterpret_cast<const char*>(data), size});
  return 0;
}
