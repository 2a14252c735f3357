#include <fmt/format.h>

#include "dialect/relay/meter.h"
#include "dialect/translate.h"
#include "gateway/batches.h"
#include "gateway/count_tokens.h"
#include "gateway/pins.h"
#include "gateway/relay.h"
#include "gateway/responses_tap.h"
#include "gateway/stages.h"

namespace weir::gateway {
namespace {

using dialect::Dialect;
using provider::FailureClass;
using provider::Operation;

// Answers up to here are held until they are whole, so that a broken one can be tried elsewhere;
// longer ones in the client's own dialect are passed on as they come.
constexpr size_t kHeldBytesMax = 16 * 1024 * 1024;

// The body in the client's dialect.
Result<std::string> translate_whole(Relay& r, const json::Document& document) {
  Exchange& x = r.x;
  if (x.route.operation == Operation::embed) {
    dialect::EmbeddingsReply reply;
    WEIR_CHECK_OK(
        add_embeddings(r.outgoing.embeddings_api(), document.root(), r.head.headers, reply));
    return write_embeddings(x, reply);
  }
  if (x.route.operation == Operation::rerank) {
    return translate_rerank_reply(x, *r.outgoing.rerank(), document.root());
  }
  if (x.route.operation == Operation::count_tokens) {
    WEIR_TRY(const int64_t tokens, read_count(r.outgoing.provider_dialect(), document.root()));
    return count_body(x.route.dialect, tokens);
  }
  WEIR_TRY(const dialect::Reply reply,
           dialect::read_reply(r.outgoing.provider_dialect(), document.root()));
  const dialect::Context context{.model = reply.model.empty() ? x.model_asked : reply.model,
                                 .request_id = x.id_text,
                                 .now_s = x.start_ms / 1000,
                                 .asked = asked_of(x),
                                 .include_usage = x.client_wants_usage,
                                 .sse = r.outgoing.client_sse()};
  if (!x.stream) return dialect::write_reply(x.route.dialect, reply, context);
  // The client asked for a stream and the provider answered whole.
  std::string events;
  const auto writer = dialect::make_stream_writer(x.route.dialect, context);
  for (const dialect::StreamEvent& event : dialect::events_of(reply)) writer->write(event, events);
  return events;
}

// A translated answer of the Responses API is Weir's to keep.
void keep_answer(Exchange& x, std::string_view answer) {
  ResponsesTap tap(x, /*kept_here=*/true);
  if (x.stream) return tap.feed(answer);
  json::Document document;
  if (document.parse(answer)) tap.whole(document.root());
}

}  // namespace

RelayEnd failed(const Relay& r, FailureClass failure, std::string_view detail) {
  return {failure, provider::error_of(failure, r.deployment.name, detail)};
}

RelayEnd no_memory(Exchange& x) {
  ++x.worker.counters.refused_memory;
  return {FailureClass::cancelled,
          {.type = dialect::ApiErrorType::overloaded,
           .status = 503,
           .message = "Weir holds too many answers at the moment. Try again shortly.",
           .code = "bodies_limit",
           .param = {}}};
}

RelayEnd too_long(const Relay& r) {
  // Not the deployment's fault: the client asked for that much.
  return {FailureClass::invalid, provider::error_of(FailureClass::protocol, r.deployment.name,
                                                    "its answer is over 64 MiB")};
}

net::Task<RelayEnd> answer_whole(Relay& r, std::string_view type, std::string_view bytes) {
  Exchange& x = r.x;
  r.timer.cancel();
  // There is nothing left to cancel when the client leaves.
  x.upstream = nullptr;
  http::AnswerFields fields;
  answer_headers(r, type, fields);
  if (const ledger::Cost cost = price(x); cost.state == ledger::CostState::final) {
    fields.add_copy("x-weir-cost-usd", cost.total.to_usd());
  }
  x.status = r.head.status;
  if (x.capturing()) x.response_content_type = type;
  x.first_byte = x.now();
  x.bytes_out += static_cast<int64_t>(bytes.size());
  capture_response(x, bytes);
  const http::ResponseHead head{.status = r.head.status, .reason = {}, .headers = fields.take()};
  if (!co_await x.client.respond(head, bytes)) x.client_gone = true;
  co_return RelayEnd{};
}

net::Task<RelayEnd> relay_whole(Relay& r) {
  Exchange& x = r.x;
  uint64_t& held = x.worker.counters.body_bytes_held;
  std::string body;
  struct Release {
    uint64_t& held;
    const std::string& body;
    ~Release() { held -= body.size(); }
  };
  bool handed_over = false;
  {
    const Release release{held, body};
    r.timer.arm("answer", x.asked->timeouts.answer);
    while (true) {
      auto piece = co_await r.upstream.read_body();
      if (!piece) {
        co_return failed(r, provider::classify_error(piece.error(), true), piece.error().message());
      }
      if (piece->empty()) break;
      if (x.upstream_time == Nanoseconds{0}) x.upstream_time = x.now() - x.started;
      body += *piece;
      held += piece->size();
      r.timer.arm("data", x.asked->timeouts.idle);
      const bool full = held > Worker::kBodyBytesHeldMax;
      if (!r.outgoing.translated() && (full || body.size() > kHeldBytesMax)) {
        handed_over = true;
        break;
      }
      if (full) co_return no_memory(x);
      if (body.size() > kTranslatedBytesMax) co_return too_long(r);
    }
    if (!handed_over) {
      const std::string_view type = r.head.headers.get("content-type");
      std::string_view answer_type = type;
      const bool must_be_json = x.route.operation != Operation::passthrough ||
                                type.find("json") != std::string_view::npos;
      json::Document document;
      if (must_be_json && r.head.status != 204 && !body.empty()) {
        // Read leniently: a name that the provider gives twice is not Weir's to refuse.
        if (auto parsed = document.parse(body, {.unique_keys_levels = 0}); !parsed) {
          co_return failed(
              r, FailureClass::truncated,
              fmt::format("its answer is not whole JSON: {}", parsed.error().message()));
        }
      } else if (must_be_json && r.head.status != 204) {
        co_return failed(r, FailureClass::truncated, "its answer is empty");
      }
      // Some servers send an error with status 200. Responses that failed are told as they are to
      // their own clients.
      const bool failure_is_told =
          x.route.operation == Operation::respond && !r.outgoing.translated();
      if (must_be_json && document.root()["error"].size() > 0 && !failure_is_told &&
          x.route.operation != Operation::passthrough) {
        const auto error = dialect::read_error(r.outgoing.provider_dialect(), 500, body);
        co_return RelayEnd{provider::classify_status(error.status, error), error};
      }
      if (makes_something(x)) {
        x.usage = dialect::read_usage(r.outgoing.provider_dialect() == Dialect::passthrough
                                          ? Dialect::openai_chat
                                          : r.outgoing.provider_dialect(),
                                      document.root());
      }
      if (x.route.operation == Operation::rerank) read_search_units(x, document.root());
      if (!r.outgoing.translated() && document.root().is_object()) {
        if (keeps_state(x)) co_await watch_batch(x, document.root());
        learn_pins(x, document.root());
        if (may_make_container(x)) learn_container(x, document.root());
      }
      std::string answer;
      bool rewritten = false;
      if (x.route.operation == Operation::passthrough) {
        forget_pins(x);
        if (auto local = localize_results_url(x, document.root())) {
          answer = std::move(*local);
          rewritten = true;
        }
      }
      if (r.outgoing.translated()) {
        auto translated = translate_whole(r, document);
        if (!translated) {
          co_return failed(r, FailureClass::protocol, translated.error().message());
        }
        answer = std::move(*translated);
        if (x.route.operation == Operation::respond) keep_answer(x, answer);
        answer_type = x.stream ? r.outgoing.translated_stream_type() : "application/json";
      }
      const provider::Provider& provider = provider::provider_of(r.deployment.account->kind);
      bool changed = r.outgoing.translated() || rewritten;
      if (provider.unwrap != nullptr && !changed) {
        answer = provider.unwrap(r.outgoing.call(), document.root());
        changed = !answer.empty();
      }
      co_return co_await answer_whole(r, answer_type, changed ? answer : body);
    }
  }
  co_return co_await relay_bytes(r, std::move(body));
}

}  // namespace weir::gateway
