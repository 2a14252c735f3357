#include "jobs/runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <utility>

#include "base/log.h"
#include "store/directory_lock.h"

namespace weir::jobs {
namespace {

constexpr store::Migration kMigrations[] = {
    {1,
     "CREATE TABLE job(id INTEGER PRIMARY KEY, kind TEXT NOT NULL, title TEXT NOT NULL, "
     "state TEXT NOT NULL, done INTEGER NOT NULL, total INTEGER NOT NULL, unit TEXT NOT NULL, "
     "created_ms INTEGER NOT NULL, started_ms INTEGER NOT NULL, ended_ms INTEGER NOT NULL, "
     "by TEXT NOT NULL, result TEXT NOT NULL, error TEXT NOT NULL, file_name TEXT NOT NULL)"}};

constexpr std::array kStates = {State::queued, State::running,   State::done,
                                State::failed, State::cancelled, State::interrupted};

State parse_state(std::string_view text) {
  const auto* found =
      std::ranges::find_if(kStates, [text](State state) { return to_string(state) == text; });
  return found == kStates.end() ? State::interrupted : *found;
}

Job read_job(const store::Statement& row) {
  return {.id = row.column_int64(0),
          .kind = std::string(row.column_text(1)),
          .title = std::string(row.column_text(2)),
          .state = parse_state(row.column_text(3)),
          .done = row.column_int64(4),
          .total = row.column_int64(5),
          .unit = std::string(row.column_text(6)),
          .created_ms = row.column_int64(7),
          .started_ms = row.column_int64(8),
          .ended_ms = row.column_int64(9),
          .by = std::string(row.column_text(10)),
          .result = std::string(row.column_text(11)),
          .error = std::string(row.column_text(12)),
          .file_name = std::string(row.column_text(13))};
}

}  // namespace

std::string_view to_string(State state) {
  switch (state) {
    case State::queued:
      return "queued";
    case State::running:
      return "running";
    case State::done:
      return "done";
    case State::failed:
      return "failed";
    case State::cancelled:
      return "cancelled";
    case State::interrupted:
      return "interrupted";
  }
  return "";
}

class Runner::Running final : public Control {
 public:
  Running(Runner& runner, Entry& entry, std::string file_path)
      : runner_(runner), entry_(entry), file_path_(std::move(file_path)), by_(entry.job.by) {}
  Result<void> progress(int64_t done, int64_t total) override {
    return runner_.progress(entry_, done, total);
  }
  const std::string& file_path() const override { return file_path_; }
  const std::string& by() const override { return by_; }

 private:
  Runner& runner_;
  Entry& entry_;
  std::string file_path_;
  std::string by_;
};

Result<std::unique_ptr<Runner>> Runner::open(const std::string& data_dir, const Clock& clock) {
  std::unique_ptr<Runner> runner(new Runner(data_dir, clock));
  WEIR_TRY(runner->connection_,
           store::Connection::open(data_dir + "/jobs.db", store::OpenMode::create));
  WEIR_CHECK_OK(runner->connection_.migrate("jobs", kMigrations));
  WEIR_CHECK_OK(runner->load());
  runner->thread_ = std::thread([running = runner.get()] { running->run(); });
  return runner;
}

Runner::~Runner() {
  stop();
}

Result<void> Runner::load() {
  {
    WEIR_TRY(store::Statement select,
             connection_.prepare("SELECT id, kind, title, state, done, total, unit, created_ms, "
                                 "started_ms, ended_ms, by, result, error, file_name FROM job"));
    for (;;) {
      WEIR_TRY(const bool more, select.step());
      if (!more) break;
      Job job = read_job(select);
      last_id_ = std::max(last_id_, job.id);
      entries_[job.id].job = std::move(job);
    }
  }
  for (auto& [id, entry] : entries_) {
    if (!is_over(entry.job.state)) finish(entry, State::interrupted, "Weir was stopped");
  }
  // What a killed process left of a file that no record names.
  std::error_code error;
  for (const auto& file : std::filesystem::directory_iterator(data_dir_ + "/jobs", error)) {
    const bool known = std::ranges::any_of(entries_, [&](const auto& entry) {
      const Job& job = entry.second.job;
      return job.state == State::done && !job.file_name.empty() && path_of(job) == file.path();
    });
    if (!known) std::filesystem::remove(file.path(), error);
  }
  tidy();
  return {};
}

std::string Runner::path_of(const Job& job) const {
  return fmt::format("{}/jobs/{}{}", data_dir_, job.id,
                     std::filesystem::path(job.file_name).extension().string());
}

Result<Job> Runner::submit(Order order) {
  if (!order.file_name.empty()) {
    WEIR_CHECK_OK(store::make_private_directory(data_dir_ + "/jobs"));
  }
  const std::lock_guard lock(mutex_);
  size_t waiting = 0;
  uint64_t held = order.held_bytes;
  for (const auto& [id, entry] : entries_) {
    waiting += entry.job.state == State::queued ? 1 : 0;
    held += entry.held_bytes;
  }
  if (stopping_ || waiting >= kWaitingMax || held > kHeldBytesMax) {
    refused_.fetch_add(1, std::memory_order_relaxed);
    return fail(ErrorCode::unavailable, "too many jobs wait: try again when some are over");
  }
  Entry entry;
  entry.job = {.id = ++last_id_,
               .kind = std::move(order.kind),
               .title = std::move(order.title),
               .unit = std::move(order.unit),
               .created_ms = clock_.wall_ms(),
               .by = std::move(order.by),
               .file_name = std::move(order.file_name)};
  entry.work = std::move(order.work);
  entry.held_bytes = order.held_bytes;
  Entry& kept = entries_.emplace(last_id_, std::move(entry)).first->second;
  write(kept.job);
  tidy();
  changed_.notify_all();
  return kept.job;
}

std::vector<Job> Runner::list() const {
  const std::lock_guard lock(mutex_);
  std::vector<Job> jobs;
  for (auto at = entries_.rbegin(); at != entries_.rend(); ++at) jobs.push_back(at->second.job);
  return jobs;
}

Result<Job> Runner::get(int64_t id) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end()) return fail(ErrorCode::not_found, "there is no such job");
  return found->second.job;
}

Result<Job> Runner::cancel(int64_t id) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end()) return fail(ErrorCode::not_found, "there is no such job");
  Entry& entry = found->second;
  if (is_over(entry.job.state)) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("the job is over: it is {}", to_string(entry.job.state)));
  }
  entry.cancelled = true;
  if (entry.job.state == State::queued) finish(entry, State::cancelled, "");
  return entry.job;
}

Result<void> Runner::remove(int64_t id) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end()) return fail(ErrorCode::not_found, "there is no such job");
  if (!is_over(found->second.job.state)) {
    return fail(ErrorCode::invalid_argument, "the job is not over: cancel it first");
  }
  drop_file(found->second.job);
  WEIR_TRY(store::Statement erase, connection_.prepare("DELETE FROM job WHERE id=?1"));
  erase.bind(1, id);
  WEIR_CHECK_OK(erase.run());
  entries_.erase(found);
  version_.fetch_add(1, std::memory_order_release);
  return {};
}

Result<std::string> Runner::file_of(int64_t id) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end()) return fail(ErrorCode::not_found, "there is no such job");
  const Job& job = found->second.job;
  if (job.state != State::done || job.file_name.empty()) {
    return fail(ErrorCode::not_found, "the job has no file, or not any more");
  }
  return path_of(job);
}

size_t Runner::waiting() const {
  const std::lock_guard lock(mutex_);
  return static_cast<size_t>(std::ranges::count_if(
      entries_, [](const auto& entry) { return entry.second.job.state == State::queued; }));
}

void Runner::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Runner::wait_until_idle() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] {
    return std::ranges::all_of(entries_,
                               [](const auto& entry) { return is_over(entry.second.job.state); });
  });
}

Runner::Entry* Runner::next() {
  for (auto& [id, entry] : entries_) {
    if (entry.job.state == State::queued) return &entry;
  }
  return nullptr;
}

void Runner::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || next() != nullptr; });
    if (stopping_) return;
    run_one(lock, *next());
  }
}

// A running entry is not removed, so it stays where it is while the lock is given up.
void Runner::run_one(std::unique_lock<std::mutex>& lock, Entry& entry) {
  entry.job.state = State::running;
  entry.job.started_ms = clock_.wall_ms();
  write(entry.job);
  Running control(*this, entry, entry.job.file_name.empty() ? "" : path_of(entry.job));
  const Work work = std::move(entry.work);
  Job told = entry.job;
  lock.unlock();
  Result<std::string> result = work(control);
  told.state = result ? State::done : State::failed;
  if (result) told.result = *result;
  if (on_end_) on_end_(told);
  lock.lock();
  if (result) {
    entry.job.result = std::move(*result);
    finish(entry, State::done, "");
  } else if (result.error().code() != ErrorCode::cancelled) {
    finish(entry, State::failed, std::string(result.error().message()));
  } else if (entry.cancelled) {
    finish(entry, State::cancelled, "");
  } else {
    finish(entry, State::interrupted, "Weir was stopped");
  }
}

Result<void> Runner::progress(Entry& entry, int64_t done, int64_t total) {
  const std::lock_guard lock(mutex_);
  if (entry.cancelled || stopping_) return fail(ErrorCode::cancelled, "the job was cancelled");
  entry.job.done = done;
  entry.job.total = std::max(done, total);
  version_.fetch_add(1, std::memory_order_release);
  return {};
}

// A record that cannot be written is lost at a restart; the job goes on.
void Runner::write(const Job& job) {
  version_.fetch_add(1, std::memory_order_release);
  const auto put = [&]() -> Result<void> {
    WEIR_TRY(store::Statement insert,
             connection_.prepare("INSERT OR REPLACE INTO job VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, "
                                 "?8, ?9, ?10, ?11, ?12, ?13, ?14)"));
    insert.bind(1, job.id)
        .bind(2, job.kind)
        .bind(3, job.title)
        .bind(4, to_string(job.state))
        .bind(5, job.done)
        .bind(6, job.total)
        .bind(7, job.unit)
        .bind(8, job.created_ms)
        .bind(9, job.started_ms)
        .bind(10, job.ended_ms)
        .bind(11, job.by)
        .bind(12, job.result)
        .bind(13, job.error)
        .bind(14, job.file_name);
    return insert.run();
  };
  if (auto done = put(); !done) {
    log::warn("job_unwritten", {{"job", job.id}, {"problem", done.error().message()}});
  }
}

void Runner::finish(Entry& entry, State state, std::string error) {
  Job& job = entry.job;
  job.state = state;
  job.error = std::move(error);
  job.ended_ms = clock_.wall_ms();
  entry.work = {};
  entry.held_bytes = 0;
  if (state != State::done) drop_file(job);
  write(job);
  log::info("job", {{"job", job.id},
                    {"kind", job.kind},
                    {"by", job.by},
                    {"state", to_string(job.state)},
                    {"problem", job.error}});
  changed_.notify_all();
}

void Runner::drop_file(Job& job) {
  if (job.file_name.empty()) return;
  std::error_code error;
  std::filesystem::remove(path_of(job), error);
  job.file_name.clear();
}

void Runner::tidy() {
  size_t files = 0;
  for (auto at = entries_.rbegin(); at != entries_.rend(); ++at) {
    Job& job = at->second.job;
    if (job.state != State::done || job.file_name.empty() || ++files <= kFilesMax) continue;
    drop_file(job);
    write(job);
  }
  for (auto at = entries_.begin(); at != entries_.end() && entries_.size() > kKeptMax;) {
    if (!is_over(at->second.job.state)) {
      ++at;
      continue;
    }
    drop_file(at->second.job);
    if (auto done =
            connection_.execute(fmt::format("DELETE FROM job WHERE id={}", at->first).c_str());
        !done) {
      log::warn("job_unwritten", {{"job", at->first}, {"problem", done.error().message()}});
    }
    at = entries_.erase(at);
  }
}

}  // namespace weir::jobs
