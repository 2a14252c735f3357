// What the control plane looks at every second: the file, the keys and records that another process
// may have changed, corrections, the disk, budgets, and use that is not as it was.
#include <sys/stat.h>

#include "app/control_plane.h"
#include "base/log.h"
#include "ledger/corrections.h"
#include "ledger/rerate.h"

namespace weir::app {
namespace {

constexpr size_t kErrorsMax = 32;
constexpr int64_t kErrorsKeptMs = 86'400'000;

}  // namespace

void ControlPlane::watch() {
  if (!is_demo()) watch_file();
  watch_keys();
  watch_records();
  watch_corrections();
  watch_disk();
  watch_budgets();
  watch_anomalies();
  watch_timer_->arm(kWatchInterval);
}

void ControlPlane::watch_disk() {
  store::DirectoryHealth now = store::look_at_directory(config_.data_dir);
  if (now.writable != disk_.writable) {
    if (now.writable) {
      log::info("disk_works_again", {{"data_dir", config_.data_dir}});
    } else {
      log::warn("disk_unwritable", {{"problem", now.problem}});
    }
  }
  disk_ = std::move(now);
}

ledger::LogHealth ControlPlane::ledger_health() const {
  ledger::LogHealth health = log_->health();
  if (health.ok && !disk_.writable) {
    health.ok = false;
    health.problem = disk_.problem;
  }
  return health;
}

// Kept for a day and told by the admin API, one of each kind.
void ControlPlane::note_error(const std::string& what, std::string_view message) {
  uint64_t times = 1;
  std::erase_if(errors_, [&](const admin::RecentError& error) {
    if (error.what != what) return false;
    times += error.times;
    return true;
  });
  if (errors_.size() >= kErrorsMax) errors_.pop_back();
  errors_.insert(
      errors_.begin(),
      {.what = what, .message = std::string(message), .time_ms = clock_.wall_ms(), .times = times});
}

std::vector<admin::RecentError> ControlPlane::recent_errors() const {
  std::vector<admin::RecentError> fresh = errors_;
  std::erase_if(fresh, [this](const admin::RecentError& error) {
    return error.time_ms + kErrorsKeptMs < clock_.wall_ms();
  });
  return fresh;
}

// Corrections that a job here or `weir ledger rerate` beside this process wrote.
void ControlPlane::watch_corrections() {
  const int64_t stamp = ledger::corrections_stamp(config_.data_dir);
  if (stamp == corrections_stamp_) return;
  auto told = ledger::recall_corrections(*reader_, clock_.wall_ms(), composer_->limits());
  if (!told) {
    log::error("corrections_not_taken_up", {{"problem", told.error().message()}});
    note_error("corrections_not_taken_up", told.error().message());
    return;
  }
  corrections_stamp_ = stamp;
  log::info("corrections_taken_up");
}

void ControlPlane::watch_budgets() {
  const auto reached = alerts_->watch(budgets(), clock_.wall_ms(), alert_sender_->has_webhook());
  if (!reached) {
    log::error("alerts_unwritable", {{"problem", reached.error().message()}});
    note_error("alerts_unwritable", reached.error().message());
    return;
  }
  for (const ledger::AlertBook::Reached& one : *reached) {
    log::warn("budget_threshold", {{"subject", one.standing.subject},
                                   {"percent", one.threshold},
                                   {"budget_usd", one.standing.rule.limit.to_usd()},
                                   {"per", ledger::window_text(one.standing.rule)},
                                   {"hard", one.standing.rule.hard},
                                   {"spent_usd", one.standing.spent.to_usd()}});
  }
  alert_sender_->poke();
}

void ControlPlane::watch_anomalies() {
  const auto found = anomalies_->turn(
      clock_.wall_ms(), alert_sender_->has_webhook(), [this](std::string_view key_id) {
        const access::Principal* who = snapshot_->keys.find_by_id(key_id);
        return who == nullptr ? std::string(key_id) : who->name;
      });
  if (!found) {
    log::error("anomalies_unreadable", {{"problem", found.error().message()}});
    return;
  }
  for (const ledger::Anomaly& one : *found) {
    log::warn("anomaly", {{"kind", ledger::to_string(one.kind)},
                          {"key", one.key_id},
                          {"model", one.model},
                          {"spent_usd", one.spent.to_usd()},
                          {"requests", one.requests},
                          {"errors", one.errors}});
  }
  alert_sender_->poke();
}

admin::AnomalyState ControlPlane::anomaly_state() const {
  return {.learning_hours = anomalies_->behind(clock_.wall_ms()),
          .unwatched = anomalies_->unwatched()};
}

// Keys that `weir key` made or revoked beside this process.
void ControlPlane::watch_keys() {
  const auto version = keys_->foreign_changes();
  if (!version || *version == keys_version_) return;
  keys_version_ = *version;
  if (auto generation = keys_changed(); !generation) {
    log::error("keys_not_taken_up", {{"problem", generation.error().message()}});
    note_error("keys_not_taken_up", generation.error().message());
  } else {
    log::info("keys_changed", {{"generation", *generation}});
  }
}

void ControlPlane::watch_file() {
  const int64_t stamp = file_stamp();
  // Editors replace files: one that is missing for a moment is no change. One that differs from
  // the last look may be half written: it is read when the next look finds it the same.
  if (stamp != 0 && stamp != file_stamp_ && stamp == file_stamp_seen_) {
    file_stamp_ = stamp;
    reload_and_log("the file changed");
  }
  file_stamp_seen_ = stamp;
}

// What changes when the file does: its time, its size, its place. 0 when it cannot be looked at.
int64_t ControlPlane::file_stamp() const {
  struct stat info{};
  if (stat(options_.config_path.c_str(), &info) != 0) return 0;
  return info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec + info.st_size +
         static_cast<int64_t>(info.st_ino) * 7'919;
}

}  // namespace weir::app
