// What metering costs per chunk of a stream, beside the copy that any proxy makes. Chunks of 240
// bytes are what OpenAI sends per token.

#include <benchmark/benchmark.h>

#include <cstring>

#include "dialect/relay/meter.h"

namespace weir::dialect {
namespace {

constexpr size_t kChunkBytes = 240;

std::string openai_chunk(size_t number) {
  std::string chunk = R"(data: {"id":"chatcmpl-BsT000000000000","object":"chat.completion.chunk",)"
                      R"("created":1770764938,"model":"gpt-4o-2024-11-20",)"
                      R"("choices":[{"index":0,"delta":{"content":" tok)";
  chunk += std::to_string(number % 10);
  chunk += R"("},"finish_reason":null}],"obfuscation":")";
  chunk.resize(kChunkBytes - 4, 'x');
  chunk += "\"}\n\n";
  return chunk;
}

std::string anthropic_chunk(size_t number) {
  return "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,"
         "\"delta\":{\"type\":\"text_delta\",\"text\":\" tok" +
         std::to_string(number % 10) + "\"} }\n\n";
}

std::string gemini_chunk(size_t number) {
  return R"(data: {"candidates":[{"content":{"parts":[{"text":" tok"}],"role":"model"},"index":0}],)"
         R"("usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":)" +
         std::to_string(number) + R"(,"totalTokenCount":217},"modelVersion":"gemini-2.5-flash"})" +
         "\r\n\r\n";
}

std::string many(std::string (*chunk)(size_t), size_t count) {
  std::string bytes;
  for (size_t i = 0; i < count; ++i) bytes += chunk(i);
  return bytes;
}

// One chunk per read, as tokens arrive; or many, as a busy connection delivers them.
void relay(benchmark::State& state, Dialect dialect, std::string (*chunk)(size_t)) {
  const auto per_read = static_cast<size_t>(state.range(0));
  const std::string bytes = many(chunk, per_read);
  const auto meter = make_relay_meter(dialect, {.strip_usage_chunk = true});
  std::vector<std::string_view> out;
  for (auto _ : state) {
    out.clear();
    if (!meter->feed(bytes, out)) state.SkipWithError("feed failed");
    benchmark::DoNotOptimize(out.data());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(bytes.size()));
  state.counters["ns_per_chunk"] =
      benchmark::Counter(static_cast<double>(state.iterations() * state.range(0)) / 1e9,
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void openai(benchmark::State& state) {
  relay(state, Dialect::openai_chat, openai_chunk);
}
void anthropic(benchmark::State& state) {
  relay(state, Dialect::anthropic_messages, anthropic_chunk);
}
void gemini(benchmark::State& state) {
  relay(state, Dialect::gemini, gemini_chunk);
}

// Reads of 16 KiB that cut events anywhere.
void openai_cut(benchmark::State& state) {
  const std::string bytes = many(openai_chunk, 68 * 64);
  const auto meter = make_relay_meter(Dialect::openai_chat, {.strip_usage_chunk = true});
  std::vector<std::string_view> out;
  size_t at = 0;
  int64_t read = 0;
  for (auto _ : state) {
    out.clear();
    const std::string_view piece = std::string_view(bytes).substr(at, 16384);
    if (!meter->feed(piece, out)) state.SkipWithError("feed failed");
    benchmark::DoNotOptimize(out.data());
    read += static_cast<int64_t>(piece.size());
    at = at + 16384 >= bytes.size() ? 0 : at + 16384;
  }
  state.SetBytesProcessed(read);
  state.counters["ns_per_chunk"] =
      benchmark::Counter(static_cast<double>(read) / kChunkBytes / 1e9,
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void copy(benchmark::State& state) {
  const std::string bytes = many(openai_chunk, static_cast<size_t>(state.range(0)));
  std::string target(bytes.size(), '\0');
  for (auto _ : state) {
    std::memcpy(target.data(), bytes.data(), bytes.size());
    benchmark::DoNotOptimize(target.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(bytes.size()));
  state.counters["ns_per_chunk"] =
      benchmark::Counter(static_cast<double>(state.iterations() * state.range(0)) / 1e9,
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

BENCHMARK(copy)->Arg(1)->Arg(64);
BENCHMARK(openai)->Arg(1)->Arg(64);
BENCHMARK(openai_cut);
BENCHMARK(anthropic)->Arg(1)->Arg(64);
BENCHMARK(gemini)->Arg(1)->Arg(64);

}  // namespace
}  // namespace weir::dialect
