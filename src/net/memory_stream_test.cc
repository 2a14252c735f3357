#include "net/memory_stream.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

namespace weir::net {
namespace {

using namespace std::chrono_literals;

// Reads to the end, or to an error, which it notes by name.
Task<std::string> read_to_end(Stream* stream) {
  std::string out;
  std::array<char, 4096> buffer;
  while (true) {
    auto got = co_await stream->read(buffer);
    if (!got) co_return out + "!" + std::string(to_string(got.error().code()));
    if (*got == 0) co_return out;
    out.append(buffer.data(), *got);
  }
}

Task<void> write_and_end(Stream* stream, std::string bytes) {
  auto written = co_await stream->write_all(bytes);
  if (written) stream->shutdown_write();
}

class MemoryStreamTest : public testing::Test {
 protected:
  ManualClock clock_;
  Loop loop_{clock_};
};

TEST_F(MemoryStreamTest, CarriesBytesBothWaysAndTheEnd) {
  auto [a, b] = memory_pair(loop_);
  const std::string big(300'000, 'x');  // more than the capacity: both sides must take turns
  spawn(loop_, write_and_end(a.get(), big));
  spawn(loop_, write_and_end(b.get(), "short"));
  EXPECT_EQ(run_task(loop_, read_to_end(b.get())), big);
  EXPECT_EQ(run_task(loop_, read_to_end(a.get())), "short");
  EXPECT_EQ(a->bytes_written(), big.size());
  EXPECT_EQ(b->bytes_read(), big.size());
}

TEST_F(MemoryStreamTest, GathersPiecesInOrderWhateverTheCapacity) {
  std::vector<std::string> texts;
  std::string all;
  for (int i = 0; i < 40; ++i) {
    texts.push_back(std::string(static_cast<size_t>(i) * 7 % 23, static_cast<char>('a' + i % 26)));
    all += texts.back();
  }
  const std::vector<std::string_view> pieces(texts.begin(), texts.end());
  for (const size_t capacity : {1, 2, 7, 64, 65536}) {
    SCOPED_TRACE(capacity);
    auto [a, b] = memory_pair(loop_, {.capacity = capacity});
    spawn(loop_, [](Stream* stream, std::span<const std::string_view> what) -> Task<void> {
      EXPECT_TRUE(co_await stream->write_all(what));
      stream->shutdown_write();
    }(a.get(), pieces));
    EXPECT_EQ(run_task(loop_, read_to_end(b.get())), all);
  }
}

TEST_F(MemoryStreamTest, WritesBlockAtTheCapacityAndGoOnWhenReadFrom) {
  auto [a, b] = memory_pair(loop_, {.capacity = 10});
  EXPECT_EQ(a->try_write("0123456789abc").bytes, 10U);
  EXPECT_EQ(a->try_write("abc").status, IoStatus::would_block);
  std::array<char, 4> four;
  EXPECT_EQ(b->try_read(four).bytes, 4U);
  EXPECT_EQ(a->try_write("abcdef").bytes, 4U);
  EXPECT_EQ(b->pending(), 10U);
}

TEST_F(MemoryStreamTest, ChunkedDeliveryMakesTheReaderWaitBetweenChunks) {
  auto [a, b] = memory_pair(loop_, {.read_chunk = 3});
  EXPECT_EQ(a->try_write("0123456").bytes, 7U);
  std::array<char, 64> buffer;
  const uint64_t turn = loop_.turns();
  EXPECT_EQ(b->try_read(buffer).bytes, 3U);
  EXPECT_EQ(b->try_read(buffer).status, IoStatus::would_block);
  spawn(loop_, write_and_end(a.get(), "789"));
  EXPECT_EQ(run_task(loop_, read_to_end(b.get())), "3456789");
  EXPECT_GE(loop_.turns() - turn, 3U);
}

TEST_F(MemoryStreamTest, ResetFailsBothEndsAndLosesWhatWasOnTheWay) {
  auto [a, b] = memory_pair(loop_);
  EXPECT_EQ(a->try_write("lost").bytes, 4U);
  TaskGroup group(loop_);
  std::string seen;
  group.spawn([](Stream* stream, std::string* out) -> Task<void> {
    *out = co_await read_to_end(stream);
  }(a.get(), &seen));
  b->reset();
  loop_.run_until_idle();
  EXPECT_EQ(run_task(loop_, read_to_end(b.get())), "!connection_reset");
  EXPECT_EQ(seen, "!connection_reset");
  EXPECT_EQ(a->try_write("x").error.code(), ErrorCode::connection_reset);
}

TEST_F(MemoryStreamTest, StalledBytesArriveAfterResuming) {
  auto [a, b] = memory_pair(loop_);
  b->stall_reading();
  bool hung_up = false;
  b->on_hangup([&] { hung_up = true; });
  spawn(loop_, write_and_end(a.get(), "late"));
  loop_.run_until_idle();
  std::array<char, 8> buffer;
  EXPECT_EQ(b->try_read(buffer).status, IoStatus::would_block);
  EXPECT_FALSE(hung_up);
  b->resume_reading();
  EXPECT_EQ(run_task(loop_, read_to_end(b.get())), "late");
  loop_.run_until_idle();
  EXPECT_TRUE(hung_up);
}

TEST_F(MemoryStreamTest, WritingToAClosedPeerFails) {
  auto [a, b] = memory_pair(loop_);
  b->close();
  EXPECT_EQ(a->try_write("x").error.code(), ErrorCode::connection_reset);
  EXPECT_EQ(run_task(loop_, read_to_end(a.get())), "");
  EXPECT_EQ(b->try_write("x").error.code(), ErrorCode::closed);
}

TEST_F(MemoryStreamTest, CancelWakesBothDirectionsWithTheFirstError) {
  auto [a, b] = memory_pair(loop_, {.capacity = 4});
  std::vector<ErrorCode> codes;
  spawn(loop_, [](Stream* s, std::vector<ErrorCode>* out) -> Task<void> {
    std::array<char, 8> buffer;
    auto got = co_await s->read(buffer);
    if (!got) out->push_back(got.error().code());
  }(a.get(), &codes));
  spawn(loop_, [](Stream* s, std::vector<ErrorCode>* out) -> Task<void> {
    auto wrote = co_await s->write_all("more than four");
    if (!wrote) out->push_back(wrote.error().code());
  }(a.get(), &codes));
  Timer deadline(loop_, [&s = *a] { s.cancel(ErrorCode::timeout); });
  deadline.arm(5s);
  loop_.advance(4999ms);
  EXPECT_TRUE(codes.empty());
  loop_.advance(1ms);
  EXPECT_EQ(codes, (std::vector{ErrorCode::timeout, ErrorCode::timeout}));
  a->cancel(ErrorCode::cancelled);
  EXPECT_EQ(a->try_write("x").error.code(), ErrorCode::timeout);
}

TEST_F(MemoryStreamTest, CancelReadLeavesWritingUsable) {
  auto [a, b] = memory_pair(loop_);
  a->cancel_read({ErrorCode::timeout, "request head took too long"});
  EXPECT_EQ(run_task(loop_, read_to_end(a.get())), "!timeout");
  spawn(loop_, write_and_end(a.get(), "408"));
  EXPECT_EQ(run_task(loop_, read_to_end(b.get())), "408");
}

TEST_F(MemoryStreamTest, DestroyingTheStreamWakesItsReaderWithClosed) {
  auto [a, b] = memory_pair(loop_);
  ErrorCode seen = ErrorCode::internal;
  spawn(loop_, [](Stream* s, ErrorCode* out) -> Task<void> {
    std::array<char, 8> buffer;
    auto got = co_await s->read(buffer);
    if (!got) *out = got.error().code();
  }(b.get(), &seen));
  b.reset();
  loop_.run_until_idle();
  EXPECT_EQ(seen, ErrorCode::closed);
}

TEST_F(MemoryStreamTest, AWokenReaderMayDestroyTheStreamAndItsPeer) {
  auto [a, b] = memory_pair(loop_);
  auto owner = std::make_unique<std::pair<std::unique_ptr<Stream>, std::unique_ptr<Stream>>>(
      std::move(a), std::move(b));
  spawn(loop_, [](decltype(owner)* streams) -> Task<void> {
    std::array<char, 8> buffer;
    (void)co_await (*streams)->second->read(buffer);
    streams->reset();
  }(&owner));
  EXPECT_EQ(owner->first->try_write("x").bytes, 1U);
  loop_.run_until_idle();
  EXPECT_EQ(owner, nullptr);
}

TEST_F(MemoryStreamTest, HangupIsToldToTheCallbackUnlessSomeoneReads) {
  struct Case {
    const char* name;
    bool reading;
    bool before;  // the peer goes before the callback is set
    bool called;
  };
  const Case cases[] = {{"nobody reads", false, false, true},
                        {"already gone", false, true, true},
                        {"a reader is told instead", true, false, false}};
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    auto [a, b] = memory_pair(loop_);
    bool called = false;
    TaskGroup group(loop_);
    if (c.reading) {
      group.spawn([](Stream* s) -> Task<void> { EXPECT_EQ(co_await read_to_end(s), ""); }(b.get()));
    }
    if (c.before) a->close();
    b->on_hangup([&] { called = true; });
    if (!c.before) a->close();
    EXPECT_FALSE(called);  // never on the stack of whoever closes
    loop_.run_until_idle();
    EXPECT_EQ(called, c.called);
    EXPECT_EQ(group.size(), 0U);
  }
}

TEST_F(MemoryStreamTest, TheHangupCallbackMayDestroyTheStream) {
  auto [a, b] = memory_pair(loop_);
  std::unique_ptr<Stream> stream = std::move(b);
  stream->on_hangup([&stream] { stream.reset(); });
  a.reset();
  loop_.run_until_idle();
  EXPECT_EQ(stream, nullptr);
}

// A sender that is never empty must leave the loop its turns.
TEST_F(MemoryStreamTest, AFastStreamYieldsToTheLoop) {
  auto [a, b] = memory_pair(loop_, {.capacity = 16 * 1024 * 1024});
  const std::string big(4 * 1024 * 1024, 'x');
  size_t written = 0;
  while (written < big.size()) {
    const IoResult result = a->try_write(std::string_view(big).substr(written, 64 * 1024));
    if (result.status == IoStatus::ok) written += result.bytes;
    if (result.status == IoStatus::would_block) loop_.turn(0ns);
  }
  a->shutdown_write();
  const uint64_t turn = loop_.turns();
  int deferred_at = 0;
  loop_.defer([&] { deferred_at = static_cast<int>(b->bytes_read() / 1024); });
  EXPECT_EQ(run_task(loop_, read_to_end(b.get()))->size(), big.size());
  EXPECT_GE(loop_.turns() - turn, 15U);
  EXPECT_LE(deferred_at, 512);
}

TEST_F(MemoryStreamTest, CloseGracefullyLetsThePeerReadTheLastWords) {
  auto [a, b] = memory_pair(loop_);
  EXPECT_EQ(b->try_write("unread request body").bytes, 19U);
  EXPECT_EQ(a->try_write("413").bytes, 3U);
  spawn(loop_, close_gracefully(std::move(a), 5s));
  EXPECT_EQ(run_task(loop_, read_to_end(b.get())), "413");
  EXPECT_EQ(loop_.tasks(), 1U);  // waits for the peer's end
  b->shutdown_write();
  loop_.run_until_idle();
  EXPECT_EQ(loop_.tasks(), 0U);
}

TEST_F(MemoryStreamTest, CloseGracefullyGivesUpAtItsLimit) {
  auto [a, b] = memory_pair(loop_);
  spawn(loop_, close_gracefully(std::move(a), 5s));
  loop_.advance(4999ms);
  EXPECT_EQ(loop_.tasks(), 1U);
  loop_.advance(1ms);
  EXPECT_EQ(loop_.tasks(), 0U);
}

TEST_F(MemoryStreamTest, NetworkDialsWhatListensAndScriptsFailures) {
  MemoryNetwork network(loop_);
  std::unique_ptr<Stream> server;
  network.listen("api.test", 443, [&](std::unique_ptr<MemoryStream> s) { server = std::move(s); });
  network.refuse("down.test", 443, ErrorCode::connection_refused);
  network.black_hole("silent.test", 443);
  struct Case {
    const char* host;
    std::optional<ErrorCode> expected;
  };
  const Case cases[] = {{"api.test", std::nullopt},
                        {"down.test", ErrorCode::connection_refused},
                        {"silent.test", ErrorCode::timeout},
                        {"unknown.test", ErrorCode::dns_failure}};
  for (const Case& c : cases) {
    SCOPED_TRACE(c.host);
    auto result =
        run_task(loop_, network.dial({c.host, 443, true, {}, true}, loop_.deadline_in(2s)));
    ASSERT_TRUE(result.has_value());
    ASSERT_EQ(result->has_value(), !c.expected.has_value());
    if (c.expected) {
      EXPECT_EQ(result->error().code(), *c.expected);
    } else {
      EXPECT_EQ((**result)->try_write("hello").bytes, 5U);
      std::array<char, 8> buffer;
      EXPECT_EQ(server->try_read(buffer).bytes, 5U);
    }
  }
  EXPECT_EQ(network.dials(), 4U);
}

}  // namespace
}  // namespace weir::net
