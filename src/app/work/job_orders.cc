#include "app/work/job_orders.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <utility>
#include <vector>

#include "admin/fields.h"
#include "app/work/ledger_work.h"
#include "app/work/price_work.h"
#include "app/work/reconcile_work.h"
#include "base/clock.h"
#include "base/date.h"
#include "base/json/writer.h"
#include "ledger/compact.h"
#include "ledger/scale.h"
#include "reconcile/drift_book.h"
#include "store/day.h"

namespace weir::app {
namespace {

using admin::flag_member;
using admin::only_fields;
using admin::required_text;
using admin::text_member;

using ConfigPtr = std::shared_ptr<const Config>;

constexpr size_t kDifferencesMax = 1'000;  // that a result lists
constexpr uint32_t kFilesMax = 16;
constexpr size_t kNameBytesMax = 100;
constexpr uint64_t kExportBytesMax = uint64_t{4} << 30;
// What an export leaves of the disk to the ledger.
constexpr uint64_t kSpaceLeft = uint64_t{512} << 20;

// A file that is written piece by piece and never fills the disk.
class ExportFile {
 public:
  static Result<ExportFile> make(const std::string& path) {
    ExportFile made(path);
    if (made.file_ == nullptr) {
      return fail(ErrorCode::io_error, fmt::format("{} cannot be written", path));
    }
    return made;
  }
  Result<void> write(std::string_view piece) {
    bytes_ += piece.size();
    if (bytes_ > kExportBytesMax) {
      return fail(ErrorCode::limit_exceeded,
                  "the export is larger than 4 GiB: ask for a shorter time");
    }
    std::error_code error;
    const auto space = std::filesystem::space(path_, error);
    if (!error && space.available < kSpaceLeft) {
      return fail(ErrorCode::limit_exceeded,
                  "the disk has less than 512 MiB left, which the ledger needs");
    }
    if (std::fwrite(piece.data(), 1, piece.size(), file_.get()) == piece.size()) return {};
    return fail(ErrorCode::io_error, fmt::format("{} cannot be written", path_));
  }
  Result<uint64_t> close() {
    if (std::fclose(file_.release()) == 0) return bytes_;
    return fail(ErrorCode::io_error, fmt::format("{} cannot be written", path_));
  }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  explicit ExportFile(std::string path)
      : path_(std::move(path)), file_(std::fopen(path_.c_str(), "wbe")) {}
  std::string path_;
  std::unique_ptr<std::FILE, Close> file_;
  uint64_t bytes_ = 0;
};

struct Dates {
  std::string from;
  std::string to;
  DateRange period;
};

Result<Dates> dates_of(json::Value body) {
  Dates dates;
  WEIR_TRY(dates.from, required_text(body, "from"));
  WEIR_TRY(dates.to, required_text(body, "to"));
  WEIR_TRY(dates.period, parse_period(dates.from, dates.to, "from, to"));
  return dates;
}

Result<std::string> run_export(const Config& config, ledger::ExportQuery query,
                               jobs::Control& control) {
  const ledger::LogReader reader(config.data_dir);
  WEIR_TRY(const int64_t total, ledger::rows_about(reader, query));
  int64_t rows = 0;
  query.progress = [&](int64_t done) {
    rows = done;
    return control.progress(done, total);
  };
  WEIR_TRY(ExportFile file, ExportFile::make(control.file_path()));
  WEIR_CHECK_OK(ledger::export_rows(reader, query,
                                    [&file](std::string_view piece) { return file.write(piece); }));
  WEIR_TRY(const uint64_t bytes, file.close());
  WEIR_CHECK_OK(control.progress(rows, rows));
  std::string result;
  json::Writer(result).begin_object().member("rows", rows).member("bytes", bytes).end_object();
  return result;
}

Result<jobs::Order> export_order(json::Value body, const ConfigPtr& config) {
  WEIR_CHECK_OK(only_fields(
      body, {"kind", "from", "to", "format", "key", "team", "project", "model", "provider"}));
  WEIR_TRY(const Dates dates, dates_of(body));
  WEIR_TRY(const auto format, text_member(body, "format"));
  WEIR_TRY(ledger::ExportQuery query, export_query(*config, dates.period, format.value_or("csv")));
  std::string title = fmt::format("Export of {} to {} as {}", dates.from, dates.to,
                                  ledger::to_string(query.format));
  const std::pair<std::string_view, std::string*> filters[] = {{"key", &query.only.key_id},
                                                               {"team", &query.only.team},
                                                               {"project", &query.only.project},
                                                               {"model", &query.only.model},
                                                               {"provider", &query.only.provider}};
  for (const auto& [name, place] : filters) {
    WEIR_TRY(const auto value, text_member(body, name));
    if (!value || value->empty()) continue;
    *place = *value;
    title += fmt::format(", {} {}", name, *value);
  }
  const bool lines = query.format == ledger::ExportFormat::jsonl;
  const bool focus = query.format == ledger::ExportFormat::focus_1_2 ||
                     query.format == ledger::ExportFormat::focus_1_4;
  return jobs::Order{
      .title = std::move(title),
      .unit = "rows",
      .file_name = fmt::format("weir-{}{}-{}.{}", focus ? "focus-" : "",
                               rfc3339(query.since_ms).substr(0, 10),
                               rfc3339(query.until_ms).substr(0, 10), lines ? "jsonl" : "csv"),
      .work = [config, query](jobs::Control& control) {
        return run_export(*config, query, control);
      }};
}

void write_sum(json::Writer& w, const ledger::RerateSum& sum) {
  w.member("rows", sum.rows)
      .member("before_usd", sum.before.to_usd())
      .member("after_usd", sum.after.to_usd());
}

Result<std::string> run_rerate(const Config& config, const DateRange& period, bool dry_run,
                               jobs::Control& control) {
  const ledger::LogReader reader(config.data_dir);
  WEIR_TRY(const int64_t total,
           ledger::rows_about(reader, {.since_ms = period.since_ms, .until_ms = period.until_ms}));
  int64_t looked_at = 0;
  WEIR_TRY(const ledger::RerateReport report,
           rerate_period(config, period, dry_run, [&](int64_t rows) {
             looked_at = rows;
             return control.progress(rows, total);
           }));
  WEIR_CHECK_OK(control.progress(looked_at, looked_at));
  std::string result;
  json::Writer w(result);
  w.begin_object().member("dry_run", dry_run);
  w.member("rows_with_usage", report.rows)
      .member("same", report.same)
      .member("unpriced", report.unpriced)
      .member("unknown", report.unknown);
  write_sum(w, report.all);
  w.key("models").begin_array();
  for (const auto& [name, sum] : report.by_model) {
    w.begin_object().member("provider", name.first).member("model", name.second);
    write_sum(w, sum);
    w.end_object();
  }
  w.end_array().end_object();
  return result;
}

Result<jobs::Order> rerate_order(json::Value body, const ConfigPtr& config) {
  WEIR_CHECK_OK(only_fields(body, {"kind", "from", "to", "dry_run"}));
  WEIR_TRY(const Dates dates, dates_of(body));
  WEIR_TRY(const auto flag, flag_member(body, "dry_run"));
  const bool dry_run = flag.value_or(true);
  return jobs::Order{.title = fmt::format("Re-rating of {} to {}{}", dates.from, dates.to,
                                          dry_run ? ", dry run" : ""),
                     .unit = "rows",
                     .work = [config, period = dates.period, dry_run](jobs::Control& control) {
                       return run_rerate(*config, period, dry_run, control);
                     }};
}

struct Upload {
  std::string name;
  std::string text;
};

// {"files":[{"name":"costs.json","text":"..."}]}
Result<std::vector<Upload>> files_of(json::Value body) {
  const json::Value list = body["files"];
  if (!list.is_array() || list.size() == 0 || list.size() > kFilesMax) {
    return fail(admin::wrong_field("files", "1 to 16 files, each with a name and its text"));
  }
  std::vector<Upload> files;
  for (const json::Value file : list.elements()) {
    WEIR_CHECK_OK(only_fields(file, {"name", "text"}));
    Upload upload;
    WEIR_TRY(upload.name, required_text(file, "name"));
    WEIR_TRY(upload.text, required_text(file, "text"));
    upload.name = upload.name.substr(0, kNameBytesMax);
    files.push_back(std::move(upload));
  }
  return files;
}

struct ReconcileTask {
  std::string source;
  reconcile::ReadOptions options;
  ReconcileDays days;
  std::vector<Upload> files;
};

Result<std::string> run_reconcile(const Config& config, const ReconcileTask& task,
                                  jobs::Control& control) {
  // Reading the files, the ledger, and keeping what was found.
  const int64_t steps = static_cast<int64_t>(task.files.size()) + 2;
  int64_t done = 0;
  reconcile::Statement statement;
  reconcile::Run run{.time_ms = SystemClock().wall_ms(), .by = control.by(), .source = task.source};
  for (const Upload& file : task.files) {
    WEIR_CHECK_OK(control.progress(done++, steps));
    if (auto read = reconcile::read_statement(file.text, task.options, statement); !read) {
      return fail(read.error().code(), fmt::format("{}: {}", file.name, read.error().message()));
    }
    run.files += (run.files.empty() ? "" : ", ") + file.name;
  }
  WEIR_CHECK_OK(control.progress(done++, steps));
  const reconcile::DriftQuery query = drift_query(statement, task.days);
  WEIR_TRY(const reconcile::Reconciliation result, reconcile_with_ledger(config, statement, query));
  WEIR_CHECK_OK(control.progress(done++, steps));
  run.from_day = query.from_day;
  run.to_day = query.to_day;
  run.lines = static_cast<int64_t>(statement.lines.size());
  run.left_out = statement.left_out;
  WEIR_TRY(reconcile::DriftBook book, reconcile::DriftBook::open(config.data_dir));
  WEIR_TRY(const int64_t number, book.keep(run, result));
  WEIR_CHECK_OK(control.progress(steps, steps));
  std::string text;
  json::Writer w(text);
  w.begin_object()
      .member("run", fmt::format("{}", number))
      .member("from", store::day_text(query.from_day))
      .member("to", store::day_text(query.to_day))
      .member("lines", run.lines)
      .member("drift", has_drift(result));
  write_sums(w, result);
  write_left_out(w, statement);
  w.end_object();
  return text;
}

Result<jobs::Order> reconcile_order(json::Value body, const ConfigPtr& config) {
  WEIR_CHECK_OK(only_fields(body, {"kind", "source", "provider", "from", "to", "today", "files"}));
  auto task = std::make_shared<ReconcileTask>();
  WEIR_TRY(task->source, required_text(body, "source"));
  WEIR_TRY(const auto provider, text_member(body, "provider"));
  WEIR_TRY(task->options, read_options(*config, task->source, provider.value_or("")));
  const std::pair<std::string_view, std::optional<int64_t>*> days[] = {
      {"from", &task->days.from}, {"to", &task->days.to}, {"today", &task->days.today}};
  for (const auto& [name, place] : days) {
    WEIR_TRY(const auto text, text_member(body, name));
    WEIR_TRY(*place, parse_day_of(text.value_or(""), name));
  }
  WEIR_TRY(task->files, files_of(body));
  uint64_t bytes = 0;
  std::string names;
  for (const Upload& file : task->files) {
    bytes += file.text.size();
    names += (names.empty() ? "" : ", ") + file.name;
  }
  return jobs::Order{.title = fmt::format("Reconciliation with {}: {}", task->source, names),
                     .unit = "steps",
                     .held_bytes = bytes,
                     .work = [config, task](jobs::Control& control) {
                       return run_reconcile(*config, *task, control);
                     }};
}

struct ImportTask {
  CatalogueOrder order;
  std::string text;
  bool dry_run = true;
};

void write_differences(json::Writer& w, std::string_view name,
                       const std::vector<ledger::PriceDifference>& differences) {
  w.key(name).begin_array();
  for (size_t i = 0; i < std::min(differences.size(), kDifferencesMax); ++i) {
    write_difference(w, differences[i]);
  }
  w.end_array();
}

Result<std::string> run_import(const Config& given, const ImportTask& task,
                               jobs::Control& control) {
  WEIR_CHECK_OK(control.progress(0, 2));
  WEIR_TRY(ComparedCatalogue compared, compare_catalogue(given, task.order, task.text));
  WEIR_CHECK_OK(control.progress(1, 2));
  std::vector<ledger::PriceDifference> taken;
  std::vector<ledger::PriceDifference> suspicious;
  for (ledger::PriceDifference& difference : compared.comparison.differences) {
    if (!is_wanted(difference, task.order)) continue;
    const bool held = !difference.suspicious.empty() && !task.order.accept_suspicious;
    (held ? suspicious : taken).push_back(std::move(difference));
  }
  std::string result;
  json::Writer w(result);
  w.begin_object()
      .member("dry_run", task.dry_run)
      .member("rows", static_cast<int64_t>(taken.size()))
      .member("suspicious_rows", static_cast<int64_t>(suspicious.size()))
      .member("same", static_cast<int64_t>(compared.comparison.same))
      .member("refused", static_cast<int64_t>(compared.catalogue.refused.size()))
      .member("valid_from", ledger::price_date(compared.query.valid_from_ms));
  write_differences(w, "differences", taken);
  write_differences(w, "suspicious", suspicious);
  w.end_object();
  if (!task.dry_run && !taken.empty()) {
    const std::string path = imported_prices_path(given.data_dir);
    WEIR_TRY(auto rows, read_price_file(path));
    std::vector<ledger::PriceRow> fresh;
    for (ledger::PriceDifference& difference : taken) fresh.push_back(std::move(difference.row));
    WEIR_CHECK_OK(write_price_file(path, std::move(rows), std::move(fresh)));
  }
  WEIR_CHECK_OK(control.progress(2, 2));
  return result;
}

Result<jobs::Order> import_order(json::Value body, const ConfigPtr& config) {
  WEIR_CHECK_OK(
      only_fields(body, {"kind", "source", "text", "whose", "valid_from", "providers", "provider",
                         "model", "with_new", "accept_suspicious", "dry_run"}));
  auto task = std::make_shared<ImportTask>();
  WEIR_TRY(task->order.source, required_text(body, "source"));
  if (!ledger::catalogue_kind_of(task->order.source)) {
    return fail(admin::wrong_field("source", "litellm, models.dev or portkey"));
  }
  WEIR_TRY(task->text, required_text(body, "text"));
  const std::pair<std::string_view, std::string*> texts[] = {
      {"whose", &task->order.whose},
      {"valid_from", &task->order.valid_from},
      {"provider", &task->order.provider},
      {"model", &task->order.model}};
  for (const auto& [name, place] : texts) {
    WEIR_TRY(const auto value, text_member(body, name));
    *place = value.value_or("");
  }
  for (const auto& [theirs, ours] : body["providers"].members()) {
    task->order.providers[theirs] = ours.string_or("");
  }
  WEIR_TRY(const auto with_new, flag_member(body, "with_new"));
  WEIR_TRY(const auto accept, flag_member(body, "accept_suspicious"));
  WEIR_TRY(const auto dry_run, flag_member(body, "dry_run"));
  task->order.with_new = with_new.value_or(false);
  task->order.accept_suspicious = accept.value_or(false);
  task->dry_run = dry_run.value_or(true);
  return jobs::Order{
      .title = fmt::format("Prices of {}{}", task->order.source, task->dry_run ? ", dry run" : ""),
      .unit = "steps",
      .held_bytes = task->text.size(),
      .work = [config, task](jobs::Control& control) {
        return run_import(*config, *task, control);
      }};
}

Result<std::string> run_compact(const Config& config, jobs::Control& control) {
  WEIR_TRY(const ledger::CompactReport report,
           ledger::compact({.data_dir = config.data_dir,
                            .today = store::day_of(SystemClock().wall_ms()),
                            .progress = [&control](int64_t done, int64_t total) {
                              return control.progress(done, total);
                            }}));
  WEIR_CHECK_OK(control.progress(report.files, report.files));
  std::string result;
  json::Writer(result)
      .begin_object()
      .member("files", report.files)
      .member("compacted", report.compacted)
      .member("left", report.left)
      .member("bytes_before", report.bytes_before)
      .member("bytes_after", report.bytes_after)
      .end_object();
  return result;
}

Result<jobs::Order> compact_order(json::Value body, const ConfigPtr& config) {
  WEIR_CHECK_OK(only_fields(body, {"kind"}));
  return jobs::Order{
      .title = "Compaction of the ledger's files",
      .unit = "files",
      .work = [config](jobs::Control& control) { return run_compact(*config, control); }};
}

}  // namespace

Result<jobs::Order> make_order(std::string_view kind, json::Value body, const JobPlace& place) {
  using Make = Result<jobs::Order> (*)(json::Value, const ConfigPtr&);
  static constexpr std::pair<std::string_view, Make> kKinds[] = {{"export", export_order},
                                                                 {"rerate", rerate_order},
                                                                 {"reconcile", reconcile_order},
                                                                 {"import_prices", import_order},
                                                                 {"compact", compact_order}};
  for (const auto& [name, make] : kKinds) {
    if (name != kind) continue;
    WEIR_TRY(jobs::Order order, make(body, place.config));
    order.kind = kind;
    return order;
  }
  return fail(ErrorCode::invalid_argument, fmt::format("there is no kind of job \"{}\"", kind));
}

}  // namespace weir::app
