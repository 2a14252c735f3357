// HTTP/2 against HTTP/1.1: the same exchange comes to the same end by either, however the bytes are
// cut on the way.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "base/text.h"
#include "http/client_fixture.h"
#include "http/h2/server_session_fixture.h"

namespace weir::http::h2 {
namespace {

// What one exchange came to, as its client sees it.
struct Ending {
  std::optional<int> status;
  std::string fields;
  std::string body;
  std::optional<ErrorCode> error;
  bool ended = false;
  bool operator==(const Ending&) const = default;
};

std::string noise(size_t size, Random& random) {
  std::string out(size, '\0');
  for (char& c : out) c = static_cast<char>(random.below(256));
  return out;
}

// Ways of answering, chosen by the path.
net::Task<void> answer(ServerExchange& exchange) {
  const std::string path(exchange.head().path);
  std::string body(exchange.head().method);
  if (path != "/ignore") {
    while (true) {
      const Result<std::string_view> piece = co_await exchange.read_body();
      if (!piece) {
        ResponseHead head;
        head.status = piece.error().code() == ErrorCode::limit_exceeded ? 413 : 400;
        static_cast<void>(co_await exchange.respond(head, to_string(piece.error().code())));
        co_return;
      }
      if (piece->empty()) break;
      body.append(*piece);
    }
  }
  ResponseHead head;
  head.headers.add("X-Path", path);
  head.headers.add("connection", "x-hop");
  if (path == "/status") head.status = 429;
  if (path == "/empty") head.status = 204;
  if (path == "/length") {
    const std::string length = std::to_string(body.size());
    head.headers.add("content-length", length);
    static_cast<void>(co_await exchange.begin(head));
    static_cast<void>(co_await exchange.write(body));
    static_cast<void>(co_await exchange.finish());
  } else if (path == "/stream" || path == "/abort" || path == "/short") {
    const std::string longer = std::to_string(body.size() + 1);
    if (path == "/short") head.headers.add("content-length", longer);
    static_cast<void>(co_await exchange.begin(head));
    for (size_t at = 0; at < body.size(); at += 777) {
      if (!co_await exchange.write(std::string_view(body).substr(at, 777))) co_return;
    }
    if (path == "/abort") {
      exchange.abort();
    } else {
      static_cast<void>(co_await exchange.finish());
    }
  } else if (path != "/nothing") {
    static_cast<void>(co_await exchange.respond(head, body));
  }
}

struct Asked {
  std::string method, path, body;
  bool streamed = false;
  bool with_length = false;
  std::vector<size_t> cuts;
};

// The fields of an answer but those of the connection, as lines.
std::string lines(const HeaderList& fields) {
  std::string out;
  for (const Header& field : fields) {
    if (iequals(field.name, "connection") || iequals(field.name, "transfer-encoding")) continue;
    out += to_lower(field.name) + ": " + std::string(field.value) + "\n";
  }
  return out;
}

net::Task<void> ask(Client& client, Origin origin, const Asked& asked, Call& call,
                    std::string& fields) {
  RequestBuilder head(asked.method, asked.path, "up");
  head.header("X-Key", "k");
  ClientRequest request{.head = head.text()};
  const std::string_view whole = asked.body;
  if (asked.streamed) {
    request.streamed = true;
    if (asked.with_length) request.streamed_length = whole.size();
  } else if (!whole.empty()) {
    request.body = {&whole, 1};
  }
  co_await start_only(client, origin, request, call);
  if (!call.exchange) co_return;
  if (asked.streamed) {
    size_t at = 0;
    for (const size_t cut : asked.cuts) {
      if (!co_await call.exchange->write_body(whole.substr(at, cut))) break;
      at = std::min(at + cut, whole.size());
    }
    static_cast<void>(co_await call.exchange->finish_body());
  }
  const auto got = co_await call.exchange->response();
  if (got) fields = lines((*got)->headers);
  co_await read_all(call);
}

class SameAsHttp1Test : public ClientTest {
 protected:
  Ending run(bool http2, const Asked& asked, net::MemoryOptions options) {
    server_ = std::make_unique<Server>(loop_, ServerConfig{.body_bytes_max = 150'000}, answer);
    network_.emplace(loop_, options);
    network_->listen("up", 80, [this](std::unique_ptr<net::MemoryStream> stream) {
      server_->serve_connection(std::move(stream));
    });
    client_ = std::make_unique<Client>(loop_, *network_, ClientConfig{});
    origin_.alpn.clear();
    if (http2) origin_.alpn.emplace_back("h2");
    Call call;
    std::string fields;
    loop_.spawn(ask(*client_, origin_, asked, call, fields));
    loop_.run_until_idle();
    EXPECT_TRUE(call.done) << asked.path << (http2 ? " by HTTP/2" : " by HTTP/1.1");
    const Ending ending{call.status, fields, call.body, call.error, call.ended};
    call.exchange.reset();
    client_.reset();
    server_.reset();
    loop_.run_until_idle();
    EXPECT_EQ(loop_.buffers().counters().in_use, 0U);
    return ending;
  }
  std::unique_ptr<Server> server_;
};

TEST_F(SameAsHttp1Test, HoweverTheBytesAreCut) {
  Random random(7);
  const char* const paths[] = {"/whole", "/length", "/stream", "/status", "/empty",
                               "/abort", "/short",  "/ignore", "/nothing"};
  const char* const methods[] = {"GET", "POST", "HEAD", "DELETE"};
  const size_t sizes[] = {0, 1, 100, 16'384, 16'385, 70'000, 140'000, 200'000};
  for (int round = 0; round < 300; ++round) {
    Asked asked;
    asked.path = paths[random.below(std::size(paths))];
    asked.method = methods[random.below(std::size(methods))];
    asked.body = noise(sizes[random.below(std::size(sizes))], random);
    // A body that is refused or ignored while it is being sent may end in a reset by either.
    if (asked.path == "/ignore") asked.body.resize(std::min<size_t>(asked.body.size(), 1000));
    asked.streamed = asked.body.size() <= 150'000 && random.below(2) == 0;
    asked.with_length = random.below(2) == 0;
    for (size_t left = asked.body.size(); left > 0;) {
      asked.cuts.push_back(1 + random.below(static_cast<uint32_t>(std::min<size_t>(left, 20'000))));
      left -= asked.cuts.back();
    }
    net::MemoryOptions options;
    options.capacity = 1000 + random.below(100'000);
    options.read_chunk = random.below(3) == 0 ? 1 + random.below(3000) : 0;
    const Ending by_http1 = run(false, asked, options);
    const Ending by_http2 = run(true, asked, options);
    const std::string name = asked.method + " " + asked.path + " " +
                             std::to_string(asked.body.size()) + " round " + std::to_string(round);
    EXPECT_EQ(by_http1.status, by_http2.status) << name;
    EXPECT_EQ(by_http1.ended, by_http2.ended) << name;
    EXPECT_EQ(by_http1.error.has_value(), by_http2.error.has_value()) << name;
    EXPECT_TRUE(by_http1.body == by_http2.body)
        << name << ": " << by_http1.body.size() << " and " << by_http2.body.size();
    EXPECT_EQ(by_http1.fields, by_http2.fields) << name;
    if (HasFailure()) break;
  }
}

// DATA frames of any size, padded or not, empty ones between: the handler reads one body.
TEST_F(H2ServerTest, ABodyIsOneHoweverItsFramesAreCut) {
  serve(echo);
  auto peer = open();
  Random random(11);
  uint32_t id = 1;
  for (int round = 0; round < 100; ++round, id += 2) {
    const std::string body = noise(random.below(40'000), random);
    std::string bytes = wire::headers(id, wire::request("POST", "/b"));
    for (size_t at = 0; at < body.size();) {
      const size_t size = std::min<size_t>(body.size() - at, random.below(3000));
      const std::string piece = body.substr(at, size);
      at += size;
      if (random.below(3) == 0) {
        const auto padding = random.below(100);
        bytes += wire::frame(
            NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, id,
            std::string(1, static_cast<char>(padding)) + piece + std::string(padding, '\0'));
      } else {
        bytes += wire::data(id, piece);
      }
    }
    bytes += wire::data(id, "", true);
    // Windows as the server opens them: the client's reading is what opens the answer's.
    bytes += wire::window_update(0, 50'000);
    for (size_t at = 0; at < bytes.size();) {
      const size_t size = 1 + random.below(20'000);
      say(*peer, std::string_view(bytes).substr(at, size));
      at += size;
    }
    EXPECT_TRUE(peer->streams[id].body == "POST /b " + body) << round;
    EXPECT_TRUE(peer->streams[id].ended);
    ASSERT_FALSE(HasFailure());
  }
}

}  // namespace
}  // namespace weir::http::h2
