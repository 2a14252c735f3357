#include "base/log.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "base/json/document.h"
#include "base/log_queue.h"

namespace weir::log {
namespace {

std::vector<std::string> lines_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

class LogFile : public testing::Test {
 protected:
  LogFile() {
    std::string pattern = testing::TempDir() + "weir_log_XXXXXX";
    dir_ = ::mkdtemp(pattern.data());
  }
  ~LogFile() override {
    stop();
    std::filesystem::remove_all(dir_);
  }
  std::filesystem::path path(const char* name) const { return dir_ / name; }

  std::filesystem::path dir_;
};

TEST(Log, WritesOneObjectPerLine) {
  const ManualClock clock(1'700'000'000'123);
  const Capture capture(Level::debug, &clock);
  const std::string owned = "text";
  warn("upstream_parked", {{"account", "a\"b"},
                           {"owned", owned},
                           {"status", 429},
                           {"until", uint64_t{18'446'744'073'709'551'615U}},
                           {"share", 0.25},
                           {"nan", std::numeric_limits<double>::quiet_NaN()},
                           {"retried", true},
                           {"broken", "\xFF"}});
  EXPECT_THAT(capture.lines(),
              testing::ElementsAre(
                  R"({"time":"2023-11-14T22:13:20.123Z","level":"warn","event":"upstream_parked",)"
                  R"("account":"a\"b","owned":"text","status":429,"until":18446744073709551615,)"
                  "\"share\":0.25,\"nan\":null,\"retried\":true,\"broken\":\"\uFFFD\"}"));
  EXPECT_EQ(capture.count("upstream_parked"), 1u);
  EXPECT_EQ(capture.count("upstream"), 0u);
  EXPECT_TRUE(capture.contains("429"));
}

TEST(Log, LevelsFilter) {
  const Capture capture(Level::warn);
  debug("a");
  info("b");
  warn("c");
  error("d");
  EXPECT_EQ(capture.lines().size(), 2u);
  set_level(Level::off);
  error("e");
  EXPECT_EQ(capture.count("e"), 0u);
  EXPECT_EQ(parse_level("warn"), Level::warn);
  EXPECT_EQ(parse_level("WARN"), std::nullopt);
}

TEST(Log, LongTextIsCutAtACharacter) {
  const Capture capture;
  std::string text = "x";
  while (text.size() < 2 * kTextBytesMax) text += "ä";
  info("long", {{"text", text}});
  const std::string line = capture.lines().at(0);
  json::Document document;
  ASSERT_TRUE(document.parse(line));
  const std::string kept = *document.root()["text"].as_string();
  EXPECT_TRUE(kept.ends_with("ä…"));
  EXPECT_LE(kept.size(), kTextBytesMax + 3);
}

TEST_F(LogFile, StopWritesEverythingFromEveryThread) {
  ASSERT_TRUE(start({.path = path("log")}));
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t] {
      for (int i = 0; i < 1000; ++i) info("tick", {{"thread", t}, {"i", i}});
    });
  }
  for (std::thread& thread : threads) thread.join();
  const uint64_t dropped_before = dropped();
  stop();
  EXPECT_EQ(dropped_before, dropped());
  const auto lines = lines_of(path("log"));
  EXPECT_EQ(lines.size(), 4000u);
  // One thread's lines stay in order.
  int next[4] = {};
  json::Document document;
  for (const std::string& line : lines) {
    ASSERT_TRUE(document.parse(line)) << line;
    int& expected = next[*document.root()["thread"].as_int64()];
    ASSERT_EQ(document.root()["i"].as_int64(), expected);
    ++expected;
  }
  struct stat status{};
  ASSERT_EQ(::stat(path("log").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07u, 0u);  // nothing for others
}

TEST_F(LogFile, AStuckOutputDropsAndSaysSo) {
  // A pipe nobody reads yet: the writing thread blocks in it, the queue fills, callers go on.
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  const int reader = ::open(path("pipe").c_str(), O_RDONLY | O_NONBLOCK);
  ASSERT_GE(reader, 0);
  ASSERT_TRUE(start({.path = path("pipe"), .lines_max = 16}));
  const uint64_t before = dropped();
  const std::string filler(1000, 'f');
  uint64_t written = 0;
  while (dropped() < before + 10) {
    info("filler", {{"text", filler}});
    ++written;
  }
  std::string got;
  std::thread drain([&] {
    ::fcntl(reader, F_SETFL, 0);
    char buffer[4096];
    for (ssize_t n; (n = ::read(reader, buffer, sizeof buffer)) > 0;) {
      got.append(buffer, static_cast<size_t>(n));
    }
  });
  stop();
  drain.join();
  ::close(reader);
  uint64_t fillers = 0;
  uint64_t told = 0;
  json::Document document;
  for (size_t at = 0; at < got.size();) {
    const size_t end = got.find('\n', at);
    ASSERT_NE(end, std::string::npos);
    ASSERT_TRUE(document.parse(std::string_view(got).substr(at, end - at)));
    const json::Value root = document.root();
    if (root["event"].equals("filler")) ++fillers;
    if (root["event"].equals("log_lines_dropped")) {
      told += static_cast<uint64_t>(*root["count"].as_int64());
    }
    at = end + 1;
  }
  EXPECT_EQ(told, dropped() - before);
  EXPECT_EQ(fillers + told, written);
}

TEST_F(LogFile, ReopensByPath) {
  ASSERT_TRUE(start({.path = path("log")}));
  info("first");
  stop();  // the file is complete from here on
  ASSERT_TRUE(start({.path = path("log")}));
  std::filesystem::rename(path("log"), path("log.1"));
  reopen();
  // The thread may take a while to see it; it is there before the next stop() returns.
  stop();
  ASSERT_TRUE(std::filesystem::exists(path("log")));
  EXPECT_EQ(lines_of(path("log.1")).size(), 1u);
  EXPECT_EQ(lines_of(path("log")).size(), 0u);
}

TEST_F(LogFile, AFileThatCannotBeOpenedIsAnError) {
  const auto started = start({.path = path("missing/log")});
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code(), ErrorCode::io_error);
}

TEST(LogQueue, HoldsItsLimits) {
  LineQueue lines(4, 1000);
  std::string line;
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(lines.push(line = "x"));
  EXPECT_FALSE(lines.push(line = "kept"));
  EXPECT_EQ(line, "kept");
  EXPECT_TRUE(lines.pop(line));
  EXPECT_TRUE(lines.push(line = "y"));
  LineQueue bytes(64, 10);
  EXPECT_TRUE(bytes.push(line = "123456"));
  EXPECT_FALSE(bytes.push(line = "12345"));
  EXPECT_TRUE(bytes.push(line = "1234"));
  EXPECT_TRUE(bytes.pop(line));
  EXPECT_EQ(line, "123456");
  EXPECT_TRUE(bytes.push(line = "123456"));
}

}  // namespace
}  // namespace weir::log
