#include "app/cli.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include "app/commands.h"
#include "app/version.h"
#include "base/json/document.h"

namespace weir::app {
namespace {

struct Ran {
  int code;
  std::string out;
  std::string err;
};

Ran run(const Command& command, const std::vector<std::string>& words,
        Surroundings surroundings = Surroundings::empty()) {
  std::ostringstream out;
  std::ostringstream err;
  Terminal terminal{out, err, std::move(surroundings)};
  const int code = run_command_line(command, words, terminal);
  return {code, out.str(), err.str()};
}

// A command that prints what it was given.
Command echo() {
  return {
      .name = "tool",
      .summary = "A tool for tests.",
      .subcommands = {{.name = "echo",
                       .summary = "Print what was given.",
                       .arguments = {{"FIRST", "The first."}, {"REST", "All others.", false, true}},
                       .options = {{"config", 'c', "FILE", "A file.", "weir.yaml"},
                                   {"json", 'j', "", "A flag."},
                                   {"tag", 't', "TAG", "May come twice."}},
                       .run =
                           [](const Arguments& arguments, Terminal& terminal) {
                             terminal.out << "config=" << arguments.value("config")
                                          << " json=" << arguments.has("json") << " tags=";
                             for (const auto& tag : arguments.values("tag")) {
                               terminal.out << tag << ",";
                             }
                             terminal.out << " words=";
                             for (const auto& word : arguments.positional()) {
                               terminal.out << word << ",";
                             }
                             return 7;
                           }},
                      {.name = "group",
                       .summary = "Only has commands.",
                       .subcommands = {{.name = "inner",
                                        .summary = "Inner.",
                                        .run = [](const Arguments&, Terminal&) { return 0; }}}}}};
}

TEST(CommandLine, ReadsOptionsInEveryForm) {
  struct Case {
    std::vector<std::string> words;
    std::string_view printed;
  };
  for (const Case& c : std::vector<Case>{
           {{"echo", "a"}, "config=weir.yaml json=0 tags= words=a,"},
           {{"echo", "-c", "x", "a"}, "config=x json=0 tags= words=a,"},
           {{"echo", "-cx", "a"}, "config=x json=0 tags= words=a,"},
           {{"echo", "--config", "x", "a"}, "config=x json=0 tags= words=a,"},
           {{"echo", "a", "--config=x"}, "config=x json=0 tags= words=a,"},
           {{"echo", "--config=", "a"}, "config= json=0 tags= words=a,"},
           {{"echo", "-jcx", "a"}, "config=x json=1 tags= words=a,"},
           {{"echo", "-c", "x", "-c", "y", "a"}, "config=y json=0 tags= words=a,"},
           {{"echo", "-t1", "--tag", "2", "a"}, "config=weir.yaml json=0 tags=1,2, words=a,"},
           {{"echo", "--", "--json", "-c"}, "config=weir.yaml json=0 tags= words=--json,-c,"},
           {{"echo", "-", "b", "c"}, "config=weir.yaml json=0 tags= words=-,b,c,"},
       }) {
    const Ran ran = run(echo(), c.words);
    EXPECT_EQ(ran.code, 7) << ran.err;
    EXPECT_EQ(ran.out, c.printed);
  }
}

TEST(CommandLine, RefusesWhatItDoesNotKnow) {
  struct Case {
    std::vector<std::string> words;
    std::string_view said;
  };
  for (const Case& c : std::vector<Case>{
           {{"ehco"}, "\"echo\""},
           {{"echo"}, "FIRST"},
           {{"echo", "a", "--confg", "x"}, "\"config\""},
           {{"echo", "a", "-x"}, "-x"},
           {{"echo", "a", "--config"}, "FILE"},
           {{"echo", "a", "--json=1"}, "takes no value"},
           {{"group", "outer"}, "outer"},
           {{"group", "inner", "a"}, "one too many"},
           {{"group"}, "inner"},
           {{"--wrong"}, "--wrong"},
       }) {
    const Ran ran = run(echo(), c.words);
    EXPECT_EQ(ran.code, kExitUsage) << c.said;
    EXPECT_EQ(ran.out, "");
    EXPECT_THAT(ran.err, testing::HasSubstr(std::string(c.said)));
  }
}

TEST(CommandLine, HelpIsEverywhere) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"help", "check"},
                                             {"check", "--help"},
                                             {"check", "-h"},
                                             {"check", "-c", "x", "--help"}}) {
    const Ran ran = run(program(), words);
    EXPECT_EQ(ran.code, kExitDone);
    EXPECT_THAT(ran.out, testing::HasSubstr("weir check -c weir.yaml"));
    EXPECT_THAT(ran.out, testing::HasSubstr("--config FILE"));
  }
  EXPECT_THAT(run(program(), {}).out, testing::HasSubstr("check"));
  EXPECT_THAT(run(program(), {"help"}).out, testing::HasSubstr("check"));
  EXPECT_THAT(run(program(), {"help", "import", "litellm"}).out, testing::HasSubstr("--output"));
}

// Every command explains itself: what it does, an example that calls it, documented options.
TEST(CommandLine, EveryCommandTeaches) {
  const std::function<void(const Command&, const std::string&)> visit =
      [&](const Command& command, const std::string& path) {
        SCOPED_TRACE(path);
        EXPECT_FALSE(command.summary.empty() || command.summary.ends_with('.'));
        EXPECT_TRUE(command.run || !command.subcommands.empty());
        for (const Option& option : command.options) {
          EXPECT_FALSE(option.doc.empty() || option.doc.ends_with('.')) << option.name;
        }
        for (const Argument& argument : command.arguments) {
          EXPECT_FALSE(argument.doc.empty() || argument.doc.ends_with('.')) << argument.name;
        }
        if (command.run) {
          ASSERT_FALSE(command.examples.empty());
          for (const Example& example : command.examples) {
            EXPECT_TRUE(example.line.starts_with(path)) << example.line;
          }
        }
        for (const Command& sub : command.subcommands) {
          visit(sub, path + " " + std::string(sub.name));
        }
      };
  visit(program(), "weir");
}

Surroundings with_file(const std::string& path, const std::string& text) {
  Surroundings surroundings = Surroundings::empty();
  surroundings.read_file = [path, text](const std::string& asked) -> Result<std::string> {
    if (asked != path) return fail(ErrorCode::not_found, "no file " + asked);
    return text;
  };
  return surroundings;
}

TEST(CheckCommand, TellsAPersonWhatIsWrong) {
  const Ran ran = run(program(), {"check", "-c", "a.yaml"},
                      with_file("a.yaml", "server:\n  worker: 1\nlog: {level: no}\n"));
  EXPECT_EQ(ran.code, kExitFailed);
  EXPECT_EQ(ran.out, "");
  EXPECT_THAT(ran.err, testing::HasSubstr("a.yaml:2:3: error: server.worker:"));
  EXPECT_THAT(ran.err, testing::HasSubstr("a.yaml:3:14: error: log.level:"));
  EXPECT_THAT(ran.err, testing::HasSubstr("2 errors"));
}

TEST(CheckCommand, SumsUpAValidFile) {
  const std::string text =
      "accounts: [{name: main, provider: openai, api_key: k}]\n"
      "models: [{name: gpt-4o, deployments: [{account: main}]}]\n";
  const Ran ran = run(program(), {"check"}, with_file("weir.yaml", text));
  EXPECT_EQ(ran.code, kExitDone) << ran.err;
  for (const char* part : {"valid", "127.0.0.1:8080", "main (openai)", "gpt-4o (1 deployment)"}) {
    EXPECT_THAT(ran.out, testing::HasSubstr(part));
  }
  EXPECT_EQ(ran.err, "");
}

TEST(CheckCommand, SpeaksJson) {
  struct Case {
    std::string text;
    int code;
    uint32_t problems;
  };
  for (const Case& c : {Case{"log: {level: no}\n", kExitFailed, 1}, Case{"", kExitDone, 0}}) {
    const Ran ran = run(program(), {"check", "x.yaml", "--json"}, with_file("x.yaml", c.text));
    EXPECT_EQ(ran.code, c.code);
    EXPECT_EQ(ran.err, "");
    json::Document document;
    ASSERT_TRUE(document.parse(ran.out)) << ran.out;
    EXPECT_EQ(document.root()["valid"].as_bool(), c.code == kExitDone);
    const json::Value problems = document.root()["problems"];
    EXPECT_EQ(problems.size(), c.problems);
    for (const json::Value problem : problems.elements()) {
      EXPECT_TRUE(problem["code"].equals("bad_value"));
      EXPECT_TRUE(problem["path"].equals("log.level"));
      EXPECT_EQ(problem["line"].as_int64(), 1);
      EXPECT_EQ(problem["column"].as_int64(), 14);
    }
  }
}

TEST(ConfigCommand, NeverPrintsASecret) {
  const std::string text =
      "admin: {token: s3cret-token}\n"
      "accounts: [{name: a, provider: openai, api_key: s3cret-key, headers: {x-k: "
      "s3cret-header}}]\n"
      "keys: [{name: k, key: s3cret-0123456789}]\n";
  const Ran ran = run(program(), {"config", "effective"}, with_file("weir.yaml", text));
  EXPECT_EQ(ran.code, kExitDone) << ran.err;
  EXPECT_THAT(ran.out, testing::HasSubstr("x-k: \"<secret>\""));
  EXPECT_THAT(ran.out, testing::Not(testing::HasSubstr("s3cret")));
}

TEST(ImportCommand, SplitsResultAndNotes) {
  const std::string text =
      "model_list:\n- model_name: m\n  litellm_params: {model: gpt-4o, temperature: 1}\n";
  const Ran ran = run(program(), {"import", "litellm", "l.yaml"}, with_file("l.yaml", text));
  EXPECT_EQ(ran.code, kExitDone);
  EXPECT_THAT(ran.out, testing::HasSubstr("models:"));
  EXPECT_THAT(ran.err, testing::HasSubstr("l.yaml:3: model_list[0].litellm_params.temperature:"));
  EXPECT_EQ(run(program(), {"import", "litellm", "none.yaml"}).code, kExitFailed);
  EXPECT_EQ(run(program(), {"import", "litellm", "w.yaml"}, with_file("w.yaml", "a: 1")).code,
            kExitFailed);
}

TEST(VersionCommand, NamesEveryLibrary) {
  const Ran ran = run(program(), {"version", "--json"});
  json::Document document;
  ASSERT_TRUE(document.parse(ran.out)) << ran.out;
  EXPECT_TRUE(document.root()["version"].equals(version()));
  EXPECT_FALSE(commit().empty());
  EXPECT_EQ(document.root()["libraries"].size(), 7U);
  for (const auto& [name, value] : document.root()["libraries"].members()) {
    EXPECT_NE(value.string_or(""), "") << name;
  }
  EXPECT_THAT(run(program(), {"version"}).out, testing::HasSubstr("OpenSSL"));
}

}  // namespace
}  // namespace weir::app
