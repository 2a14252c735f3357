#include "sim/embedded_provider.h"

#include <gtest/gtest.h>

#include "net/tcp.h"

namespace weir::sim {
namespace {

net::Task<Result<std::string>> ask(net::Loop* loop, net::Address address, std::string request) {
  const net::Deadline deadline = loop->deadline_in(std::chrono::seconds(5));
  WEIR_CO_TRY(auto stream, co_await net::connect(*loop, address, deadline));
  WEIR_CO_CHECK_OK(co_await stream->write_all(request));
  std::string answer;
  char room[4096];
  while (true) {
    WEIR_CO_TRY(const size_t size, co_await stream->read(room));
    if (size == 0) break;
    answer.append(room, size);
  }
  co_return answer;
}

TEST(EmbeddedProvider, AnswersAndStops) {
  auto provider = EmbeddedProvider::start();
  ASSERT_TRUE(provider) << provider.error().message();
  std::string endpoint = (*provider)->endpoint();
  ASSERT_TRUE(endpoint.starts_with("http://127.0.0.1:"));
  ASSERT_TRUE(endpoint.ends_with("/v1"));
  endpoint = endpoint.substr(7, endpoint.size() - 10);

  SystemClock clock;
  net::Loop loop(clock);
  const std::string body =
      R"({"model":"demo","max_tokens":12,"messages":[{"role":"user","content":"Good morning"}]})";
  const auto answer = net::run_task(
      loop, ask(&loop, *net::Address::parse(endpoint),
                "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                "Content-Length: " +
                    std::to_string(body.size()) + "\r\n\r\n" + body));
  ASSERT_TRUE(answer.has_value());
  ASSERT_TRUE(*answer) << answer->error().message();
  EXPECT_TRUE((**answer).starts_with("HTTP/1.1 200 ")) << **answer;
  EXPECT_NE((**answer).find("Good morning"), std::string::npos) << **answer;
}

TEST(EmbeddedProvider, StopsWhileAnAnswerRuns) {
  auto provider = EmbeddedProvider::start();
  ASSERT_TRUE(provider);
  std::string endpoint = (*provider)->endpoint();
  endpoint = endpoint.substr(7, endpoint.size() - 10);
  SystemClock clock;
  net::Loop loop(clock);
  auto stream = net::run_task(loop, net::connect(loop, *net::Address::parse(endpoint),
                                                 loop.deadline_in(std::chrono::seconds(5))));
  ASSERT_TRUE(stream && *stream);
  const std::string body =
      R"({"model":"demo","stream":true,"messages":[{"role":"user","content":"x"}]})";
  EXPECT_TRUE(net::run_task(
      loop,
      (**stream)->write_all("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: " +
                            std::to_string(body.size()) + "\r\n\r\n" + body)));
  provider->reset();
}

}  // namespace
}  // namespace weir::sim
