#include "jobs/runner.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>

#include "store/temporary_directory.h"

namespace weir::jobs {
namespace {

// Lets work wait for the test, and the test for work.
class Gate {
 public:
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

class RunnerTest : public testing::Test {
 protected:
  RunnerTest() { start(); }

  void start() {
    runner_.reset();
    auto runner = Runner::open(directory_.path(), clock_);
    ASSERT_TRUE(runner) << runner.error().message();
    runner_ = std::move(*runner);
  }
  Order order(Work work, std::string file_name = {}) {
    return {.kind = "export",
            .title = "t",
            .unit = "rows",
            .by = "ada",
            .file_name = std::move(file_name),
            .work = std::move(work)};
  }
  int64_t submit(Work work, std::string file_name = {}) {
    const auto job = runner_->submit(order(std::move(work), std::move(file_name)));
    EXPECT_TRUE(job) << job.error().message();
    return job ? job->id : 0;
  }
  Job job(int64_t id) { return runner_->get(id).value_or(Job{}); }
  static Result<std::string> nothing(Control&) { return std::string("{}"); }
  static Result<std::string> write_file(Control& control) {
    std::ofstream(control.file_path()) << "rows";
    return std::string(R"({"rows":1})");
  }
  std::string path(int64_t id) {
    return directory_.path() + "/jobs/" + std::to_string(id) + ".csv";
  }

  store::TemporaryDirectory directory_;
  SystemClock clock_;
  std::unique_ptr<Runner> runner_;
};

TEST_F(RunnerTest, AJobIsDoneWithItsResultAndItsFile) {
  const uint64_t before = runner_->version();
  const int64_t id = submit(
      [](Control& control) {
        EXPECT_TRUE(control.progress(3, 10));
        return write_file(control);
      },
      "november.csv");
  runner_->wait_until_idle();
  const Job done = job(id);
  EXPECT_EQ(done.state, State::done);
  EXPECT_EQ(done.result, R"({"rows":1})");
  EXPECT_EQ(done.done, 3);
  EXPECT_EQ(done.total, 10);
  EXPECT_EQ(done.by, "ada");
  EXPECT_GT(done.started_ms, 0);
  EXPECT_GE(done.ended_ms, done.started_ms);
  EXPECT_GT(runner_->version(), before);
  ASSERT_TRUE(runner_->file_of(id));
  EXPECT_EQ(*runner_->file_of(id), path(id));
  EXPECT_TRUE(runner_->remove(id));
  EXPECT_FALSE(std::filesystem::exists(path(id)));
  EXPECT_EQ(runner_->get(id).error().code(), ErrorCode::not_found);
}

TEST_F(RunnerTest, AFailedJobSaysWhyAndLeavesNoFile) {
  const int64_t id = submit(
      [](Control& control) -> Result<std::string> {
        (void)write_file(control);
        return fail(ErrorCode::io_error, "the disk");
      },
      "x.csv");
  runner_->wait_until_idle();
  EXPECT_EQ(job(id).state, State::failed);
  EXPECT_EQ(job(id).error, "the disk");
  EXPECT_FALSE(std::filesystem::exists(path(id)));
  EXPECT_EQ(runner_->file_of(id).error().code(), ErrorCode::not_found);
}

TEST_F(RunnerTest, OneAtATimeAndWaitingOnesAreCancelledAtOnce) {
  Gate begun;
  Gate go;
  const int64_t first = submit([&](Control&) {
    begun.open();
    go.wait();
    return Result<std::string>("{}");
  });
  begun.wait();
  const int64_t second = submit(nothing);
  EXPECT_EQ(job(first).state, State::running);
  EXPECT_EQ(job(second).state, State::queued);
  EXPECT_EQ(runner_->waiting(), 1U);
  EXPECT_EQ(runner_->remove(second).error().code(), ErrorCode::invalid_argument);
  EXPECT_TRUE(runner_->cancel(second));
  EXPECT_EQ(job(second).state, State::cancelled);
  EXPECT_EQ(runner_->cancel(second).error().code(), ErrorCode::invalid_argument);
  go.open();
  runner_->wait_until_idle();
  EXPECT_EQ(job(first).state, State::done);
}

TEST_F(RunnerTest, ARunningJobHearsThatItIsCancelled) {
  Gate begun;
  Gate go;
  const int64_t id = submit([&](Control& control) -> Result<std::string> {
    begun.open();
    go.wait();
    WEIR_CHECK_OK(control.progress(1, 2));
    return std::string("{}");
  });
  begun.wait();
  EXPECT_TRUE(runner_->cancel(id));
  go.open();
  runner_->wait_until_idle();
  EXPECT_EQ(job(id).state, State::cancelled);
  EXPECT_EQ(job(id).done, 0);
}

TEST_F(RunnerTest, ARestartKeepsRecordsAndTellsWhatWasInterrupted) {
  const int64_t done = submit(write_file, "a.csv");
  runner_->wait_until_idle();
  Gate begun;
  const int64_t cut = submit([&](Control& control) -> Result<std::string> {
    begun.open();
    for (int64_t i = 0;; ++i) WEIR_CHECK_OK(control.progress(i, 0));
  });
  begun.wait();
  const int64_t waiting = submit(nothing);
  std::ofstream(directory_.path() + "/jobs/99.csv") << "left by a killed process";
  start();
  EXPECT_EQ(job(done).state, State::done);
  EXPECT_TRUE(runner_->file_of(done));
  EXPECT_EQ(job(cut).state, State::interrupted);
  EXPECT_FALSE(job(cut).error.empty());
  EXPECT_EQ(job(waiting).state, State::interrupted);
  EXPECT_FALSE(std::filesystem::exists(directory_.path() + "/jobs/99.csv"));
  EXPECT_GT(submit(nothing), waiting);
}

TEST_F(RunnerTest, WhatWaitsIsBoundedInNumberAndInBytes) {
  Gate begun;
  Gate go;
  submit([&](Control&) {
    begun.open();
    go.wait();
    return Result<std::string>("{}");
  });
  begun.wait();
  Order large = order(nothing);
  large.held_bytes = Runner::kHeldBytesMax + 1;
  EXPECT_EQ(runner_->submit(large).error().code(), ErrorCode::unavailable);
  for (size_t i = 0; i < Runner::kWaitingMax; ++i) submit(nothing);
  EXPECT_EQ(runner_->submit(order(nothing)).error().code(), ErrorCode::unavailable);
  EXPECT_EQ(runner_->refused(), 2U);
  go.open();
  runner_->wait_until_idle();
}

TEST_F(RunnerTest, OldFilesAndOldRecordsGo) {
  std::vector<int64_t> ids;
  for (size_t i = 0; i < Runner::kKeptMax + 3; ++i) {
    ids.push_back(submit(write_file, "a.csv"));
    runner_->wait_until_idle();
  }
  EXPECT_EQ(runner_->list().size(), Runner::kKeptMax);
  EXPECT_EQ(runner_->list().front().id, ids.back());
  size_t files = 0;
  for (const auto& file : std::filesystem::directory_iterator(directory_.path() + "/jobs")) {
    files += file.is_regular_file() ? 1 : 0;
  }
  EXPECT_LE(files, Runner::kFilesMax + 1);
  EXPECT_TRUE(runner_->file_of(ids.back()));
  EXPECT_FALSE(runner_->file_of(ids[ids.size() - Runner::kFilesMax - 2]));
}

TEST_F(RunnerTest, TheEndIsToldBeforeTheRecordSaysSo) {
  State state = State::queued;
  State on_record = State::queued;
  runner_->on_end([&](const Job& ended) {
    state = ended.state;
    on_record = job(ended.id).state;
  });
  submit(nothing);
  runner_->wait_until_idle();
  EXPECT_EQ(state, State::done);
  EXPECT_EQ(on_record, State::running);
}

}  // namespace
}  // namespace weir::jobs
