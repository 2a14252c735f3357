// DriftBook: the newest reconciliation of every provider, model and day, kept in
// data_dir/reconcile.db, and the runs that made them. A run replaces what was known of its days and
// of the providers that its statement has. For a job's and the control plane's thread, each with a
// book of its own. Limits: kRunsMax runs and the drifts of kDaysKept days are kept.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "reconcile/drift.h"
#include "store/sqlite.h"

namespace weir::reconcile {

struct Run {
  int64_t id = 0;
  int64_t time_ms = 0;
  std::string by;
  std::string source;  // "openai"
  std::string files;   // their names
  int64_t from_day = 0;
  int64_t to_day = 0;
  int64_t lines = 0;  // of the statement
  std::map<std::string, int64_t> left_out;
};

struct KeptDrift {
  int64_t run = 0;
  int64_t time_ms = 0;  // of the run
  Drift drift;
};

struct DriftFilter {
  int64_t from_day = 0;
  int64_t to_day = 0;         // exclusive
  std::string provider = {};  // empty: all
  uint32_t limit = 10'000;
};

class DriftBook {
 public:
  static constexpr size_t kRunsMax = 200;
  static constexpr int64_t kDaysKept = 800;

  // Errors: io_error, corrupt.
  static Result<DriftBook> open(const std::string& data_dir);

  // The run's number.
  Result<int64_t> keep(const Run& run, const Reconciliation& result);
  Result<std::vector<KeptDrift>> list(const DriftFilter& filter);  // newest day first
  Result<std::vector<Run>> runs();                                 // newest first

 private:
  explicit DriftBook(store::Connection connection) : connection_(std::move(connection)) {}
  store::Connection connection_;
};

}  // namespace weir::reconcile
