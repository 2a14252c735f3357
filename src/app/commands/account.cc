// weir account, weir secrets: accounts made from the shell, in the same sealed store as the
// console's, and the keys that they are sealed under.
#include <fmt/format.h>

#include <algorithm>
#include <ostream>
#include <string>
#include <vector>

#include "app/commands.h"
#include "app/commands/fleet_client.h"
#include "app/config/load.h"
#include "app/generations.h"
#include "app/managed.h"
#include "base/clock.h"
#include "base/date.h"
#include "base/encoding.h"
#include "base/json/document.h"
#include "base/json/writer.h"
#include "store/directory_lock.h"

namespace weir::app {
namespace {

constexpr std::string_view kTakenUp =
    "A server that runs on this data directory takes it up within a second.\n";

int failed(const Error& error, Terminal& terminal) {
  terminal.err << "weir: " << error.message() << "\n";
  return kExitFailed;
}

// What is in force with `items` beside the file, or every problem.
Result<Config> load(const Arguments& arguments, Terminal& terminal,
                    const std::vector<ManagedItem>& items) {
  Surroundings surroundings = terminal.surroundings;
  surroundings.managed = [&items](const Config&) -> Result<std::vector<ManagedItem>> {
    return items;
  };
  const std::string file = arguments.value("config");
  const Loaded loaded = file.empty() ? load_text("", surroundings) : load_file(file, surroundings);
  if (!loaded.config) {
    std::string text;
    for (const Problem& problem : loaded.problems) {
      text += (text.empty() ? "" : "\n") + to_text(problem, file.empty() ? "weir" : file);
    }
    return fail(ErrorCode::invalid_argument, std::move(text));
  }
  Config config = std::move(*loaded.config);
  if (arguments.has("data-dir") || file.empty()) config.data_dir = arguments.value("data-dir");
  return config;
}

// The file by itself says where the store lies; models there may need what is in the store, so that
// it is read for data_dir and secrets alone.
Result<Config> read_place(const Arguments& arguments, Terminal& terminal) {
  Config place;
  Surroundings surroundings = terminal.surroundings;
  surroundings.managed = [&place](const Config& file) -> Result<std::vector<ManagedItem>> {
    place.data_dir = file.data_dir;
    place.secrets = file.secrets;
    place.admin = file.admin;
    return std::vector<ManagedItem>();
  };
  const std::string file = arguments.value("config");
  if (!file.empty()) {
    const Loaded loaded = load_file(file, surroundings);
    if (loaded.problems.size() == 1 && loaded.problems[0].code == ProblemCode::missing_file) {
      return fail(ErrorCode::not_found, loaded.problems[0].message);
    }
  }
  if (arguments.has("data-dir") || file.empty()) place.data_dir = arguments.value("data-dir");
  return place;
}

Result<vault::Records> open_records(const Config& place) {
  WEIR_CHECK_OK(store::make_private_directory(place.data_dir));
  WEIR_TRY(auto ring, make_ring(place.secrets, place.data_dir));
  return vault::Records::open(place.data_dir, std::move(ring));
}

// The credential, which is not taken from the command line: others can see that.
Result<std::string> credential(const Arguments& arguments, Terminal& terminal) {
  if (!arguments.has("key-file")) {
    if (!arguments.has("key-env")) return std::string();
    const auto value = terminal.surroundings.variable(arguments.value("key-env"));
    if (value) return *value;
    return fail(ErrorCode::not_found,
                fmt::format("the environment variable {} is not set", arguments.value("key-env")));
  }
  WEIR_TRY(std::string text, terminal.surroundings.read_file(arguments.value("key-file")));
  while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
  return text;
}

int run_add(const Arguments& arguments, Terminal& terminal) {
  const auto made = [&]() -> Result<void> {
    WEIR_TRY(const Config place, read_place(arguments, terminal));
    WEIR_TRY(const std::string key, credential(arguments, terminal));
    std::string text;
    json::Writer w(text);
    w.begin_object()
        .member("name", arguments.argument(0))
        .member("provider", arguments.value("provider"));
    if (arguments.has("endpoint")) w.member("endpoint", arguments.value("endpoint"));
    if (!key.empty()) w.member("api_key", key);
    w.end_object();
    json::Document document;
    WEIR_CHECK_OK(document.parse(text));
    WEIR_CHECK_OK(check_managed("account", document.root()));
    WEIR_TRY(auto records, open_records(place));
    WEIR_TRY(std::vector<ManagedItem> items, managed_items(records));
    for (const ManagedItem& item : items) {
      if (item.section != "accounts" || item.name != arguments.argument(0)) continue;
      return fail(ErrorCode::already_exists,
                  fmt::format("there is an account \"{}\"", arguments.argument(0)));
    }
    items.push_back({"accounts", arguments.argument(0), Secret(text)});
    WEIR_CHECK_OK(load(arguments, terminal, items));
    return records.put("account", arguments.argument(0), Secret(std::move(text)),
                       SystemClock().wall_ms());
  }();
  if (!made) return failed(made.error(), terminal);
  terminal.err << "Account \"" << arguments.argument(0) << "\" is stored, sealed. " << kTakenUp;
  return kExitDone;
}

int run_list(const Arguments& arguments, Terminal& terminal) {
  const auto listed = [&]() -> Result<void> {
    WEIR_TRY(const Config place, read_place(arguments, terminal));
    if (!vault::Records::exist(place.data_dir)) return {};
    WEIR_TRY(auto records, open_records(place));
    WEIR_TRY(const vault::Listing listing, records.list());
    for (const vault::Record& record : listing.records) {
      json::Document document;
      WEIR_CHECK_OK(document.parse(record.text.reveal()));
      terminal.out << fmt::format("{:8} {:24} {:18} {:24} {}\n", record.kind, record.name,
                                  document.root()["provider"].string_or("-"), record.key_id,
                                  rfc3339(record.changed_ms));
    }
    for (const vault::Unreadable& one : listing.unreadable) {
      terminal.err << fmt::format("weir: {} \"{}\": {}\n", one.kind, one.name, one.error.message());
    }
    return {};
  }();
  return listed ? kExitDone : failed(listed.error(), terminal);
}

int run_remove(const Arguments& arguments, Terminal& terminal) {
  const auto removed = [&]() -> Result<void> {
    WEIR_TRY(const Config place, read_place(arguments, terminal));
    WEIR_TRY(auto records, open_records(place));
    WEIR_TRY(std::vector<ManagedItem> items, managed_items(records));
    std::erase_if(items, [&](const ManagedItem& item) {
      return item.section == "accounts" && item.name == arguments.argument(0);
    });
    // A model may use it still.
    WEIR_CHECK_OK(load(arguments, terminal, items));
    return records.remove("account", arguments.argument(0));
  }();
  if (!removed) return failed(removed.error(), terminal);
  terminal.err << "Account \"" << arguments.argument(0) << "\" is removed. " << kTakenUp;
  return kExitDone;
}

// The token of the admin API: the configuration's, or a variable's.
Result<Secret> token_for(const Config& place, const Arguments& arguments, Terminal& terminal) {
  if (!arguments.has("token-env")) return place.admin.token;
  const auto value = terminal.surroundings.variable(arguments.value("token-env"));
  if (value) return Secret(*value);
  return fail(ErrorCode::not_found,
              fmt::format("the environment variable {} is not set", arguments.value("token-env")));
}

Result<std::string> ask_server(const Arguments& arguments, Terminal& terminal) {
  WEIR_TRY(const Config place, read_place(arguments, terminal));
  const std::string server = arguments.has("server") ? arguments.value("server")
                                                     : "http://" + place.admin.listen.to_text();
  WEIR_TRY(Secret token, token_for(place, arguments, terminal));
  WEIR_TRY(FleetClient client, FleetClient::create(server, std::move(token)));
  std::string body;
  if (arguments.has("model")) {
    json::Writer(body).begin_object().member("model", arguments.value("model")).end_object();
  }
  auto answer = client.call(
      "POST", fmt::format("/api/v1/accounts/{}/test", percent_encode(arguments.argument(0))), body);
  if (!answer && answer.error().code() == ErrorCode::connection_refused) {
    return fail(ErrorCode::connection_refused, fmt::format("no Weir answers at {}", server));
  }
  return answer;
}

int run_test(const Arguments& arguments, Terminal& terminal) {
  const auto answer = ask_server(arguments, terminal);
  if (!answer) return failed(answer.error(), terminal);
  json::Document document;
  if (auto parsed = document.parse(*answer); !parsed) return failed(parsed.error(), terminal);
  const json::Value told = document.root();
  if (told["ok"].as_bool() != true) {
    terminal.err << fmt::format("weir: {} ({}): {}\n", told["failure"].string_or("failed"),
                                told["status"].as_int64().value_or(0),
                                told["detail"].string_or(""));
    return kExitFailed;
  }
  if (arguments.has("model")) {
    terminal.out << fmt::format(
        "{} answered in {} ms: {} tokens in, {} out, {} USD ({}), {}\n", arguments.value("model"),
        told["took_ms"].as_int64().value_or(0), told["input_tokens"].as_int64().value_or(0),
        told["output_tokens"].as_int64().value_or(0), told["cost_usd"].string_or(""),
        told["cost_state"].string_or(""), told["request"].string_or(""));
    return kExitDone;
  }
  for (const json::Value model : told["models"].elements()) {
    terminal.out << model.string_or("") << "\n";
  }
  return kExitDone;
}

int run_rewrap(const Arguments& arguments, Terminal& terminal) {
  const auto done = [&]() -> Result<vault::Records::Rewrapped> {
    WEIR_TRY(const Config place, read_place(arguments, terminal));
    if (Generations::exist(place.data_dir)) {
      WEIR_TRY(auto ring, make_ring(place.secrets, place.data_dir));
      WEIR_TRY(Generations generations, Generations::open(place.data_dir));
      WEIR_TRY(const size_t texts, generations.rewrap(*ring));
      terminal.out << fmt::format("Earlier configurations: {} rewrapped.\n", texts);
    }
    if (!vault::Records::exist(place.data_dir)) return vault::Records::Rewrapped{};
    WEIR_TRY(auto records, open_records(place));
    WEIR_TRY(auto rewrapped, records.rewrap());
    terminal.out << fmt::format("Sealed under {}: {} rewrapped, {} were already.\n",
                                records.ring()->current(), rewrapped.changed, rewrapped.current);
    return rewrapped;
  }();
  return done ? kExitDone : failed(done.error(), terminal);
}

std::vector<Option> with_store(std::vector<Option> options) {
  options.push_back({"config", 'c', "FILE", "Use the data_dir and the secrets of this file"});
  options.push_back({"data-dir", 0, "DIR", "Where the store lies", "./weir-data"});
  return options;
}

}  // namespace

Command account_command() {
  const Argument name{"NAME", "How deployments refer to it"};
  return {
      .name = "account",
      .summary = "Make, list and remove accounts beside those of the file",
      .details =
          "These are the accounts of the console and the admin API. They are stored sealed; what\n"
          "weir.yaml declares is not among them.",
      .subcommands =
          {{.name = "add",
            .summary = "Store an account, sealed",
            .arguments = {name},
            .options = with_store({{"provider", 'p', "NAME", "Whose API it is", "openai"},
                                   {"endpoint", 0, "URL", "Base address, where it is another"},
                                   {"key-file", 0, "FILE", "Read the API key from this file"},
                                   {"key-env", 0, "NAME", "Take it from this variable"}}),
            .examples = {{"weir account add openai-eu --key-env OPENAI_API_KEY",
                          "An account of OpenAI"},
                         {"weir account add local -p openai_compatible --endpoint "
                          "http://10.0.0.7:8000/v1",
                          "A server of one's own"}},
            .run = run_add},
           {.name = "list",
            .summary = "List what is stored: kind, name, provider, key it is sealed under",
            .options = with_store({}),
            .examples = {{"weir account list", "What is in ./weir-data"}},
            .run = run_list},
           {.name = "test",
            .summary = "Ask a running server to try an account",
            .details = "Prints the models that the provider lists, which costs nothing. With "
                       "--model it makes a real\ncall of one token, which is on the ledger under "
                       "the key weir:probe, and prints its cost.",
            .arguments = {name},
            .options = {{"model", 'm', "MODEL", "Call this model, by the provider's name"},
                        {"config", 'c', "FILE", "admin.listen and admin.token of this file"},
                        {"server", 0, "URL", "The admin address, where it is another"},
                        {"token-env", 0, "NAME", "Take the token from this variable"}},
            .examples = {{"weir account test openai-eu -m gpt-4o-mini -c weir.yaml",
                          "Whether it answers, and what that cost"}},
            .run = run_test},
           {.name = "remove",
            .summary = "Remove an account that no model uses",
            .arguments = {name},
            .options = with_store({}),
            .examples = {{"weir account remove openai-eu", "It cannot be undone"}},
            .run = run_remove}},
  };
}

Command secrets_command() {
  return {
      .name = "secrets",
      .summary = "Change the key that stored credentials are sealed under",
      .subcommands =
          {{.name = "rewrap",
            .summary = "Seal the keys of all records under the current key",
            .details =
                "Changes a key while everything runs: put the new one at secrets.key and the\n"
                "old one at secrets.previous_key, reload, run this, take the old one out.",
            .options = with_store({}),
            .examples = {{"weir secrets rewrap -c weir.yaml", "Beside a server that runs"}},
            .run = run_rewrap}},
  };
}

}  // namespace weir::app
