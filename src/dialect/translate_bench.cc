// What the translation of a stream costs per event, for every pair of dialects: microseconds and
// allocations from the bytes of one event to the bytes of another; and beside it the relay, where
// both sides speak the same. One event per read, as tokens arrive.

#include <benchmark/benchmark.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "dialect/relay/meter.h"
#include "dialect/sse.h"
#include "dialect/translate.h"

namespace {

std::atomic<int64_t> allocations = 0;

void* counted(size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* at = std::malloc(size == 0 ? 1 : size)) return at;
  std::abort();
}

}  // namespace

// Of the whole program: there is no other place to count.
void* operator new(size_t size) {
  return counted(size);
}
void* operator new[](size_t size) {
  return counted(size);
}
void operator delete(void* at) noexcept {
  std::free(at);
}
void operator delete[](void* at) noexcept {
  std::free(at);
}
void operator delete(void* at, size_t) noexcept {
  std::free(at);
}
void operator delete[](void* at, size_t) noexcept {
  std::free(at);
}

namespace weir::dialect {
namespace {

// The beginning of an answer, and one event with a token.
struct Stream {
  Dialect dialect;
  const char* name;
  std::string_view begin;
  std::string_view token;
};

constexpr Stream kStreams[] = {
    {Dialect::openai_chat, "chat",
     R"(data: {"id":"chatcmpl-BsT","object":"chat.completion.chunk","created":1770764938,)"
     R"("model":"gpt-4o","choices":[{"index":0,"delta":{"role":"assistant","content":""},)"
     R"("finish_reason":null}]})"
     "\n\n",
     R"(data: {"id":"chatcmpl-BsT","object":"chat.completion.chunk","created":1770764938,)"
     R"("model":"gpt-4o","service_tier":"default","system_fingerprint":"fp_1","choices":[)"
     R"({"index":0,"delta":{"content":" token"},"logprobs":null,"finish_reason":null}],)"
     R"("usage":null,"obfuscation":"xxxxxxxxx"})"
     "\n\n"},
    {Dialect::openai_responses, "responses",
     "event: response.created\n"
     R"(data: {"type":"response.created","sequence_number":0,"response":{"id":"resp_1",)"
     R"("object":"response","created_at":1770764938,"model":"gpt-5","output":[]}})"
     "\n\nevent: response.output_item.added\n"
     R"(data: {"type":"response.output_item.added","sequence_number":1,"output_index":0,)"
     R"("item":{"id":"msg_1","type":"message","status":"in_progress","content":[],)"
     R"("role":"assistant"}})"
     "\n\nevent: response.content_part.added\n"
     R"(data: {"type":"response.content_part.added","sequence_number":2,"item_id":"msg_1",)"
     R"("output_index":0,"content_index":0,"part":{"type":"output_text","annotations":[],)"
     R"("text":""}})"
     "\n\n",
     "event: response.output_text.delta\n"
     R"(data: {"type":"response.output_text.delta","sequence_number":3,"item_id":"msg_1",)"
     R"("output_index":0,"content_index":0,"delta":" token","logprobs":[],)"
     R"("obfuscation":"xxxxxxxxx"})"
     "\n\n"},
    {Dialect::anthropic_messages, "messages",
     "event: message_start\n"
     R"(data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":)"
     R"("assistant","model":"claude-opus-4-6","content":[],"usage":{"input_tokens":9,)"
     R"("output_tokens":1}}})"
     "\n\nevent: content_block_start\n"
     R"(data: {"type":"content_block_start","index":0,"content_block":{"type":"text",)"
     R"("text":""}})"
     "\n\n",
     "event: content_block_delta\n"
     R"(data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta",)"
     R"("text":" token"} })"
     "\n\n"},
    {Dialect::gemini, "gemini",
     R"(data: {"candidates":[{"content":{"parts":[{"text":"A"}],"role":"model"},"index":0}],)"
     R"("usageMetadata":{"promptTokenCount":9,"totalTokenCount":9},)"
     R"("modelVersion":"gemini-2.5-flash","responseId":"r1"})"
     "\r\n\r\n",
     R"(data: {"candidates":[{"content":{"parts":[{"text":" token"}],"role":"model"},"index":0}],)"
     R"("usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":12,"totalTokenCount":21},)"
     R"("modelVersion":"gemini-2.5-flash","responseId":"r1"})"
     "\r\n\r\n"},
    {Dialect::bedrock_converse, "converse",
     "event: messageStart\ndata: {\"role\":\"assistant\"}\n\n",
     "event: contentBlockDelta\n"
     R"(data: {"contentBlockIndex":0,"delta":{"text":" token"},"p":"abcdefgh"})"
     "\n\n"},
};

void report(benchmark::State& state, int64_t allocated) {
  state.SetItemsProcessed(state.iterations());
  const auto events = static_cast<double>(state.iterations());
  state.counters["us_per_event"] =
      benchmark::Counter(events / 1e6, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  state.counters["allocations"] = static_cast<double>(allocated) / events;
}

void translate(benchmark::State& state, const Stream& from, Dialect to) {
  const auto reader = make_stream_reader(from.dialect);
  const auto writer = make_stream_writer(to, {.model = "the-model", .request_id = "r"});
  SseReader sse;
  StreamEvents events;
  std::string out;
  const std::function<void(const SseEvent&)> sink = [&](const SseEvent& event) {
    events.clear();
    reader->read(event, events);
    for (const StreamEvent& each : events) writer->write(each, out);
  };
  if (!sse.feed(from.begin, sink)) state.SkipWithError("the beginning is refused");
  const int64_t before = allocations.load(std::memory_order_relaxed);
  for (auto _ : state) {
    out.clear();
    if (!sse.feed(from.token, sink)) state.SkipWithError("an event is refused");
    benchmark::DoNotOptimize(out.data());
  }
  if (out.find(" token") == std::string::npos) state.SkipWithError("the token is lost");
  report(state, allocations.load(std::memory_order_relaxed) - before);
}

void relay(benchmark::State& state, const Stream& stream) {
  const auto meter = make_relay_meter(stream.dialect, {.strip_usage_chunk = true});
  std::vector<std::string_view> out;
  if (!meter->feed(stream.begin, out)) state.SkipWithError("the beginning is refused");
  const int64_t before = allocations.load(std::memory_order_relaxed);
  for (auto _ : state) {
    out.clear();
    if (!meter->feed(stream.token, out)) state.SkipWithError("an event is refused");
    benchmark::DoNotOptimize(out.data());
  }
  report(state, allocations.load(std::memory_order_relaxed) - before);
}

const bool registered = [] {
  for (const Stream& from : kStreams) {
    for (const Stream& to : kStreams) {
      const std::string name = std::string(from.name) + "_to_" + to.name;
      if (to.dialect == Dialect::bedrock_converse) continue;  // no client speaks it
      if (from.dialect == to.dialect) {
        benchmark::RegisterBenchmark((std::string("relay_") + from.name).c_str(),
                                     [&](benchmark::State& state) { relay(state, from); });
      } else {
        benchmark::RegisterBenchmark(name.c_str(), [&, to = to.dialect](benchmark::State& state) {
          translate(state, from, to);
        });
      }
    }
  }
  return true;
}();

}  // namespace
}  // namespace weir::dialect
