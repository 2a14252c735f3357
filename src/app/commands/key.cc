// weir key: virtual keys from the shell, in the same store as the console's. A running server takes
// changes up when it reloads.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "access/key_store.h"
#include "app/commands.h"
#include "app/commands/data_folder.h"
#include "app/commands/shell_audit.h"
#include "app/config/load.h"
#include "app/config/values.h"
#include "app/nearest.h"
#include "base/clock.h"
#include "base/json/writer.h"
#include "store/directory_lock.h"

namespace weir::app {
namespace {

constexpr std::string_view kTakenUp =
    "A server that runs on this data directory takes it up within a second.\n";

Result<access::KeyStore> open_store(const Arguments& arguments, Terminal& terminal) {
  WEIR_TRY(const std::string folder, data_folder(arguments, terminal));
  WEIR_CHECK_OK(store::make_private_directory(folder));
  WEIR_TRY(access::KeyHasher hasher, access::KeyHasher::open(folder));
  return access::KeyStore::open(folder, std::make_shared<access::KeyHasher>(std::move(hasher)));
}

std::optional<int64_t> to_count(const std::string& text) {
  const auto number = parse_integer(text);
  if (!number || *number < 1) return std::nullopt;
  return *number;
}

Result<int64_t> count_option(const Arguments& arguments, std::string_view name) {
  if (const auto number = to_count(arguments.value(name))) return *number;
  return fail(ErrorCode::invalid_argument,
              fmt::format("--{}: expected a whole number above 0", name));
}

Result<void> read_count(const Arguments& arguments, std::string_view name, int64_t& into) {
  if (!arguments.has(name)) return {};
  WEIR_TRY(into, count_option(arguments, name));
  return {};
}

// "gpt-4o=60": requests per minute.
Result<void> read_model_limits(const Arguments& arguments, access::PartRules& parts) {
  if (!arguments.has("model-rpm")) return {};
  parts.models.clear();
  for (const std::string& text : arguments.values("model-rpm")) {
    const size_t equals = text.find('=');
    const auto number =
        equals == std::string::npos ? std::nullopt : to_count(text.substr(equals + 1));
    if (!number || equals == 0) {
      return fail(ErrorCode::invalid_argument, "--model-rpm: expected MODEL=NUMBER");
    }
    parts.models.emplace_back(text.substr(0, equals),
                              ledger::LimitRules{.requests_per_minute = *number});
  }
  return {};
}

Result<void> read_budgets(const Arguments& arguments, ledger::LimitRules& limits) {
  if (!arguments.has("budget") && !arguments.has("soft-budget")) return {};
  limits.budgets.clear();
  for (const bool hard : {true, false}) {
    const std::string_view option = hard ? "budget" : "soft-budget";
    for (const std::string& text : arguments.values(option)) {
      auto rule = ledger::parse_budget(text);
      if (!rule) {
        return fail(ErrorCode::invalid_argument,
                    fmt::format("--{}: {}", option, rule.error().message()));
      }
      rule->hard = hard;
      limits.budgets.push_back(*rule);
    }
  }
  return {};
}

Result<void> read_tags(const Arguments& arguments, access::KeySpec& spec) {
  if (arguments.has("tag")) spec.tags.clear();
  for (const std::string& tag : arguments.values("tag")) {
    const size_t equals = tag.find('=');
    if (equals == std::string::npos || equals == 0) {
      return fail(ErrorCode::invalid_argument, "--tag: expected NAME=TEXT");
    }
    spec.tags.emplace_back(tag.substr(0, equals), tag.substr(equals + 1));
  }
  return {};
}

// The key with what the options say; what they do not say stays.
Result<access::KeySpec> spec_from(const Arguments& arguments, access::KeySpec spec) {
  for (auto [option, into] : {std::pair("team", &spec.team), std::pair("project", &spec.project),
                              std::pair("owner", &spec.owner)}) {
    if (arguments.has(option)) *into = arguments.value(option);
  }
  for (auto [option, into] : {std::pair("model", &spec.models), std::pair("from", &spec.addresses),
                              std::pair("endpoint", &spec.endpoints)}) {
    if (arguments.has(option)) *into = arguments.values(option);
  }
  if (arguments.has("no-capture")) spec.capture = false;
  WEIR_CHECK_OK(read_count(arguments, "rpm", spec.limits.requests_per_minute));
  WEIR_CHECK_OK(read_count(arguments, "tpm", spec.limits.tokens_per_minute));
  WEIR_CHECK_OK(read_count(arguments, "concurrency", spec.limits.concurrency));
  WEIR_CHECK_OK(read_count(arguments, "user-rpm", spec.parts.users.requests_per_minute));
  WEIR_CHECK_OK(read_count(arguments, "user-tpm", spec.parts.users.tokens_per_minute));
  WEIR_CHECK_OK(read_model_limits(arguments, spec.parts));
  WEIR_CHECK_OK(read_budgets(arguments, spec.limits));
  if (arguments.has("priority")) {
    spec.priority = ledger::priority_of(arguments.value("priority"));
    if (!spec.priority) {
      return fail(ErrorCode::invalid_argument, "--priority: expected high, normal or low");
    }
  }
  if (arguments.has("expires")) {
    const auto moment = parse_moment(arguments.value("expires"));
    if (!moment) {
      return fail(ErrorCode::invalid_argument,
                  fmt::format("--expires: {}", moment.error().message()));
    }
    spec.expires_ms = moment->wall_ms;
  }
  WEIR_CHECK_OK(read_tags(arguments, spec));
  return spec;
}

// The key with that id or that name.
Result<access::StoredKey> find_key(access::KeyStore& store, const std::string& wanted) {
  WEIR_TRY(const std::vector<access::StoredKey> keys, store.list());
  std::vector<std::string_view> names;
  for (const access::StoredKey& key : keys) {
    if (key.id == wanted || key.spec.name == wanted) return key;
    names.push_back(key.spec.name);
  }
  return fail(ErrorCode::not_found,
              fmt::format("there is no key \"{}\" in this store{}; keys of the configuration file "
                          "are changed there",
                          wanted, did_you_mean(wanted, names)));
}

int failed(const Error& error, Terminal& terminal) {
  terminal.err << "weir: " << error.message() << "\n";
  return kExitFailed;
}

// The key alone on standard output, so that a script can take it.
void show(const access::NewKey& made, Terminal& terminal) {
  terminal.out << made.key.reveal() << "\n";
  terminal.err << fmt::format(
      "Key \"{}\" ({}). It is shown this once: only its hash is stored.\n{}", made.stored.spec.name,
      made.stored.id, kTakenUp);
}

// With the audit log's record of it.
void record(const Arguments& arguments, std::string_view action, std::string_view id,
            Terminal& terminal) {
  if (const auto folder = data_folder(arguments, terminal)) {
    record_change(*folder, {.action = action, .object = id}, terminal);
  }
}

int run_add(const Arguments& arguments, Terminal& terminal) {
  const auto spec = spec_from(arguments, {.name = arguments.argument(0)});
  if (!spec) return failed(spec.error(), terminal);
  auto store = open_store(arguments, terminal);
  if (!store) return failed(store.error(), terminal);
  const auto made = store->create(*spec, SystemClock().wall_ms());
  if (!made) return failed(made.error(), terminal);
  record(arguments, "weir key add", made->stored.id, terminal);
  show(*made, terminal);
  return kExitDone;
}

constexpr std::string_view kClearable[] = {"limits",   "model-limits", "user-limits", "budgets",
                                           "models",   "from",         "endpoints",   "expires",
                                           "priority", "tags",         "owner",       "capture"};

// Takes out what the key has of that; false for what there is not.
bool clear(access::KeySpec& spec, std::string_view what) {
  if (what == "limits") {
    spec.limits = {.budgets = spec.limits.budgets};
  } else if (what == "model-limits") {
    spec.parts.models.clear();
  } else if (what == "user-limits") {
    spec.parts.users = {};
  } else if (what == "budgets") {
    spec.limits.budgets.clear();
  } else if (what == "models") {
    spec.models.clear();
  } else if (what == "from") {
    spec.addresses.clear();
  } else if (what == "endpoints") {
    spec.endpoints.clear();
  } else if (what == "expires") {
    spec.expires_ms = 0;
  } else if (what == "priority") {
    spec.priority.reset();
  } else if (what == "tags") {
    spec.tags.clear();
  } else if (what == "owner") {
    spec.owner.clear();
  } else if (what == "capture") {
    spec.capture.reset();
  } else {
    return false;
  }
  return true;
}

int run_update(const Arguments& arguments, Terminal& terminal) {
  auto store = open_store(arguments, terminal);
  if (!store) return failed(store.error(), terminal);
  const auto key = find_key(*store, arguments.argument(0));
  if (!key) return failed(key.error(), terminal);
  access::KeySpec before = key->spec;
  if (arguments.has("name")) before.name = arguments.value("name");
  for (const std::string& what : arguments.values("clear")) {
    if (!clear(before, what)) {
      return failed(
          {ErrorCode::invalid_argument, fmt::format("--clear: there is no \"{}\"; there are {}",
                                                    what, fmt::join(kClearable, ", "))},
          terminal);
    }
  }
  const auto spec = spec_from(arguments, std::move(before));
  if (!spec) return failed(spec.error(), terminal);
  const auto changed = store->update(key->id, *spec);
  if (!changed) return failed(changed.error(), terminal);
  record(arguments, "weir key update", key->id, terminal);
  terminal.err << fmt::format("Key \"{}\" is changed.\n{}", changed->spec.name, kTakenUp);
  return kExitDone;
}

std::string limits_text(const ledger::LimitRules& limits) {
  std::string text;
  const auto add = [&text](std::string_view name, int64_t value) {
    if (value > 0) text += fmt::format(" {}={}", name, value);
  };
  add("rpm", limits.requests_per_minute);
  add("tpm", limits.tokens_per_minute);
  add("concurrency", limits.concurrency);
  for (const ledger::BudgetRule& rule : limits.budgets) {
    text += fmt::format(" {}={}/{}", rule.hard ? "budget" : "soft-budget", rule.limit.to_usd(),
                        ledger::window_text(rule));
  }
  return text;
}

void print_json(const std::vector<access::StoredKey>& keys, Terminal& terminal) {
  std::string out;
  json::Writer w(out);
  w.begin_array();
  for (const access::StoredKey& key : keys) {
    w.begin_object().member("id", std::string_view(key.id));
    w.member("name", std::string_view(key.spec.name));
    w.member("team", std::string_view(key.spec.team));
    w.member("project", std::string_view(key.spec.project));
    w.member("masked", std::string_view(key.masked));
    w.key("models").begin_array();
    for (const std::string& model : key.spec.models) w.string(model);
    w.end_array();
    w.member("created", std::string_view(format_moment({key.created_ms})));
    w.key("expires");
    key.spec.expires_ms > 0 ? w.string(format_moment({key.spec.expires_ms})) : w.null();
    w.member("revoked", key.revoked_ms != 0);
    w.end_object();
  }
  w.end_array();
  terminal.out << out << "\n";
}

int run_list(const Arguments& arguments, Terminal& terminal) {
  auto store = open_store(arguments, terminal);
  if (!store) return failed(store.error(), terminal);
  const auto keys = store->list(arguments.has("all"));
  if (!keys) return failed(keys.error(), terminal);
  if (arguments.has("json")) {
    print_json(*keys, terminal);
    return kExitDone;
  }
  for (const access::StoredKey& key : *keys) {
    terminal.out << fmt::format(
        "{}  {:<24} {}{}{}{}{}\n", key.id, key.spec.name, key.masked,
        key.spec.models.empty() ? "" : fmt::format(" models={}", fmt::join(key.spec.models, ",")),
        limits_text(key.spec.limits),
        key.spec.expires_ms == 0 ? ""
                                 : fmt::format(" expires={}", format_moment({key.spec.expires_ms})),
        key.revoked_ms == 0 ? "" : " revoked");
  }
  if (keys->empty()) terminal.err << "No keys in this store. Make one: weir key add NAME\n";
  return kExitDone;
}

int run_revoke(const Arguments& arguments, Terminal& terminal) {
  auto store = open_store(arguments, terminal);
  if (!store) return failed(store.error(), terminal);
  const auto key = find_key(*store, arguments.argument(0));
  if (!key) return failed(key.error(), terminal);
  const auto revoked = store->revoke(key->id, SystemClock().wall_ms());
  if (!revoked) return failed(revoked.error(), terminal);
  record(arguments, "weir key revoke", key->id, terminal);
  terminal.err << fmt::format("Key \"{}\" is revoked.\n{}", key->spec.name, kTakenUp);
  return kExitDone;
}

int run_rotate(const Arguments& arguments, Terminal& terminal) {
  const auto overlap = parse_duration(arguments.value("overlap"));
  if (!overlap) return failed(overlap.error(), terminal);
  auto store = open_store(arguments, terminal);
  if (!store) return failed(store.error(), terminal);
  const auto key = find_key(*store, arguments.argument(0));
  if (!key) return failed(key.error(), terminal);
  const auto made = store->rotate(key->id, SystemClock().wall_ms(), overlap->count());
  if (!made) return failed(made.error(), terminal);
  record(arguments, "weir key rotate", key->id, terminal);
  show(*made, terminal);
  return kExitDone;
}

// What a key is made with, and what of it can be changed.
std::vector<Option> spec_options() {
  return {
      {"model", 'm', "NAME", "A model it may use; may be repeated"},
      {"team", 0, "NAME", "Team whose budgets it shares"},
      {"project", 0, "NAME", "Project whose budgets it shares"},
      {"rpm", 0, "N", "Requests per minute"},
      {"tpm", 0, "N", "Tokens per minute"},
      {"concurrency", 0, "N", "Requests at the same time"},
      {"model-rpm", 0, "MODEL=N",
       "Requests per minute for one model, or gpt-* for all that begin so; may be repeated"},
      {"user-rpm", 0, "N", "Requests per minute of each end user"},
      {"user-tpm", 0, "N", "Tokens per minute of each end user"},
      {"priority", 0, "CLASS", "high, normal or low: who goes first where there is little room"},
      {"owner", 0, "NAME", "The person or service account that answers for it"},
      {"budget", 0, "USD/WINDOW", "Such as 50/day, 500/month or 400/30d; may be repeated"},
      {"soft-budget", 0, "USD/WINDOW", "One that only alerts; may be repeated"},
      {"from", 0, "BLOCK", "An address or block it may be used from; may be repeated"},
      {"endpoint", 0, "NAME",
       "A kind of request it may be used for, such as embed; may be repeated"},
      {"no-capture", 0, "", "Never keep the messages of its requests"},
      {"expires", 0, "DATE", "From when on it is refused"},
      {"tag", 0, "NAME=TEXT", "A label; may be repeated"}};
}

std::vector<Option> update_options() {
  std::vector<Option> options = spec_options();
  options.push_back({"name", 0, "NAME", "A new name"});
  options.push_back({"clear", 0, "WHAT", "Take out limits, budgets, models, ...; may be repeated"});
  return options;
}

}  // namespace

Command key_command() {
  const Argument key{"KEY", "Its name or id"};
  return {
      .name = "key",
      .summary = "Make, list, change, rotate and revoke virtual keys",
      .details =
          "These are the keys of the console and the admin API. Keys that weir.yaml declares\n"
          "are not among them.",
      .subcommands =
          {{.name = "add",
            .summary = "Make a key and print it, once",
            .arguments = {{"NAME", "How it appears in logs, metrics and the console"}},
            .options = with_store(spec_options()),
            .examples = {{"weir key add search --model gpt-4o --rpm 600 --budget 50/day",
                          "A key for one team's service"},
                         {"weir key add ci --expires 2030-01-01 > key.txt",
                          "Only the key goes to standard output"}},
            .run = run_add},
           {.name = "list",
            .summary = "List the keys, without the secrets",
            .options = with_store(
                {{"all", 'a', "", "Revoked ones too"}, {"json", 0, "", "Print one JSON array"}}),
            .examples = {{"weir key list", "What is in ./weir-data"}},
            .run = run_list},
           {.name = "update",
            .summary = "Change a key; what no option says stays",
            .arguments = {key},
            .options = with_store(update_options()),
            .examples = {{"weir key update search --rpm 1200 --priority low", "Only these two"},
                         {"weir key update search --clear budgets --budget 80/day",
                          "One budget in place of all it had"}},
            .run = run_update},
           {.name = "rotate",
            .summary = "Replace a key by a new one of the same name",
            .arguments = {key},
            .options =
                with_store({{"overlap", 0, "TIME", "How long the old one still works", "24h"}}),
            .examples = {{"weir key rotate search --overlap 7d", "With a week to change it"}},
            .run = run_rotate},
           {.name = "revoke",
            .summary = "Refuse a key from now on",
            .arguments = {key},
            .options = with_store({}),
            .examples = {{"weir key revoke search", "For good: it cannot be undone"}},
            .run = run_revoke}},
  };
}

}  // namespace weir::app
