// weir user: the people and service accounts of the console and the admin API, from the shell. A
// running server reads them afresh at each request.
#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include <iostream>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "admin/people_json.h"
#include "app/commands.h"
#include "app/commands/data_folder.h"
#include "app/commands/shell_audit.h"
#include "app/config/values.h"
#include "app/nearest.h"
#include "base/clock.h"
#include "base/date.h"
#include "base/json/writer.h"
#include "identity/password.h"
#include "identity/people_store.h"
#include "store/directory_lock.h"

namespace weir::app {
namespace {

constexpr int64_t kDayMs = 86'400'000;

Result<identity::PeopleStore> open_store(const Arguments& arguments, Terminal& terminal) {
  WEIR_TRY(const std::string folder, data_folder(arguments, terminal));
  WEIR_CHECK_OK(store::make_private_directory(folder));
  WEIR_TRY(access::KeyHasher hasher, access::KeyHasher::open(folder));
  return identity::PeopleStore::open(folder,
                                     std::make_shared<access::KeyHasher>(std::move(hasher)));
}

Result<identity::User> find_user(identity::PeopleStore& store, const std::string& wanted) {
  WEIR_TRY(const std::vector<identity::User> users, store.users());
  std::vector<std::string_view> names;
  for (const identity::User& user : users) {
    if (user.id == wanted || user.name == wanted) return user;
    names.push_back(user.name);
  }
  return fail(ErrorCode::not_found,
              fmt::format("there is no user \"{}\"{}", wanted, did_you_mean(wanted, names)));
}

Result<void> record(const Arguments& arguments, Terminal& terminal, const ShellChange& change) {
  WEIR_TRY(const std::string folder, data_folder(arguments, terminal));
  record_change(folder, change, terminal);
  return {};
}

// One line of standard input, not shown where it is typed.
Result<Secret> read_password(Terminal& terminal) {
  termios before{};
  const bool typed = terminal.in == &std::cin && isatty(STDIN_FILENO) == 1 &&
                     tcgetattr(STDIN_FILENO, &before) == 0;
  if (typed) {
    terminal.err << "Password: " << std::flush;
    termios silent = before;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
  }
  std::string line;
  const bool read = terminal.in != nullptr && std::getline(*terminal.in, line);
  if (typed) {
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    terminal.err << "\n";
  }
  if (!read) {
    return fail(ErrorCode::invalid_argument,
                "the password is read from standard input, one line; there was none");
  }
  if (line.ends_with('\r')) line.pop_back();
  return Secret(std::move(line));
}

Result<std::string> read_hash(std::string_view name, Terminal& terminal) {
  WEIR_TRY(const Secret password, read_password(terminal));
  WEIR_CHECK_OK(identity::check_password(password, name));
  return identity::hash_password(password, {});
}

Result<identity::RoleSet> roles_of(const Arguments& arguments) {
  identity::RoleSet roles;
  for (const std::string& text : arguments.values("role")) {
    WEIR_TRY(const identity::RoleSet some, identity::parse_roles(text));
    for (const identity::Role role : identity::kRoles) {
      if (some.has(role)) roles.add(role);
    }
  }
  return roles;
}

Result<void> add(const Arguments& arguments, Terminal& terminal) {
  identity::User user;
  user.name = arguments.argument(0);
  user.display = arguments.value("display");
  user.kind = arguments.has("service") ? identity::UserKind::service : identity::UserKind::person;
  WEIR_TRY(user.roles, roles_of(arguments));
  WEIR_TRY(identity::PeopleStore store, open_store(arguments, terminal));
  std::string hash;
  if (user.kind == identity::UserKind::person) {
    WEIR_TRY(hash, read_hash(user.name, terminal));
  }
  WEIR_TRY(const identity::User made, store.create(user, hash, SystemClock().wall_ms()));
  WEIR_CHECK_OK(
      record(arguments, terminal,
             {.action = "weir user add", .object = made.id, .after = admin::user_text(made)}));
  terminal.err << fmt::format("{} \"{}\" ({}), roles: {}.\n",
                              made.kind == identity::UserKind::person ? "User" : "Service account",
                              made.name, made.id,
                              made.roles.empty() ? "none" : to_text(made.roles));
  return {};
}

Result<void> list(const Arguments& arguments, Terminal& terminal) {
  WEIR_TRY(identity::PeopleStore store, open_store(arguments, terminal));
  WEIR_TRY(const std::vector<identity::User> users, store.users());
  if (arguments.has("json")) {
    std::string out;
    json::Writer w(out);
    w.begin_array();
    for (const identity::User& user : users) {
      w.begin_object();
      admin::write_user(w, user);
      w.end_object();
    }
    w.end_array();
    terminal.out << out << "\n";
    return {};
  }
  for (const identity::User& user : users) {
    terminal.out << fmt::format("{:<24} {:<8} {:<32} {}{}\n", user.name, to_string(user.kind),
                                user.roles.empty() ? "-" : to_text(user.roles),
                                user.issuer.empty() ? "local" : user.issuer,
                                user.disabled ? " disabled" : "");
  }
  return {};
}

Result<void> change(const Arguments& arguments, Terminal& terminal) {
  WEIR_TRY(identity::PeopleStore store, open_store(arguments, terminal));
  WEIR_TRY(const identity::User user, find_user(store, arguments.argument(0)));
  identity::UserChange change;
  if (arguments.has("role")) {
    WEIR_TRY(change.roles, roles_of(arguments));
  }
  if (arguments.has("display")) change.display = arguments.value("display");
  if (arguments.has("disable")) change.disabled = true;
  if (arguments.has("enable")) change.disabled = false;
  WEIR_TRY(const identity::User changed, store.change(user.id, change));
  WEIR_CHECK_OK(record(arguments, terminal,
                       {.action = "weir user change",
                        .object = user.id,
                        .before = admin::user_text(user),
                        .after = admin::user_text(changed)}));
  terminal.err << fmt::format("\"{}\", roles: {}{}.\n", changed.name,
                              changed.roles.empty() ? "none" : to_text(changed.roles),
                              changed.disabled ? ", disabled" : "");
  return {};
}

Result<void> password(const Arguments& arguments, Terminal& terminal) {
  WEIR_TRY(identity::PeopleStore store, open_store(arguments, terminal));
  WEIR_TRY(const identity::User user, find_user(store, arguments.argument(0)));
  WEIR_TRY(const std::string hash, read_hash(user.name, terminal));
  WEIR_CHECK_OK(store.set_password(user.id, hash));
  WEIR_CHECK_OK(record(arguments, terminal, {.action = "weir user password", .object = user.id}));
  terminal.err << fmt::format("\"{}\" has a new password; its sessions are over.\n", user.name);
  return {};
}

Result<void> token(const Arguments& arguments, Terminal& terminal) {
  WEIR_TRY(identity::PeopleStore store, open_store(arguments, terminal));
  WEIR_TRY(const identity::User user, find_user(store, arguments.argument(0)));
  WEIR_TRY(identity::RoleSet roles, roles_of(arguments));
  const int64_t now = SystemClock().wall_ms();
  int64_t expires_ms = now + 90 * kDayMs;
  if (arguments.has("expires")) {
    WEIR_TRY(const Moment moment, parse_moment(arguments.value("expires")));
    expires_ms = moment.wall_ms;
  }
  WEIR_TRY(const identity::NewToken made,
           store.create_token(user.id, arguments.argument(1), roles.empty() ? user.roles : roles,
                              expires_ms, now));
  WEIR_CHECK_OK(record(arguments, terminal,
                       {.action = "weir user token",
                        .object = made.token.id,
                        .after = admin::token_text(made.token, user.name)}));
  terminal.out << made.secret.reveal() << "\n";
  terminal.err << fmt::format(
      "Token \"{}\" of \"{}\", roles: {}, until {}. It is shown this once: only its hash is "
      "stored.\n",
      made.token.name, user.name, to_text(made.token.roles), rfc3339(expires_ms));
  return {};
}

Result<void> remove(const Arguments& arguments, Terminal& terminal) {
  WEIR_TRY(identity::PeopleStore store, open_store(arguments, terminal));
  WEIR_TRY(const identity::User user, find_user(store, arguments.argument(0)));
  WEIR_CHECK_OK(store.remove(user.id));
  WEIR_CHECK_OK(
      record(arguments, terminal,
             {.action = "weir user remove", .object = user.id, .before = admin::user_text(user)}));
  terminal.err << fmt::format("\"{}\" is gone, with its sessions and tokens.\n", user.name);
  return {};
}

template <Result<void> (*Do)(const Arguments&, Terminal&)>
int run(const Arguments& arguments, Terminal& terminal) {
  if (auto done = Do(arguments, terminal); !done) {
    terminal.err << "weir: " << done.error().message() << "\n";
    return kExitFailed;
  }
  return kExitDone;
}

}  // namespace

Command user_command() {
  const Argument user{"USER", "Its name or id"};
  const Option role{"role", 0, "ROLE",
                    "admin, operator, finance, privacy_officer or viewer; may be repeated"};
  return {
      .name = "user",
      .summary = "Make and change the users of the console and the admin API",
      .details =
          "As soon as there is a user, the console and the admin API ask who one is. Passwords\n"
          "are read from standard input.",
      .subcommands =
          {{.name = "add",
            .summary = "Make a person, or a service account",
            .arguments = {{"NAME", "What is typed to sign in"}},
            .options = with_store({role,
                                   {"display", 0, "TEXT", "The name as people say it"},
                                   {"service", 0, "", "A service account: tokens, no password"}}),
            .examples = {{"weir user add ada --role admin", "Asks for a password"},
                         {"weir user add prometheus --service --role viewer",
                          "For a program; make it a token next"}},
            .run = run<add>},
           {.name = "list",
            .summary = "List the users",
            .options = with_store({{"json", 0, "", "Print one JSON array"}}),
            .examples = {{"weir user list", "What is in ./weir-data"}},
            .run = run<list>},
           {.name = "change",
            .summary = "Change a user's roles, or disable it",
            .arguments = {user},
            .options = with_store({role,
                                   {"display", 0, "TEXT", "The name as people say it"},
                                   {"disable", 0, "", "Refuse it from now on"},
                                   {"enable", 0, "", "Let it in again"}}),
            .examples = {{"weir user change ada --role finance --role viewer",
                          "These roles and no others"},
                         {"weir user change ada --disable", "Its sessions and tokens end too"}},
            .run = run<change>},
           {.name = "password",
            .summary = "Give a person a new password",
            .arguments = {user},
            .options = with_store({}),
            .examples = {{"weir user password ada", "Asks for it; ends all of its sessions"}},
            .run = run<password>},
           {.name = "token",
            .summary = "Make an access token and print it, once",
            .arguments = {user, {"NAME", "What the token is for"}},
            .options = with_store({role, {"expires", 0, "DATE", "When it ends; 90 days without"}}),
            .examples = {{"weir user token prometheus scrape --expires 2027-01-01 > token.txt",
                          "Only the token goes to standard output"}},
            .run = run<token>},
           {.name = "remove",
            .summary = "Remove a user, its sessions and its tokens",
            .arguments = {user},
            .options = with_store({}),
            .examples = {{"weir user remove ada", "For good"}},
            .run = run<remove>}},
  };
}

}  // namespace weir::app
