// What heads and chunks cost: one SDK-like request, one provider-like response, one SSE read.
#include <benchmark/benchmark.h>

#include <string>

#include "http/body.h"
#include "http/head.h"
#include "http/response_text.h"

namespace weir::http {
namespace {

const std::string kRequest =
    "POST /v1/chat/completions HTTP/1.1\r\n"
    "Host: weir.internal:8080\r\n"
    "User-Agent: OpenAI/JS 6.1.0\r\n"
    "Accept: application/json\r\n"
    "Accept-Encoding: gzip, deflate\r\n"
    "Authorization: Bearer sk-weir-0123456789abcdef0123456789abcdef\r\n"
    "Content-Type: application/json\r\n"
    "X-Stainless-Lang: js\r\n"
    "X-Stainless-Package-Version: 6.1.0\r\n"
    "X-Stainless-Retry-Count: 0\r\n"
    "Content-Length: 4000\r\n"
    "Connection: keep-alive\r\n"
    "\r\n";

const std::string kResponse =
    "HTTP/1.1 200 OK\r\n"
    "Date: Sun, 22 Nov 2026 14:36:39 GMT\r\n"
    "Content-Type: text/event-stream; charset=utf-8\r\n"
    "Transfer-Encoding: chunked\r\n"
    "Connection: keep-alive\r\n"
    "x-request-id: req_0123456789abcdef0123456789abcdef\r\n"
    "x-ratelimit-remaining-requests: 4999\r\n"
    "x-ratelimit-remaining-tokens: 1999000\r\n"
    "openai-processing-ms: 312\r\n"
    "\r\n";

void parse_request(benchmark::State& state) {
  RequestHead head;
  for (auto _ : state) {
    benchmark::DoNotOptimize(parse_request_head(kRequest, {}, head));
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(kRequest.size()));
}
BENCHMARK(parse_request);

void parse_response(benchmark::State& state) {
  ResponseHead head;
  for (auto _ : state) {
    benchmark::DoNotOptimize(parse_response_head(kResponse, kProviderHeadLimits, "POST", head));
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(kResponse.size()));
}
BENCHMARK(parse_response);

void write_response(benchmark::State& state) {
  ResponseHead head;
  HeadOutcome parsed = parse_response_head(kResponse, kProviderHeadLimits, "POST", head);
  benchmark::DoNotOptimize(parsed);
  std::string text;
  for (auto _ : state) {
    text.clear();
    append_response_head(text, head, {BodyKind::chunked, 0}, ConnectionWord::none,
                         "Sun, 22 Nov 2026 14:36:39 GMT");
    benchmark::DoNotOptimize(text.data());
  }
}
BENCHMARK(write_response);

// Four SSE events that arrived in one read.
void decode_chunks(benchmark::State& state) {
  std::string wire;
  for (int i = 0; i < 4; ++i) wire += "e3\r\n" + std::string(227, 'x') + "\r\n";
  std::string room;
  for (auto _ : state) {
    room.assign(wire);
    BodyDecoder decoder({BodyKind::chunked, 0}, true);
    benchmark::DoNotOptimize(decoder.decode(room).payload.size());
  }
}
BENCHMARK(decode_chunks);

}  // namespace
}  // namespace weir::http
