// weir audit: the audit log from the shell: printed, verified, and the public key of its
// signatures.
#include <fmt/format.h>

#include <fstream>
#include <iterator>
#include <optional>
#include <ostream>

#include "app/commands.h"
#include "app/commands/data_folder.h"
#include "app/config/values.h"
#include "base/date.h"
#include "base/json/writer.h"
#include "identity/audit_json.h"
#include "identity/audit_log.h"

namespace weir::app {
namespace {

constexpr int64_t kPage = 1000;

int failed(const Error& error, Terminal& terminal) {
  terminal.err << "weir: " << error.message() << "\n";
  return kExitFailed;
}

void print_json(const identity::AuditRecord& record, Terminal& terminal) {
  std::string line;
  json::Writer w(line);
  identity::write_record(w, record);
  terminal.out << line << "\n";
}

int run_list(const Arguments& arguments, Terminal& terminal) {
  const auto folder = data_folder(arguments, terminal);
  if (!folder) return failed(folder.error(), terminal);
  auto log = identity::AuditLog::open(*folder);
  if (!log) return failed(log.error(), terminal);
  identity::AuditQuery query{.limit = kPage,
                             .actor = arguments.value("actor"),
                             .action = arguments.value("action"),
                             .object = arguments.value("object")};
  if (arguments.has("since")) {
    const auto moment = parse_moment(arguments.value("since"));
    if (!moment) return failed(moment.error(), terminal);
    query.since_ms = moment->wall_ms;
  }
  while (true) {
    const auto records = log->list(query);
    if (!records) return failed(records.error(), terminal);
    for (const identity::AuditRecord& record : *records) {
      if (arguments.has("json")) {
        print_json(record, terminal);
        continue;
      }
      terminal.out << fmt::format("{:>6}  {}  {:<16} {:<12} {} {}{}\n", record.number,
                                  rfc3339(record.time_ms), record.actor, record.actor_kind,
                                  record.action, record.object,
                                  record.status >= 400 ? fmt::format(" ({})", record.status) : "");
    }
    if (static_cast<int64_t>(records->size()) < kPage) return kExitDone;
    query.before = records->back().number;
  }
}

Result<identity::AuditKey> key_for(const Arguments& arguments, const std::string& folder) {
  if (!arguments.has("public-key")) return identity::AuditKey::open(folder);
  const std::string path = arguments.value("public-key");
  std::ifstream in(path, std::ios::binary);
  const std::string pem{std::istreambuf_iterator<char>(in), {}};
  if (!in) return fail(ErrorCode::not_found, fmt::format("{}: can not be read", path));
  return identity::AuditKey::from_public_pem(pem);
}

int run_verify(const Arguments& arguments, Terminal& terminal) {
  const auto folder = data_folder(arguments, terminal);
  if (!folder) return failed(folder.error(), terminal);
  const auto key = key_for(arguments, *folder);
  if (!key) return failed(key.error(), terminal);
  std::optional<identity::AuditAnchor> anchor;
  if (arguments.has("anchor")) {
    const auto given = identity::parse_anchor(arguments.value("anchor"));
    if (!given) return failed(given.error(), terminal);
    anchor = *given;
  }
  const auto report = identity::AuditLog::verify(*folder, *key, anchor);
  if (!report) return failed(report.error(), terminal);
  for (const std::string& problem : report->problems) terminal.err << problem << "\n";
  if (!report->problems.empty()) {
    terminal.err << fmt::format("The audit log is not what was written ({} records).\n",
                                report->records);
    return kExitFailed;
  }
  terminal.err << fmt::format("{} records and {} checkpoints are as they were written.\n",
                              report->records, report->checkpoints);
  if (report->records > 0) terminal.out << to_text(report->head) << "\n";
  return kExitDone;
}

int run_key(const Arguments& arguments, Terminal& terminal) {
  const auto folder = data_folder(arguments, terminal);
  if (!folder) return failed(folder.error(), terminal);
  const auto key = identity::AuditKey::open(*folder);
  if (!key) return failed(key.error(), terminal);
  terminal.out << key->public_pem();
  return kExitDone;
}

}  // namespace

Command audit_command() {
  return {
      .name = "audit",
      .summary = "Read and verify the audit log",
      .details =
          "Every change by the admin API and by these commands is a record: who, what, from\n"
          "where, before and after. Records are chained by their hashes and signed.",
      .subcommands =
          {{.name = "list",
            .summary = "Print records, newest first",
            .options = with_store({{"actor", 0, "NAME", "Only this user"},
                                   {"action", 0, "TEXT", "Only actions that contain this"},
                                   {"object", 0, "ID", "Only what was done to this"},
                                   {"since", 0, "DATE", "Only from then on"},
                                   {"json", 0, "", "Print one JSON object a line"}}),
            .examples = {{"weir audit list --action /keys --since 2026-01-01",
                          "Who made and revoked keys"}},
            .run = run_list},
           {.name = "verify",
            .summary = "Check that every record is what was written",
            .details =
                "Prints the last record's number and hash: keep it elsewhere and give it the next\n"
                "time, and a log that was put back to an older state is found too. Exit status 1\n"
                "when something is not as it was.",
            .options = with_store(
                {{"public-key", 0, "FILE", "The key that `weir audit key` printed; else audit.key"},
                 {"anchor", 0, "NUMBER:HASH", "What an earlier verification printed"}}),
            .examples = {{"weir audit verify --public-key audit.pub --anchor \"$(cat anchor)\"",
                          "With what was kept on another machine"}},
            .run = run_verify},
           {.name = "key",
            .summary = "Print the public key of its signatures",
            .options = with_store({}),
            .examples = {{"weir audit key > audit.pub", "To keep on another machine"}},
            .run = run_key}},
  };
}

}  // namespace weir::app
