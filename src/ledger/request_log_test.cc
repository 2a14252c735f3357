#include "ledger/request_log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "base/log.h"
#include "base/random.h"
#include "ledger/log_reader.h"
#include "ledger/log_schema.h"
#include "ledger/log_writer.h"
#include "ledger/sample_row.h"
#include "store/day.h"
#include "store/sqlite.h"
#include "store/temporary_directory.h"

namespace weir::ledger {
namespace {

using store::TemporaryDirectory;

void expect_equal(const RequestRow& a, const RequestRow& b) {
  EXPECT_EQ(a.id, b.id);
  EXPECT_EQ(a.start_ms, b.start_ms);
  EXPECT_EQ(a.key_id, b.key_id);
  EXPECT_EQ(a.team, b.team);
  EXPECT_EQ(a.user, b.user);
  EXPECT_EQ(a.tags, b.tags);
  EXPECT_EQ(a.dialect, b.dialect);
  EXPECT_EQ(a.endpoint, b.endpoint);
  EXPECT_EQ(a.model_asked, b.model_asked);
  EXPECT_EQ(a.model, b.model);
  EXPECT_EQ(a.deployment, b.deployment);
  EXPECT_EQ(a.account, b.account);
  EXPECT_EQ(a.provider, b.provider);
  EXPECT_EQ(a.provider_model, b.provider_model);
  EXPECT_EQ(a.attempts, b.attempts);
  EXPECT_EQ(a.attempts_text, b.attempts_text);
  EXPECT_EQ(a.status, b.status);
  EXPECT_EQ(a.outcome, b.outcome);
  EXPECT_EQ(a.error_code, b.error_code);
  EXPECT_EQ(a.streamed, b.streamed);
  EXPECT_EQ(a.total_us, b.total_us);
  EXPECT_EQ(a.ttft_us, b.ttft_us);
  EXPECT_EQ(a.upstream_us, b.upstream_us);
  EXPECT_EQ(a.usage, b.usage);
  EXPECT_EQ(a.cost, b.cost);
  EXPECT_EQ(a.price_row, b.price_row);
  EXPECT_EQ(a.cost_state, b.cost_state);
  EXPECT_EQ(a.config_generation, b.config_generation);
  EXPECT_EQ(a.bytes_in, b.bytes_in);
  EXPECT_EQ(a.bytes_out, b.bytes_out);
  EXPECT_EQ(a.captured, b.captured);
}

int64_t count_rows(const std::string& directory, int64_t day) {
  auto connection = store::Connection::open(store::day_file(directory, kRequestsPrefix, day),
                                            store::OpenMode::read_only);
  if (!connection) return -1;
  return connection->query_int64("SELECT count(*) FROM request").value().value_or(-1);
}

TEST(LogWriter, EveryFieldSurvives) {
  TemporaryDirectory directory;
  LogWriter writer(options_in(directory));
  IdMaker ids(0);
  RequestRow rows[] = {sample_row(ids.make(kNoon)), sample_row(ids.make(kNoon), 2)};
  rows[1].key_id.clear();
  rows[1].status = 0;
  rows[1].outcome = Outcome::aborted;
  rows[1].error_code = "client_closed";
  rows[1].streamed = false;
  rows[1].cost_state = CostState::estimated;
  rows[1].usage.reported = false;
  ASSERT_TRUE(writer.write(rows));
  LogReader reader(directory.path());
  for (const RequestRow& row : rows) {
    auto read = reader.get(row.id);
    ASSERT_TRUE(read) << read.error().message();
    expect_equal(*read, row);
  }
  EXPECT_EQ(reader.get(ids.make(kNoon)).error().code(), ErrorCode::not_found);
  EXPECT_EQ(reader.get(ids.make(kNoon + 5 * store::kDayMs)).error().code(), ErrorCode::not_found);
}

TEST(LogWriter, WritingAgainChangesNothing) {
  TemporaryDirectory directory;
  LogWriter writer(options_in(directory));
  IdMaker ids(0);
  std::vector<RequestRow> rows;
  for (int i = 0; i < 10; ++i) rows.push_back(sample_row(ids.make(kNoon)));
  ASSERT_TRUE(writer.write(rows));
  ASSERT_TRUE(writer.write(rows));
  EXPECT_EQ(writer.totals().rows, 10u);
  auto sums = LogReader(directory.path()).sums({});
  ASSERT_TRUE(sums);
  EXPECT_EQ(sums->at(0).requests, 10);
  EXPECT_EQ(sums->at(0).cost.nano(), 12'345'670);
}

TEST(LogWriter, RowsGoToTheFileOfTheirDayAndRetentionKeepsTheSums) {
  TemporaryDirectory directory;
  LogOptions options = options_in(directory);
  options.retention_days = 3;
  options.capture_retention_days = 1;
  auto writer = std::make_unique<LogWriter>(options);
  ASSERT_TRUE(writer->prepare(kNoon));
  IdMaker ids(0);
  std::vector<RequestRow> rows;
  for (int day = 0; day < 6; ++day) {
    for (int i = 0; i <= day; ++i) {
      rows.push_back(sample_row(ids.make(kNoon + day * store::kDayMs)));
      rows.back().capture = std::make_unique<Capture>();
    }
  }
  ASSERT_TRUE(writer->write(rows));
  EXPECT_EQ(store::days_on_disk(directory.path(), kRequestsPrefix).size(), 6u);
  LogReader reader(directory.path());
  auto before = reader.sums({.by = SumBy::day});
  ASSERT_EQ(before->size(), 6u);
  EXPECT_EQ(before->at(0).group, "2026-11-22");
  EXPECT_EQ(before->at(5).requests, 6);

  ASSERT_TRUE(writer->drop_old(kNoon + 5 * store::kDayMs));
  auto left = store::days_on_disk(directory.path(), kRequestsPrefix);
  ASSERT_EQ(left.size(), 3u);
  EXPECT_EQ(store::day_text(left[0]), "2026-11-25");
  EXPECT_EQ(store::days_on_disk(directory.path(), kCapturesPrefix).size(), 1u);
  auto after = reader.sums({.by = SumBy::day});
  ASSERT_EQ(after->size(), 6u) << "the sums of dropped days stay";
  for (size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(after->at(i).requests, before->at(i).requests);
    EXPECT_EQ(after->at(i).cost, before->at(i).cost);
  }
  // A crash between archiving and removing: both have the day, and it counts once.
  TemporaryDirectory copy;
  writer.reset();  // closing brings everything into the one file
  std::filesystem::copy(store::day_file(directory.path(), kRequestsPrefix, left[0]),
                        copy.path() + "/kept.db");
  writer = std::make_unique<LogWriter>(options);
  ASSERT_TRUE(writer->drop_old(kNoon + 6 * store::kDayMs));
  std::filesystem::copy(copy.path() + "/kept.db",
                        store::day_file(directory.path(), kRequestsPrefix, left[0]));
  EXPECT_EQ(reader.sums({.by = SumBy::day})->at(3).requests, before->at(3).requests);
  ASSERT_TRUE(writer->drop_old(kNoon + 6 * store::kDayMs));
  EXPECT_EQ(reader.sums({.by = SumBy::day})->at(3).requests, before->at(3).requests);
}

TEST(LogWriter, ADamagedFileIsMovedAside) {
  TemporaryDirectory directory;
  std::string path = store::day_file(directory.path(), kRequestsPrefix, store::day_of(kNoon));
  std::ofstream(path) << std::string(8192, 'x');
  log::Capture log;
  LogWriter writer(options_in(directory));
  ASSERT_TRUE(writer.prepare(kNoon));
  EXPECT_EQ(log.count("ledger_file_corrupt"), 1u);
  EXPECT_TRUE(std::filesystem::exists(path + ".corrupt"));
  IdMaker ids(0);
  RequestRow row = sample_row(ids.make(kNoon));
  ASSERT_TRUE(writer.write({&row, 1}));
  EXPECT_TRUE(LogReader(directory.path()).get(row.id));
}

TEST(LogWriter, CapturesAreCompressedCappedAndApart) {
  TemporaryDirectory directory;
  LogOptions options = options_in(directory);
  options.capture_message_bytes_max = 1000;
  LogWriter writer(options);
  IdMaker ids(0);
  RequestRow rows[] = {sample_row(ids.make(kNoon)), sample_row(ids.make(kNoon))};
  rows[0].capture = std::make_unique<Capture>();
  rows[0].capture->request = std::string(600, 'q');
  rows[0].capture->response = std::string(5000, 'a');
  rows[0].capture->request_content_type = "application/json";
  rows[0].capture->response_content_type = "text/event-stream";
  rows[0].capture->response_bytes = 7000;
  ASSERT_TRUE(writer.write(rows));
  LogReader reader(directory.path());
  EXPECT_TRUE(reader.get(rows[0].id)->captured);
  EXPECT_FALSE(reader.get(rows[1].id)->captured);
  auto capture = reader.get_capture(rows[0].id);
  ASSERT_TRUE(capture) << capture.error().message();
  EXPECT_EQ(capture->request, std::string(600, 'q'));
  EXPECT_EQ(capture->response, std::string(1000, 'a'));
  EXPECT_EQ(capture->request_bytes, 600);
  EXPECT_EQ(capture->response_bytes, 7000);
  EXPECT_EQ(capture->response_content_type, "text/event-stream");
  EXPECT_EQ(reader.get_capture(rows[1].id).error().code(), ErrorCode::not_found);
  std::ifstream file(store::day_file(directory.path(), kRequestsPrefix, store::day_of(kNoon)));
  std::string bytes((std::istreambuf_iterator<char>(file)), {});
  EXPECT_EQ(bytes.find("qqqq"), std::string::npos) << "bodies are not in the requests file";
}

TEST(RequestLog, WritesWhatEveryPortSubmits) {
  TemporaryDirectory directory;
  SystemClock clock;
  LogOptions options = options_in(directory);
  options.ports = 3;
  auto log = RequestLog::open(options, clock);
  ASSERT_TRUE(log) << log.error().message();
  std::vector<std::thread> threads;
  for (uint8_t t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      IdMaker ids(t);
      for (int i = 0; i < 2000; ++i) {
        ASSERT_TRUE((*log)->port(t).submit(sample_row(ids.make(kNoon))));
      }
    });
  }
  for (auto& thread : threads) thread.join();
  ASSERT_TRUE((*log)->flush(std::chrono::seconds(30)));
  LogHealth health = (*log)->health();
  EXPECT_TRUE(health.ok);
  EXPECT_EQ(health.rows_written, 6000u);
  EXPECT_EQ(health.rows_dropped, 0u);
  EXPECT_EQ(health.rows_spooled, 0u);
  EXPECT_LT(health.commits, 600u) << "rows are committed in groups";
  EXPECT_EQ(count_rows(directory.path(), store::day_of(kNoon)), 6000);
}

TEST(RequestLog, StopWritesWhatIsQueued) {
  TemporaryDirectory directory;
  SystemClock clock;
  LogOptions options = options_in(directory);
  options.commit_interval = std::chrono::seconds(600);
  auto log = RequestLog::open(options, clock);
  IdMaker ids(0);
  for (int i = 0; i < 100; ++i) (*log)->port(0).submit(sample_row(ids.make(kNoon)));
  log->reset();
  EXPECT_EQ(count_rows(directory.path(), store::day_of(kNoon)), 100);
}

TEST(RequestLog, AFullQueueDropsAndCountsAndNeverWaits) {
  TemporaryDirectory directory;
  SystemClock clock;
  for (bool by_bytes : {false, true}) {
    LogOptions options = options_in(directory);
    options.commit_interval = std::chrono::seconds(600);
    options.journal_slots = 0;  // which would give the dropped ones back at the next start
    options.port_rows_max = by_bytes ? 1024 : 64;
    if (by_bytes) options.port_bytes_max = 64 * 600;  // a row takes about that
    auto log = RequestLog::open(options, clock);
    IdMaker ids(by_bytes ? 1 : 0);
    // Against the store's lock the writer takes what is queued once and then waits.
    auto blocker = store::Connection::open(
        store::day_file(directory.path(), kRequestsPrefix, store::day_of(kNoon)),
        store::OpenMode::create);
    auto held = store::Transaction::begin(*blocker);
    ASSERT_TRUE(held);
    uint64_t dropped = 0;
    for (int i = 0; i < 1000; ++i) {
      if (!(*log)->port(0).submit(sample_row(ids.make(kNoon)))) ++dropped;
    }
    EXPECT_GT(dropped, 500u);
    EXPECT_EQ((*log)->health().rows_dropped, dropped);
    {
      auto release = std::move(*held);
    }
    ASSERT_TRUE((*log)->flush(std::chrono::seconds(30)));
    EXPECT_EQ((*log)->health().rows_written, 1000 - dropped);
  }
}

TEST(RequestLog, ALockedStoreIsToldSpooledAndCaughtUp) {
  TemporaryDirectory directory;
  SystemClock clock;
  LogOptions options = options_in(directory);
  options.busy_timeout = Milliseconds(1);
  options.spool_rows_max = 150;
  log::Capture lines;
  auto log = RequestLog::open(options, clock);
  int64_t today = store::day_of(kNoon);
  IdMaker ids(0);
  (*log)->port(0).submit(sample_row(ids.make(kNoon)));
  ASSERT_TRUE((*log)->flush(std::chrono::seconds(30)));
  {
    auto blocker = store::Connection::open(
        store::day_file(directory.path(), kRequestsPrefix, today), store::OpenMode::create);
    auto held = store::Transaction::begin(*blocker);
    ASSERT_TRUE(held);
    for (int i = 0; i < 100; ++i) (*log)->port(0).submit(sample_row(ids.make(kNoon)));
    auto failed = (*log)->flush(std::chrono::seconds(30));
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code(), ErrorCode::unavailable);
    LogHealth health = (*log)->health();
    EXPECT_FALSE(health.ok);
    EXPECT_NE(health.problem, "");
    EXPECT_EQ(health.rows_spooled, 100u);
    EXPECT_GE(health.store_errors, 1u);
    EXPECT_EQ(lines.count("ledger_store_failed"), 1u);
    for (int i = 0; i < 100; ++i) (*log)->port(0).submit(sample_row(ids.make(kNoon)));
    EXPECT_FALSE((*log)->flush(std::chrono::seconds(30)));
    EXPECT_EQ((*log)->health().rows_spooled, 150u) << "the spool has a limit";
    EXPECT_EQ((*log)->health().rows_dropped, 50u);
  }
  ASSERT_TRUE((*log)->flush(std::chrono::seconds(30)));
  LogHealth health = (*log)->health();
  EXPECT_TRUE(health.ok) << health.problem;
  EXPECT_EQ(health.rows_spooled, 0u);
  EXPECT_EQ(health.rows_written, 151u);
  EXPECT_EQ(count_rows(directory.path(), today), 151);
  EXPECT_EQ(lines.count("ledger_store_works_again"), 1u);
  log->reset();
  EXPECT_FALSE(lines.contains("user-17")) << "rows are not in the process log";
}

// A file size limit makes writes fail as a full disk does.
TEST(RequestLog, AFullDiskLosesNothingThatFitsTheSpool) {
  TemporaryDirectory directory;
  SystemClock clock;
  auto log = RequestLog::open(options_in(directory), clock);
  ASSERT_TRUE(log);
  IdMaker ids(0);
  (*log)->port(0).submit(sample_row(ids.make(kNoon)));
  ASSERT_TRUE((*log)->flush(std::chrono::seconds(30)));

  auto before_signal = signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit small = before;
  small.rlim_cur = 128 * 1024;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  for (int i = 0; i < 2000; ++i) (*log)->port(0).submit(sample_row(ids.make(kNoon)));
  auto failed = (*log)->flush(std::chrono::seconds(30));
  LogHealth health = (*log)->health();
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  signal(SIGXFSZ, before_signal);

  ASSERT_FALSE(failed);
  EXPECT_FALSE(health.ok);
  EXPECT_EQ(health.rows_dropped, 0u);
  EXPECT_GT(health.rows_spooled, 0u);
  ASSERT_TRUE((*log)->flush(std::chrono::seconds(30)));
  EXPECT_EQ((*log)->health().rows_written, 2001u);
  EXPECT_EQ(count_rows(directory.path(), store::day_of(kNoon)), 2001);
  auto connection = store::Connection::open(
      store::day_file(directory.path(), kRequestsPrefix, store::day_of(kNoon)),
      store::OpenMode::read_only);
  EXPECT_EQ(connection->query_text("PRAGMA integrity_check").value(), "ok");
}

TEST(RequestLog, ARemovedFileIsBegunAgain) {
  TemporaryDirectory directory;
  LogWriter writer(options_in(directory));
  IdMaker ids(0);
  RequestRow first = sample_row(ids.make(kNoon));
  ASSERT_TRUE(writer.write({&first, 1}));
  store::remove_database(store::day_file(directory.path(), kRequestsPrefix, store::day_of(kNoon)));
  writer.close_unused();
  RequestRow second = sample_row(ids.make(kNoon));
  ASSERT_TRUE(writer.write({&second, 1}));
  EXPECT_TRUE(LogReader(directory.path()).get(second.id));
}

TEST(RequestLog, AnUnusableDirectoryIsAnErrorAtStart) {
  SystemClock clock;
  LogOptions options;
  options.data_dir = "/proc/weir-can-not-write-here";
  EXPECT_FALSE(RequestLog::open(options, clock));
  TemporaryDirectory directory;
  std::filesystem::permissions(
      directory.path(), std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
  options.data_dir = directory.path();
  auto log = RequestLog::open(options, clock);
  if (geteuid() != 0) {
    ASSERT_FALSE(log);
    EXPECT_EQ(log.error().code(), ErrorCode::permission_denied);
  }
}

// The child writes rows as a worker would and says by pipe which ones were submitted and when;
// the parent kills it without warning. What was submitted more than a second before must be there.
[[noreturn]] void run_child(const std::string& directory, int round, int say) {
  SystemClock clock;
  LogOptions options;
  options.data_dir = directory;
  auto log = RequestLog::open(options, clock);
  if (!log) _exit(1);
  IdMaker ids(static_cast<uint8_t>(round));
  for (;;) {
    int64_t now = clock.wall_ms();
    RequestRow row = sample_row(ids.make(now));
    row.capture = std::make_unique<Capture>();
    row.capture->request = std::string(2000, 'r');
    int64_t record[2] = {row.id.value(), now};
    if (!(*log)->port(0).submit(std::move(row))) _exit(2);
    if (::write(say, record, sizeof record) != sizeof record) _exit(3);
    // Sleeps: paces the rows, so that a round spans many real commit intervals.
    // Sleeps: a worker that submits 2,000 rows a second.
    usleep(500);
  }
}

TEST(RequestLog, AKillLosesNothingAndCorruptsNothing) {
  TemporaryDirectory directory;
  Random random(42);
  std::vector<std::pair<int64_t, int64_t>> owed;  // id, submitted at
  for (int round = 0; round < 20; ++round) {
    int pipe_ends[2];
    ASSERT_EQ(pipe2(pipe_ends, O_CLOEXEC), 0);
    pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) run_child(directory.path(), round, pipe_ends[1]);
    ::close(pipe_ends[1]);
    // Most rounds are cut in the middle of a commit interval; two run past a second.
    int64_t run_ms = round % 10 == 9 ? 1500 : 20 + random.below(400);
    // Sleeps: the kill has to fall at an arbitrary moment of real time.
    // Sleeps: the moment of the kill is the subject.
    std::this_thread::sleep_for(Milliseconds(run_ms));
    ASSERT_EQ(kill(child, SIGKILL), 0);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended by itself: " << WEXITSTATUS(status);
    int64_t record[2];
    while (::read(pipe_ends[0], record, sizeof record) == sizeof record) {
      owed.emplace_back(record[0], record[1]);
    }
    ::close(pipe_ends[0]);
    for (std::string_view prefix : {kRequestsPrefix, kCapturesPrefix}) {
      for (int64_t day : store::days_on_disk(directory.path(), prefix)) {
        auto connection = store::Connection::open(store::day_file(directory.path(), prefix, day),
                                                  store::OpenMode::read_write);
        ASSERT_TRUE(connection) << connection.error().message();
        ASSERT_EQ(connection->query_text("PRAGMA integrity_check").value(), "ok") << round;
      }
    }
  }
  ASSERT_GT(owed.size(), 50u) << "the test must have something to lose";
  // The next start takes in what the last kill left.
  SystemClock clock;
  ASSERT_TRUE(RequestLog::open(options_in(directory), clock));
  LogReader reader(directory.path());
  for (auto [id, at] : owed) ASSERT_TRUE(reader.get(Id(id))) << id << " of " << at;
  // Rows and their sums were committed together.
  int64_t rows = 0;
  for (int64_t day : store::days_on_disk(directory.path(), kRequestsPrefix)) {
    rows += count_rows(directory.path(), day);
  }
  EXPECT_EQ(reader.sums({})->at(0).requests, rows);
}

}  // namespace
}  // namespace weir::ledger
