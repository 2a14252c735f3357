#include "app/config/load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "app/config/test_files.h"

namespace weir::app {
namespace {

using Variables = std::map<std::string, std::string>;

Surroundings with(Variables variables, Variables files = {}) {
  Surroundings surroundings = Surroundings::empty();
  surroundings.variable = [variables](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  };
  surroundings.read_file = [files](const std::string& path) -> Result<std::string> {
    const auto found = files.find(path);
    if (found == files.end()) return fail(ErrorCode::not_found, "no file " + path);
    return found->second;
  };
  return surroundings;
}

std::string all_of(const Loaded& loaded) {
  std::string text;
  for (const Problem& problem : loaded.problems) text += to_text(problem, "weir.yaml") + "\n";
  return text;
}

Config valid(std::string_view yaml, const Surroundings& surroundings = Surroundings::empty()) {
  Loaded loaded = load_text(yaml, surroundings);
  EXPECT_TRUE(loaded.config.has_value()) << all_of(loaded);
  return loaded.config ? *loaded.config : Config{};
}

struct Broken {
  std::string_view name;
  std::string_view yaml;
  ProblemCode code;
  int line;
  std::string_view path;
  Severity severity = Severity::error;
};

// Enough of a file for what follows it.
#define ACCOUNT "accounts: [{name: a, provider: openai, api_key: k}]\n"
#define MODEL ACCOUNT "models: [{name: m, deployments: [{account: a}]}]\n"

const std::vector<Broken>& broken_files() {
  static const std::vector<Broken> table{
      // The text itself.
      {"unclosed bracket", "models: [\n", ProblemCode::syntax, 2, ""},
      {"tab as indentation", "server:\n\tlisten: \":1\"\n", ProblemCode::syntax, 2, ""},
      {"two documents", "log: {level: info}\n---\nlog: {level: warn}\n", ProblemCode::syntax, 3,
       ""},
      {"custom tag", "data_dir: !include x\n", ProblemCode::syntax, 1, ""},
      {"a list at the top", "- a\n- b\n", ProblemCode::wrong_type, 1, ""},
      {"a text at the top", "hello\n", ProblemCode::wrong_type, 1, ""},
      {"a map as a key", "{a: b}: c\n", ProblemCode::wrong_type, 1, ""},
      {"duplicate key", "log:\n  level: info\n  level: warn\n", ProblemCode::duplicate_field, 3,
       "log.level"},
      {"duplicate section", "log: {}\nledger: {}\nlog: {}\n", ProblemCode::duplicate_field, 3,
       "log"},
      {"duplicate key where nothing is read", "x-z:\n  a: 1\n  a: 2\n",
       ProblemCode::duplicate_field, 3, "x-z.a"},
      {"merge of a text", "log:\n  <<: hello\n", ProblemCode::wrong_type, 2, "log.<<"},
      // Fields.
      {"unknown section", "sever: {}\n", ProblemCode::unknown_field, 1, "sever"},
      {"unknown field", ACCOUNT "models:\n- name: m\n  deployments:\n  - {account: a, wieght: 2}\n",
       ProblemCode::unknown_field, 5, "models[0].deployments[0].wieght"},
      {"a LiteLLM file", "model_list:\n- model_name: m\n", ProblemCode::unknown_field, 2,
       "model_list"},
      {"required field", "accounts:\n- provider: openai\n  api_key: k\n",
       ProblemCode::missing_field, 2, "accounts[0].name"},
      {"required field empty", "accounts:\n- name:\n  provider: openai\n  api_key: k\n",
       ProblemCode::missing_field, 2, "accounts[0].name"},
      {"list for object", "server: [1]\n", ProblemCode::wrong_type, 1, "server"},
      {"text for object", "server: here\n", ProblemCode::wrong_type, 1, "server"},
      {"object for list", "accounts: {name: a}\n", ProblemCode::wrong_type, 1, "accounts"},
      {"object for text", "data_dir: {a: b}\n", ProblemCode::wrong_type, 1, "data_dir"},
      {"text for names", MODEL "keys: [{name: k, key: 0123456789abcdef, models: m}]\n",
       ProblemCode::wrong_type, 3, "keys[0].models"},
      // Values.
      {"word for number", "server:\n  workers: many\n", ProblemCode::bad_value, 2,
       "server.workers"},
      {"number too large", "server: {workers: 99999}\n", ProblemCode::bad_value, 1,
       "server.workers"},
      {"negative number", "server: {workers: -1}\n", ProblemCode::bad_value, 1, "server.workers"},
      {"fraction", "server: {workers: 1.5}\n", ProblemCode::bad_value, 1, "server.workers"},
      {"duration without unit", "server: {drain: 30}\n", ProblemCode::bad_value, 1, "server.drain"},
      {"duration of zero", "server: {timeouts: {head: 0s}}\n", ProblemCode::bad_value, 1,
       "server.timeouts.head"},
      {"size with a wrong unit", "server: {limits: {body_bytes: 1TiB}}\n", ProblemCode::bad_value,
       1, "server.limits.body_bytes"},
      {"share above one", "defaults: {retries: {budget: 200%}}\n", ProblemCode::bad_value, 1,
       "defaults.retries.budget"},
      {"yes is no boolean", "capture: {enabled: yes}\n", ProblemCode::bad_value, 1,
       "capture.enabled"},
      {"no is no boolean", "capture: {enabled: no}\n", ProblemCode::bad_value, 1,
       "capture.enabled"},
      {"unknown choice", "log: {level: inof}\n", ProblemCode::bad_value, 1, "log.level"},
      {"unknown handling of aborts",
       "accounts:\n- name: a\n  provider: openai\n  api_key: k\n  on_abort: ignore\n",
       ProblemCode::bad_value, 5, "accounts[0].on_abort"},
      {"unknown provider", "accounts:\n- name: a\n  provider: azure\n  api_key: k\n",
       ProblemCode::bad_value, 3, "accounts[0].provider"},
      {"listen without port", "server: {listen: localhost}\n", ProblemCode::bad_value, 1,
       "server.listen"},
      {"port too large", "server: {listen: \"1.2.3.4:70000\"}\n", ProblemCode::bad_value, 1,
       "server.listen"},
      {"endpoint without scheme",
       "accounts:\n- name: a\n  provider: openai_compatible\n  endpoint: localhost:1\n",
       ProblemCode::bad_value, 4, "accounts[0].endpoint"},
      {"endpoint with a password",
       "accounts:\n- name: a\n  provider: openai_compatible\n  endpoint: http://u:p@h/v1\n",
       ProblemCode::bad_value, 4, "accounts[0].endpoint"},
      {"endpoint with a query",
       "accounts:\n- name: a\n  provider: openai_compatible\n  endpoint: http://h/v1?k=1\n",
       ProblemCode::bad_value, 4, "accounts[0].endpoint"},
      {"name with a space", "teams:\n- name: a b\n", ProblemCode::bad_value, 2, "teams[0].name"},
      {"line break in a secret",
       "accounts:\n- name: a\n  provider: openai\n  api_key: \"a\\r\\nx: y\"\n",
       ProblemCode::bad_value, 4, "accounts[0].api_key"},
      {"reserved header",
       "accounts:\n- {name: a, provider: openai, api_key: k, headers: {Content-Length: 1}}\n",
       ProblemCode::conflict, 2, "accounts[0].headers.Content-Length"},
      {"header with a space",
       "accounts:\n- {name: a, provider: openai, api_key: k, headers: {\"a b\": c}}\n",
       ProblemCode::bad_value, 2, "accounts[0].headers.a b"},
      {"budget of nothing", "teams:\n- {name: t, budget: {usd: 0}}\n", ProblemCode::bad_value, 2,
       "teams[0].budget.usd"},
      {"budget with too many decimals", "teams:\n- {name: t, budget: {usd: 0.0000000001}}\n",
       ProblemCode::bad_value, 2, "teams[0].budget.usd"},
      {"budget without amount", "teams:\n- {name: t, budget: {per: day}}\n",
       ProblemCode::missing_field, 2, "teams[0].budget.usd"},
      {"budget per year", "teams:\n- {name: t, budget: {usd: 1, per: year}}\n",
       ProblemCode::bad_value, 2, "teams[0].budget.per"},
      {"rolling budget without days", "teams:\n- {name: t, budget: {usd: 1, per: rolling}}\n",
       ProblemCode::missing_field, 2, "teams[0].budget.days"},
      {"days of a month", "organization: {budget: {usd: 1, days: 3}}\n", ProblemCode::conflict, 1,
       "organization.budget.days"},
      {"two hard budgets of a window",
       "projects:\n- {name: p, budget: {usd: 1}, budgets: [{usd: 2, hard: false}, {usd: 3}]}\n",
       ProblemCode::conflict, 2, "projects[0].budgets[1]"},
      {"project of no team", "projects:\n- {name: p, team: t}\n", ProblemCode::unknown_name, 2,
       "projects[0].team"},
      {"key of another team than its project's",
       "teams: [{name: t}, {name: u}]\nprojects: [{name: p, team: t}]\n"
       "keys:\n- {name: k, key: 0123456789abcdef, project: p, team: u}\n",
       ProblemCode::conflict, 4, "keys[0].team"},
      {"price with too many decimals",
       "prices:\n- {provider: openai, model: m, usd_per_million: {output: 0.0000001}}\n",
       ProblemCode::bad_value, 2, "prices[0].usd_per_million.output"},
      {"a day that is not", MODEL "keys: [{name: k, key: 0123456789abcdef, expires: 2026-02-30}]\n",
       ProblemCode::bad_value, 3, "keys[0].expires"},
      {"rate of zero", "accounts:\n- {name: a, provider: openai, api_key: k, limits: {rpm: 0}}\n",
       ProblemCode::bad_value, 2, "accounts[0].limits.rpm"},
      // Environment and files.
      {"missing variable", "data_dir: ${NOWHERE}\n", ProblemCode::missing_variable, 1, "data_dir"},
      {"variable without end", "data_dir: \"${HOME\"\n", ProblemCode::bad_value, 1, "data_dir"},
      {"variable with a bad name", "data_dir: \"${A-B}\"\n", ProblemCode::bad_value, 1, "data_dir"},
      {"missing secret file", "admin:\n  token: file:/run/secrets/none\n",
       ProblemCode::missing_file, 2, "admin.token"},
      {"missing certificates",
       "accounts:\n- name: a\n  provider: openai\n  api_key: k\n  tls: {ca_file: a.pem}\n",
       ProblemCode::missing_file, 5, "accounts[0].tls.ca_file", Severity::warning},
      // Names.
      {"unknown account", ACCOUNT "models:\n- name: m\n  deployments:\n  - account: b\n",
       ProblemCode::unknown_name, 5, "models[0].deployments[0].account"},
      {"unknown fallback",
       ACCOUNT "models:\n- name: m\n  deployments: [{account: a}]\n  fallbacks: [n]\n",
       ProblemCode::unknown_name, 5, "models[0].fallbacks[0]"},
      {"fallback twice",
       ACCOUNT "models:\n- {name: n, deployments: [{account: a}]}\n"
               "- name: m\n  deployments: [{account: a}]\n  fallbacks: [n, n]\n",
       ProblemCode::duplicate_name, 6, "models[1].fallbacks[1]"},
      {"unknown team", MODEL "keys:\n- {name: k, key: 0123456789abcdef, team: t}\n",
       ProblemCode::unknown_name, 4, "keys[0].team"},
      {"key for an unknown model",
       MODEL "keys:\n- name: k\n  key: 0123456789abcdef\n  models: [m, x]\n",
       ProblemCode::unknown_name, 6, "keys[0].models[1]"},
      {"limit for an unknown model",
       MODEL "keys:\n- name: k\n  key: 0123456789abcdef\n  model_limits: [{model: x, rpm: 1}]\n",
       ProblemCode::unknown_name, 6, "keys[0].model_limits[0].model"},
      {"limit for no model", MODEL "teams:\n- name: t\n  model_limits: [{rpm: 1}]\n",
       ProblemCode::missing_field, 5, "teams[0].model_limits[0].model"},
      {"unknown priority", MODEL "teams:\n- {name: t, priority: urgent}\n", ProblemCode::bad_value,
       4, "teams[0].priority"},
      {"pattern that fits no model",
       MODEL "keys:\n- name: k\n  key: 0123456789abcdef\n  models: [\"x*\"]\n",
       ProblemCode::unknown_name, 6, "keys[0].models[0]"},
      {"account twice",
       "accounts:\n- {name: a, provider: openai, api_key: k}\n"
       "- {name: a, provider: openai, api_key: k}\n",
       ProblemCode::duplicate_name, 3, "accounts[1].name"},
      {"model twice",
       ACCOUNT "models:\n- {name: m, deployments: [{account: a}]}\n"
               "- {name: m, deployments: [{account: a}]}\n",
       ProblemCode::duplicate_name, 4, "models[1].name"},
      {"team twice", "teams: [{name: t}, {name: t}]\n", ProblemCode::duplicate_name, 1,
       "teams[1].name"},
      {"price twice",
       "prices:\n- {provider: openai, model: m, usd_per_million: {input: 1}}\n"
       "- {provider: openai, model: m, usd_per_million: {input: 2}}\n",
       ProblemCode::duplicate_name, 3, "prices[1]"},
      // Fields that do not go together.
      {"no key at a provider", "accounts:\n- {name: a, provider: anthropic}\n",
       ProblemCode::missing_field, 2, "accounts[0].api_key"},
      {"azure without endpoint", "accounts:\n- {name: a, provider: azure_openai, api_key: k}\n",
       ProblemCode::missing_field, 2, "accounts[0].endpoint"},
      {"azure with an empty endpoint",
       "accounts:\n- {name: a, provider: azure_openai, api_key: k, endpoint: \"\"}\n",
       ProblemCode::missing_field, 2, "accounts[0].endpoint"},
      {"azure with two credentials",
       "accounts:\n- name: a\n  provider: azure_openai\n  endpoint: https://h\n  api_key: k\n"
       "  entra: {tenant: t, client_id: c, client_secret: s}\n",
       ProblemCode::conflict, 6, "accounts[0].entra"},
      {"vertex without project",
       "accounts:\n- {name: a, provider: vertex_ai, location: l, service_account: ok}\n",
       ProblemCode::missing_field, 2, "accounts[0].project"},
      {"vertex without service account",
       "accounts:\n- {name: a, provider: vertex_ai, location: l, project: p}\n",
       ProblemCode::missing_field, 2, "accounts[0].service_account"},
      {"compatible without endpoint", "accounts:\n- {name: a, provider: openai_compatible}\n",
       ProblemCode::missing_field, 2, "accounts[0].endpoint"},
      {"field of another provider",
       "accounts:\n- name: a\n  provider: openai\n  api_key: k\n  project: p\n",
       ProblemCode::conflict, 5, "accounts[0].project"},
      {"bedrock", "accounts:\n- {name: a, provider: bedrock, region: r}\n",
       ProblemCode::missing_field, 2, "accounts[0].provider"},
      {"deployment name at openai",
       ACCOUNT "models:\n- name: m\n  deployments: [{account: a, deployment: d}]\n",
       ProblemCode::conflict, 4, "models[0].deployments[0].deployment"},
      {"no deployments", ACCOUNT "models:\n- {name: m, deployments: []}\n",
       ProblemCode::missing_field, 3, "models[0].deployments"},
      {"all weights zero", ACCOUNT "models:\n- name: m\n  deployments: [{account: a, weight: 0}]\n",
       ProblemCode::conflict, 4, "models[0].deployments"},
      {"falls back to itself",
       ACCOUNT "models:\n- {name: m, deployments: [{account: a}], fallbacks: [m]}\n",
       ProblemCode::conflict, 3, "models[0].fallbacks[0]"},
      {"two keys, one secret",
       MODEL "keys:\n- {name: k, key: 0123456789abcdef}\n- {name: l, key: 0123456789abcdef}\n",
       ProblemCode::conflict, 5, "keys[1].key"},
      {"empty key", MODEL "keys:\n- {name: k, key: \"\"}\n", ProblemCode::bad_value, 4,
       "keys[0].key"},
      {"short key", MODEL "keys:\n- {name: k, key: short}\n", ProblemCode::bad_value, 4,
       "keys[0].key", Severity::warning},
      {"one port for two listeners", "server: {listen: \":8081\"}\n", ProblemCode::conflict, 0,
       "admin.listen"},
      {"no block of addresses",
       "keys:\n  - name: k\n    key: 0123456789abcdef\n    addresses: [192.0.2.1/24]\n",
       ProblemCode::bad_value, 4, "keys[0].addresses"},
      {"no endpoint", "keys:\n  - name: k\n    key: 0123456789abcdef\n    endpoints: [chat]\n",
       ProblemCode::bad_value, 4, "keys[0].endpoints"},
      {"no proxy", "server:\n  trusted_proxies: [everyone]\n", ProblemCode::bad_value, 2,
       "server.trusted_proxies"},
      {"open admin without token", "admin:\n  listen: \"0.0.0.0:8081\"\n", ProblemCode::conflict, 2,
       "admin.listen"},
      {"open admin that signs people in, and nowhere to send them back to",
       "admin:\n  listen: \"0.0.0.0:8081\"\n  oidc: {issuer: \"https://id.example.com\", "
       "client_id: weir, roles: {a: admin}}\n",
       ProblemCode::conflict, 2, "admin.listen"},
      {"timeout that never fires",
       ACCOUNT "models:\n- name: m\n  deployments: [{account: a}]\n"
               "  timeouts: {first_token: 2m, total: 1m}\n",
       ProblemCode::conflict, 5, "models[0].timeouts.first_token", Severity::warning},
      {"credential over http",
       "accounts:\n- {name: a, provider: openai_compatible, endpoint: http://far.example, "
       "api_key: k}\n",
       ProblemCode::conflict, 2, "accounts[0].endpoint", Severity::warning},
      {"unverified certificate",
       "accounts:\n- {name: a, provider: openai, api_key: k, tls: {verify: false}}\n",
       ProblemCode::conflict, 2, "accounts[0].tls.verify", Severity::warning},
      {"price at an unknown kind of place",
       "prices:\n- {provider: openai, model: m, location: mars, usd_per_million: {input: 1}}\n",
       ProblemCode::bad_value, 2, "prices[0].location"},
      {"context tiers out of order",
       "prices:\n- provider: openai\n  model: m\n  usd_per_million: {input: 1}\n"
       "  context_tiers:\n  - {above_tokens: 9, usd_per_million: {input: 2}}\n"
       "  - {above_tokens: 9, usd_per_million: {input: 3}}\n",
       ProblemCode::conflict, 7, "prices[0].context_tiers[1].above_tokens"},
      {"price file that is not there", "price_files:\n- nowhere.csv\n", ProblemCode::missing_file,
       2, "price_files[0]"},
      {"term that says nothing", "price_terms:\n- {model: m}\n", ProblemCode::missing_field, 2,
       "price_terms[0]"},
      {"term of nobody", "price_terms:\n- {account: b, discount: 10%}\n", ProblemCode::unknown_name,
       2, "price_terms[0].account"},
      {"term that ends before it begins",
       "price_terms:\n- {valid_from: 2026-02-01, valid_until: 2026-01-01, discount: 10%}\n",
       ProblemCode::conflict, 2, "price_terms[0].valid_until"},
      {"currency that is none", "currency: {code: euro, rates: [{per_usd: 0.9}]}\n",
       ProblemCode::bad_value, 1, "currency.code"},
      {"rate of nothing", "currency: {code: EUR, rates: [{per_usd: 0}]}\n", ProblemCode::bad_value,
       1, "currency.rates[0].per_usd"},
      {"rates out of order",
       "currency:\n  code: EUR\n  rates:\n  - {valid_from: 2026-02-01, per_usd: 0.9}\n"
       "  - {valid_from: 2026-01-01, per_usd: 0.8}\n",
       ProblemCode::conflict, 5, "currency.rates[1].valid_from"},
  };
  return table;
}

TEST(ConfigLoad, BrokenFilesTellWhatAndWhere) {
  for (const Broken& broken : broken_files()) {
    SCOPED_TRACE(broken.name);
    const Loaded loaded = load_text(broken.yaml, with({}, {{"ok", "{}"}}));
    ASSERT_EQ(loaded.problems.size(), 1U) << all_of(loaded);
    const Problem& problem = loaded.problems.front();
    EXPECT_EQ(to_string(problem.code), to_string(broken.code)) << all_of(loaded);
    EXPECT_EQ(problem.line, broken.line) << all_of(loaded);
    EXPECT_EQ(problem.path, broken.path) << all_of(loaded);
    EXPECT_EQ(problem.severity, broken.severity);
    EXPECT_EQ(loaded.config.has_value(), broken.severity == Severity::warning);
  }
}

TEST(ConfigLoad, TellsAllErrorsOfAFileInItsOrder) {
  const Loaded loaded = load_text(
      "server:\n"
      "  workers: x\n"
      "  lisen: \":1\"\n"
      "accounts:\n"
      "- name: a\n"
      "  provider: nope\n"
      "- name: b\n"
      "  provider: azure_openai\n"
      "  api_key: ${MISSING}\n"
      "models:\n"
      "- name: m\n"
      "  deployments: [{account: c}]\n",
      Surroundings::empty());
  EXPECT_FALSE(loaded.config);
  std::vector<std::string> places;
  for (const Problem& problem : loaded.problems) places.push_back(problem.path);
  EXPECT_THAT(places, testing::ElementsAre("server.workers", "server.lisen", "accounts[0].provider",
                                           "accounts[1].endpoint", "accounts[1].api_key",
                                           "models[0].deployments[0].account"))
      << all_of(loaded);
}

TEST(ConfigLoad, SuggestsTheNearestName) {
  struct Case {
    std::string_view yaml;
    std::string_view suggestion;
  };
  for (const Case& c : {Case{"sever: {}\n", "\"server\""}, Case{"log: {levl: info}\n", "\"level\""},
                        Case{"log: {level: wran}\n", "\"warn\""},
                        Case{"accounts: [{name: main, provider: openai, api_key: k}]\n"
                             "models: [{name: m, deployments: [{account: mian}]}]\n",
                             "\"main\""}}) {
    const Loaded loaded = load_text(c.yaml, Surroundings::empty());
    ASSERT_EQ(loaded.problems.size(), 1U) << all_of(loaded);
    EXPECT_THAT(loaded.problems[0].message, testing::HasSubstr(c.suggestion));
  }
}

TEST(ConfigLoad, NeverTellsASecret) {
  const Surroundings surroundings = with({{"KEY", "hunter2secret"}});
  for (const std::string_view yaml :
       {"accounts:\n- {name: a, provider: openai, api_key: [hunter2secret]}\n",
        "accounts:\n- {name: a, provider: openai, api_key: {x: hunter2secret}}\n",
        "accounts:\n- {name: a, provider: openai, api_key: \"hunter2secret\\n\"}\n",
        "accounts:\n- {name: a, provider: openai, api_key: \"hunter2secret${\"}\n",
        "accounts:\n- {name: a, provider: openai, api_key: \"${KEY}\", project: p}\n",
        "keys:\n- {name: a, key: hunter2secret}\n- {name: b, key: hunter2secret}\n"}) {
    const Loaded loaded = load_text(yaml, surroundings);
    EXPECT_FALSE(loaded.config) << yaml;
    EXPECT_THAT(all_of(loaded), testing::Not(testing::HasSubstr("hunter2secret")));
  }
}

TEST(ConfigLoad, AnEmptyFileIsTheDefaults) {
  for (const std::string_view yaml : {"", "# nothing\n", "---\n", "server:\nlog:\n", "{}"}) {
    const Config config = valid(yaml);
    EXPECT_EQ(config.server.listen.to_text(), "127.0.0.1:8080");
    EXPECT_EQ(config.server.limits.body_bytes, 100U << 20);
    EXPECT_EQ(config.data_dir, "./weir-data");
    EXPECT_FALSE(config.capture.enabled);
  }
}

TEST(ConfigLoad, ReadsEveryKindOfValue) {
  const Config config = valid(
      R"(
server:
  listen: "[::1]:0"
  workers: 0_8
  limits: { body_bytes: 1GiB, head_bytes: 128 KiB }
  timeouts: { head: 1.5s, body: 1m30s, write: 500ms, keep_alive: 2h }
defaults:
  timeouts: { connect: 1s, total: 5m }
  retries: { budget: 12.5% }
accounts:
  - name: main
    provider: openai_compatible
    endpoint: https://h.example:8443/v1/
    headers: { X-Team: "1.10", x-flag: no }
    limits: { rpm: 5_000, concurrency: "7" }
    on_abort: drain
models:
  - name: no
    deployments:
      - { account: main, weight: 0 }
      - { account: main, model: org/model:1, dialect: anthropic_messages }
    timeouts: { total: 1m }
    capture: true
teams: [{ name: t, budget: { usd: 12.345678901, per: day } }]
keys:
  - { name: k, key: 0123456789abcdef, team: t, models: ["n*"], expires: 2030-06-01T02:00:00+02:00,
      tags: { env: prod } }
prices:
  - { provider: gemini, model: g, valid_from: 2026-01-02, usd_per_million: { input: 0.075, cache_read: 2e-2 },
      context_tiers: [{ above_tokens: 200000, usd_per_million: { input: 0.15 } }] }
ledger: { retention: 30d }
)");
  EXPECT_EQ(config.server.listen, (ListenAddress{"::1", 0}));
  EXPECT_EQ(config.server.workers, 8U);
  EXPECT_EQ(config.server.limits.body_bytes, 1ULL << 30);
  EXPECT_EQ(config.server.limits.head_bytes, 128ULL << 10);
  EXPECT_EQ(config.server.timeouts.head, Milliseconds(1'500));
  EXPECT_EQ(config.server.timeouts.body, Milliseconds(90'000));
  EXPECT_EQ(config.server.timeouts.write, Milliseconds(500));
  EXPECT_EQ(config.server.timeouts.keep_alive, Milliseconds(7'200'000));
  const Account& account = config.accounts.at(0);
  EXPECT_EQ(account.endpoint, "https://h.example:8443/v1");
  EXPECT_EQ(account.headers.at("X-Team"), "1.10");
  EXPECT_EQ(account.headers.at("x-flag"), "no");
  EXPECT_EQ(account.limits.rpm, 5'000);
  EXPECT_EQ(account.limits.tpm, std::nullopt);
  EXPECT_EQ(account.limits.concurrency, 7);
  EXPECT_EQ(account.on_abort, provider::OnAbort::drain);
  EXPECT_EQ(Account{}.on_abort, provider::OnAbort::cancel);
  const Model& model = config.models.at(0);
  EXPECT_EQ(model.name, "no");
  EXPECT_EQ(model.deployments.at(0).weight, 0U);
  EXPECT_EQ(model.deployments.at(1).weight, 1U);
  EXPECT_EQ(model.deployments.at(1).dialect, dialect::Dialect::anthropic_messages);
  EXPECT_EQ(model.timeouts.connect, Milliseconds(1'000)) << "from defaults";
  EXPECT_EQ(model.timeouts.total, Milliseconds(60'000)) << "its own";
  EXPECT_EQ(model.retries.budget.basis_points, 1'250U) << "from defaults";
  EXPECT_EQ(model.capture, true);
  EXPECT_EQ(config.teams.at(0).budget->usd.nano(), 12'345'678'901);
  EXPECT_EQ(config.teams.at(0).budget->per, Period::day);
  EXPECT_EQ(config.keys.at(0).expires->wall_ms, 1'906'502'400'000);
  EXPECT_EQ(config.keys.at(0).tags.at("env"), "prod");
  const Price& price = config.prices.at(0);
  EXPECT_EQ(price.usd_per_million.input->nano(), 75'000'000);
  EXPECT_EQ(price.usd_per_million.cache_read->nano(), 20'000'000);
  EXPECT_EQ(price.usd_per_million.output, std::nullopt);
  EXPECT_EQ(price.valid_from.wall_ms, 1'767'312'000'000);
  EXPECT_EQ(price.context_tiers.at(0).usd_per_million.input->nano(), 150'000'000);
  EXPECT_EQ(config.ledger.retention, Milliseconds(30LL * 86'400'000));
}

TEST(ConfigLoad, DefaultsApplyWhereverTheyStand) {
  const Config config = valid(MODEL "defaults: { retries: { attempts: 7 } }\n");
  EXPECT_EQ(config.models.at(0).retries.attempts, 7U);
}

// Only the fallbacks of the model that was asked for are tried, so a circle has an end.
TEST(ConfigLoad, ModelsMayNameEachOther) {
  const Loaded loaded =
      load_text(ACCOUNT
                "models:\n- {name: m, deployments: [{account: a}], fallbacks: [n]}\n"
                "- {name: n, deployments: [{account: a}], fallbacks: [m]}\n",
                Surroundings::empty());
  EXPECT_TRUE(loaded.config);
  EXPECT_TRUE(loaded.problems.empty()) << all_of(loaded);
}

TEST(ConfigLoad, SubstitutesVariables) {
  const Surroundings surroundings =
      with({{"DIR", "/var"}, {"EMPTY", ""}, {"N", "3"}, {"TRAP", "x: [1, ${DIR}]"}});
  struct Case {
    std::string_view written;
    std::string_view read;
  };
  for (const Case& c :
       {Case{"${DIR}/weir", "/var/weir"}, Case{"\"${DIR}${N}\"", "/var3"},
        Case{"'a ${N} b'", "a 3 b"}, Case{"${MISSING:-/x}", "/x"}, Case{"${EMPTY:-/x}", "/x"},
        Case{"${DIR:-/x}", "/var"}, Case{"\"${MISSING:-}y\"", "y"}, Case{"$${DIR}", "${DIR}"},
        Case{"$DIR", "$DIR"}, Case{"\"${TRAP}\"", "x: [1, ${DIR}]"}}) {
    SCOPED_TRACE(c.written);
    EXPECT_EQ(valid("data_dir: " + std::string(c.written) + "\n", surroundings).data_dir, c.read);
  }
  EXPECT_EQ(valid("server: { workers: \"${N}\" }\n", surroundings).server.workers, 3U);
}

TEST(ConfigLoad, AnOpenAdminListenerMaySignPeopleInInsteadOfATokenOfItsOwn) {
  valid(
      "admin:\n  listen: \"0.0.0.0:8081\"\n  public_url: https://weir.example.com\n  oidc: "
      "{issuer: \"https://id.example.com\", client_id: weir, roles: {a: admin}}\n");
}

TEST(ConfigLoad, ReadsSecretsFromFiles) {
  const Surroundings surroundings = with({{"S", "/run/secrets"}, {"VIA", "file:/run/secrets/t"}},
                                         {{"/run/secrets/t", "s3cret\r\n"}});
  for (const std::string_view written : {"file:/run/secrets/t", "file:${S}/t", "\"${VIA}\""}) {
    EXPECT_EQ(valid("admin: {token: \"\"}\n", surroundings).admin.token.reveal(), "");
    EXPECT_EQ(
        valid("admin:\n  token: " + std::string(written) + "\n", surroundings).admin.token.reveal(),
        "s3cret");
  }
  // Only secrets are read from files.
  EXPECT_EQ(valid("data_dir: file:/run/secrets/t\n", surroundings).data_dir, "file:/run/secrets/t");
}

TEST(ConfigLoad, AnchorsAliasesAndMergeKeys) {
  const Config config = valid(
      "x-common: &common\n  provider: openai\n  api_key: k\n"
      "accounts:\n"
      "- { <<: *common, name: a }\n"
      "- { <<: [*common], name: b, api_key: own }\n");
  EXPECT_EQ(config.accounts.at(0).api_key.reveal(), "k");
  EXPECT_EQ(config.accounts.at(1).api_key.reveal(), "own");
}

TEST(ConfigLoad, RefusesWhatIsTooLarge) {
  std::string bomb = "x-a: &a [1,1,1,1,1,1,1,1,1,1]\n";
  for (char c = 'b'; c < 'k'; ++c) {
    const char before = static_cast<char>(c - 1);
    bomb += std::string("x-") + c + ": &" + c + " [";
    for (int i = 0; i < 10; ++i) bomb += std::string(i == 0 ? "*" : ",*") + before;
    bomb += "]\n";
  }
  std::string wide = "x-a: &a \"" + std::string(1'000'000, 'x') + "\"\nx-b: [";
  for (int i = 0; i < 100; ++i) wide += "*a,";
  wide += "]\n";
  const std::string deep = "x-a: " + std::string(1'000, '[') + std::string(1'000, ']');
  const std::string large(5 << 20, '#');
  for (const std::string& text : {bomb, wide, deep, large}) {
    const Loaded loaded = load_text(text, Surroundings::empty());
    ASSERT_EQ(loaded.problems.size(), 1U) << all_of(loaded);
    EXPECT_EQ(to_string(loaded.problems[0].code), "limit") << all_of(loaded);
    EXPECT_FALSE(loaded.config);
  }
}

TEST(ConfigLoad, KeepsAtMostTwoHundredProblems) {
  std::string yaml;
  for (int i = 0; i < 5'000; ++i) yaml += "field" + std::to_string(i) + ": 1\n";
  const Loaded loaded = load_text(yaml, Surroundings::empty());
  EXPECT_FALSE(loaded.config);
  EXPECT_LE(loaded.problems.size(), 201U);
}

TEST(ConfigLoad, AFileThatCannotBeReadIsOneProblem) {
  const Loaded loaded = load_file("nowhere.yaml", Surroundings::empty());
  ASSERT_EQ(loaded.problems.size(), 1U);
  EXPECT_EQ(loaded.problems[0].code, ProblemCode::missing_file);
}

TEST(ConfigLoad, TheExamplesAreValid) {
  Surroundings surroundings = Surroundings::empty();
  surroundings.variable = [](const std::string& name) { return "value-of-" + name; };
  surroundings.read_file = [](const std::string&) -> Result<std::string> { return "{}"; };
  for (const std::string path : {"examples/weir.yaml", "examples/minimal.yaml"}) {
    const Loaded loaded = load_text(read_source_file(path), surroundings);
    EXPECT_TRUE(loaded.config) << path;
    EXPECT_TRUE(loaded.problems.empty()) << path << "\n" << all_of(loaded);
  }
}

}  // namespace
}  // namespace weir::app
