// How fast the reader, the writer and the splicer go on what the gateway sees most: a request of
// some turns with tools (4 KB), a chunk of a streamed answer (230 B), and prompts of a megabyte.
#include <benchmark/benchmark.h>

#include "base/json/document.h"
#include "base/json/splice.h"
#include "base/json/writer.h"

namespace weir::json {
namespace {

std::string repeat(std::string_view text, size_t size) {
  std::string out;
  while (out.size() < size) out += text;
  out.resize(size);
  return out;
}

std::string chat_request() {
  std::string out;
  Writer w(out);
  w.begin_object().member("model", "gpt-4o-mini").member("temperature", 0.7).member("n", 1);
  w.member("stream", true).key("stream_options").begin_object().member("include_usage", true);
  w.end_object().key("messages").begin_array();
  for (int turn = 0; turn < 8; ++turn) {
    w.begin_object().member("role", turn % 2 == 0 ? "user" : "assistant");
    w.key("content").begin_array().begin_object().member("type", "text");
    w.member("text", repeat("Tell me more about \"this\", please.\nAnd then go on. ", 280));
    w.end_object().end_array().end_object();
  }
  w.end_array().key("tools").begin_array();
  for (int tool = 0; tool < 2; ++tool) {
    w.begin_object().member("type", "function").key("function").begin_object();
    w.member("name", "get_weather").member("description", "Current weather at a place.");
    w.key("parameters").begin_object().member("type", "object").key("properties").begin_object();
    for (const char* name : {"city", "country", "unit", "day"}) {
      w.key(name).begin_object().member("type", "string").member("description", "A name.");
      w.end_object();
    }
    w.end_object().key("required").begin_array().string("city").end_array();
    w.end_object().end_object().end_object();
  }
  w.end_array().end_object();
  return out;
}

constexpr std::string_view kChunk =
    R"({"id":"chatcmpl-9abcDEF","object":"chat.completion.chunk","created":1718345013,)"
    R"("model":"gpt-4o-mini-2024-07-18","system_fingerprint":"fp_44709d6fcb",)"
    R"("choices":[{"index":0,"delta":{"content":" Hello"},"logprobs":null,"finish_reason":null}]})";

std::string prompt(std::string_view content) {
  std::string out;
  Writer(out).begin_object().member("prompt", repeat(content, 1 << 20)).end_object();
  return out;
}

void count_bytes(benchmark::State& state, size_t size) {
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) * static_cast<int64_t>(size));
  state.counters["bytes"] = static_cast<double>(size);
}

void parse(benchmark::State& state, const std::string& text) {
  Document document;
  for (auto _ : state) {
    if (!document.parse(text)) state.SkipWithError("refused");
    benchmark::DoNotOptimize(document.root().size());
  }
  count_bytes(state, text.size());
}

void parse_chat_request(benchmark::State& state) {
  parse(state, chat_request());
}
void parse_chunk(benchmark::State& state) {
  parse(state, std::string(kChunk));
}
void parse_prompt_plain(benchmark::State& state) {
  parse(state, prompt("The quick brown fox jumps over the lazy dog. "));
}
// A line feed every forty characters or so, as source code has.
void parse_prompt_lines(benchmark::State& state) {
  parse(state, prompt("  const size_t length = text.size() + 1;\n"));
}
void parse_prompt_chinese(benchmark::State& state) {
  parse(state, prompt("天地玄黃宇宙洪荒，"));
}
void parse_prompt_german(benchmark::State& state) {
  parse(state, prompt("Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich. "));
}
BENCHMARK(parse_chat_request);
BENCHMARK(parse_chunk);
BENCHMARK(parse_prompt_plain);
BENCHMARK(parse_prompt_lines);
BENCHMARK(parse_prompt_chinese);
BENCHMARK(parse_prompt_german);

void parse_object_of_1000_keys(benchmark::State& state) {
  std::string text;
  Writer w(text);
  w.begin_object();
  for (int i = 0; i < 1000; ++i) w.member("member_" + std::to_string(i), i);
  w.end_object();
  parse(state, text);
}
BENCHMARK(parse_object_of_1000_keys);

void read_chunk(benchmark::State& state) {
  Document document;
  for (auto _ : state) {
    if (!document.parse(kChunk)) state.SkipWithError("refused");
    for (const Value choice : document.root()["choices"].elements()) {
      benchmark::DoNotOptimize(choice["index"].as_int64());
      benchmark::DoNotOptimize(choice["delta"]["content"].as_string());
      benchmark::DoNotOptimize(choice["finish_reason"].is_null());
    }
  }
  count_bytes(state, kChunk.size());
}
BENCHMARK(read_chunk);

void write_chunk(benchmark::State& state) {
  std::string out;
  for (auto _ : state) {
    out.clear();
    Writer w(out);
    w.begin_object().member("id", "chatcmpl-9abcDEF").member("object", "chat.completion.chunk");
    w.member("created", 1718345013).member("model", "gpt-4o-mini-2024-07-18").key("choices");
    w.begin_array().begin_object().member("index", 0).key("delta").begin_object();
    w.member("content", " Hello").end_object().key("finish_reason").null().end_object();
    w.end_array().end_object();
    benchmark::DoNotOptimize(out.data());
  }
  count_bytes(state, out.size());
}
BENCHMARK(write_chunk);

void write_prompt(benchmark::State& state) {
  const std::string text = repeat("  const size_t length = text.size() + 1;\n", 1 << 20);
  std::string out;
  for (auto _ : state) {
    out.clear();
    append_quoted(out, text);
    benchmark::DoNotOptimize(out.data());
  }
  count_bytes(state, text.size());
}
BENCHMARK(write_prompt);

void splice_model_name(benchmark::State& state) {
  const std::string text = chat_request();
  Document document;
  if (!document.parse(text)) state.SkipWithError("refused");
  for (auto _ : state) {
    std::vector<Edit> edits;
    ObjectEditor(document.root()).set("model", "\"gpt-x\"").append_to(edits);
    benchmark::DoNotOptimize(splice(text, std::move(edits)));
  }
  count_bytes(state, text.size());
}
BENCHMARK(splice_model_name);

}  // namespace
}  // namespace weir::json
