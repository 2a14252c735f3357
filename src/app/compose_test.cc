#include "app/compose.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/config/load.h"
#include "store/day.h"

namespace weir::app {
namespace {

constexpr int64_t kNow = 1'780'272'000'000;  // 2026-06-01

constexpr std::string_view kModels =
    "accounts: [{name: up, provider: openai_compatible, endpoint: \"http://h/v1\", api_key: k1}]\n"
    "models: [{name: m, deployments: [{account: up}]}]\n";

Config config_of(const std::string& yaml) {
  Loaded loaded = load_text(yaml, Surroundings::empty());
  if (!loaded.config) {
    ADD_FAILURE() << yaml;
    return {};
  }
  return std::move(*loaded.config);
}

class ComposeTest : public testing::Test {
 protected:
  std::shared_ptr<const gateway::Snapshot> compose(
      const std::string& yaml, const std::vector<access::StoredKey>& stored = {}) {
    auto composition = composer_.compose(config_of(yaml), stored, ++generation_, kNow);
    if (!composition) {
      ADD_FAILURE() << composition.error().message();
      return nullptr;
    }
    return composition->snapshot;
  }
  access::StoredKey stored(const std::string& secret) const {
    access::StoredKey key;
    key.id = "id-" + secret;
    key.spec.name = "name-" + secret;
    key.hash = hasher_->hash(secret);
    return key;
  }

  std::shared_ptr<const access::KeyHasher> hasher_ =
      std::make_shared<access::KeyHasher>(Secret("installation"));
  Composer composer_{hasher_};
  uint64_t generation_ = 0;
};

TEST_F(ComposeTest, KeysAreAskedForWhereThereWasEverOne) {
  EXPECT_FALSE(compose(std::string(kModels))->keys_required);
  EXPECT_TRUE(
      compose(std::string(kModels) + "keys: [{name: a, key: 0123456789abcdef}]\n")->keys_required);
  access::StoredKey key = stored("first");
  EXPECT_TRUE(compose(std::string(kModels), {key})->keys_required);
  key.revoked_ms = kNow - 1;
  const auto snapshot = compose(std::string(kModels), {key});
  EXPECT_TRUE(snapshot->keys_required) << "revoking the last key must not open the gateway";
  EXPECT_EQ(snapshot->keys.find("first", kNow).principal, nullptr);
}

TEST_F(ComposeTest, ARotatedKeyEndsWithItsOverlapAndWithItsOwnExpiry) {
  access::StoredKey key = stored("new");
  key.previous_hash = hasher_->hash("old");
  key.previous_until_ms = kNow + 1000;
  auto snapshot = compose(std::string(kModels), {key});
  EXPECT_NE(snapshot->keys.find("old", kNow).principal, nullptr);
  EXPECT_EQ(snapshot->keys.find("old", kNow + 1001).principal, nullptr);
  EXPECT_NE(snapshot->keys.find("new", kNow + 1001).principal, nullptr);

  key.spec.expires_ms = kNow - 1;
  snapshot = compose(std::string(kModels), {key});
  EXPECT_EQ(snapshot->keys.find("new", kNow).principal, nullptr);
  EXPECT_EQ(snapshot->keys.find("old", kNow).principal, nullptr)
      << "an expired key must not live on by its rotation";
}

TEST_F(ComposeTest, AnAccountsStateOutlivesAReloadButNotItsKey) {
  const auto state_of = [](const auto& snapshot) { return snapshot->accounts.front()->state; };
  const auto first = state_of(compose(std::string(kModels)));
  EXPECT_EQ(state_of(compose(std::string(kModels) + "teams: [{name: t}]\n")), first);
  std::string other(kModels);
  other.replace(other.find("k1"), 2, "k2");
  EXPECT_NE(state_of(compose(other)), first)
      << "a new key must not be held back by what parked the old one";
}

TEST_F(ComposeTest, ARefusedReloadLeavesTheLimitsThatAreInUse) {
  const std::string key = "keys: [{name: a, key: 0123456789abcdef, limits: {rpm: 100}}";
  const auto running = compose(std::string(kModels) + key + "]\n");
  const auto& cells = *running->keys.find("0123456789abcdef", kNow).principal->key_limits;
  ASSERT_EQ(cells.requests.limit(), 100);
  std::string lower = key;
  lower.replace(lower.find("100"), 3, "5");
  // A key that the store has, too.
  const Config twice = config_of(std::string(kModels) + lower + "]\n");
  EXPECT_FALSE(composer_.compose(twice, {stored("0123456789abcdef")}, 9, kNow));
  EXPECT_EQ(cells.requests.limit(), 100);
  EXPECT_TRUE(composer_.compose(twice, {}, 9, kNow));
  EXPECT_EQ(cells.requests.limit(), 5) << "the same cells, with what they have counted";
}

TEST_F(ComposeTest, AccountsReachTheirProvidersAsThoseWant) {
  const auto snapshot = compose(
      "accounts:\n"
      "  - {name: o, provider: openai, api_key: k}\n"
      "  - {name: a, provider: anthropic, api_key: k, on_abort: drain}\n"
      "  - {name: g, provider: gemini, api_key: k}\n"
      "  - {name: z, provider: azure_openai, endpoint: \"https://r.openai.azure.com/\", api_key: "
      "k}\n"
      "  - {name: l, provider: openai_compatible, endpoint: \"http://h:8000/api/v2/\"}\n"
      "models: [{name: m, deployments: [{account: o}]}]\n");
  struct Case {
    std::string_view name, host, path;
    uint16_t port;
    bool tls;
    provider::AuthKind auth;
  };
  using provider::AuthKind;
  for (const Case& c : {Case{"o", "api.openai.com", "/v1", 443, true, AuthKind::bearer},
                        Case{"a", "api.anthropic.com", "/v1", 443, true, AuthKind::api_key_header},
                        Case{"g", "generativelanguage.googleapis.com", "/v1beta", 443, true,
                             AuthKind::api_key_header},
                        Case{"z", "r.openai.azure.com", "", 443, true, AuthKind::api_key_header},
                        Case{"l", "h", "/api/v2", 8000, false, AuthKind::none}}) {
    const auto at = std::find_if(snapshot->accounts.begin(), snapshot->accounts.end(),
                                 [&](const auto& account) { return account->name == c.name; });
    ASSERT_NE(at, snapshot->accounts.end()) << c.name;
    EXPECT_EQ((*at)->origin.host, c.host);
    EXPECT_EQ((*at)->origin.port, c.port) << c.name;
    EXPECT_EQ((*at)->origin.tls, c.tls) << c.name;
    EXPECT_EQ((*at)->base_path, c.path) << c.name;
    EXPECT_EQ((*at)->auth, c.auth) << c.name;
    EXPECT_EQ((*at)->on_abort == provider::OnAbort::drain, c.name == "a");
  }
}

TEST_F(ComposeTest, SlotsAndHealthStayWithTheirNames) {
  const std::string two =
      "accounts: [{name: up, provider: openai_compatible, endpoint: \"http://h/v1\"}]\n"
      "models:\n"
      "  - {name: a, deployments: [{account: up, model: x}]}\n"
      "  - {name: b, deployments: [{account: up, model: x}]}\n";
  const auto first = compose(two);
  const auto& of_a = first->find_model("a")->pool.deployments()[0];
  const auto& of_b = first->find_model("b")->pool.deployments()[0];
  EXPECT_EQ(of_a->state, of_b->state) << "one place at the provider has one health";
  EXPECT_NE(of_a->slot, of_b->slot) << "but is counted for each model";
  // The other order, and one model less.
  const auto next = compose(
      "accounts: [{name: up, provider: openai_compatible, endpoint: \"http://h/v1\"}]\n"
      "models: [{name: b, deployments: [{account: up, model: x}]}]\n");
  EXPECT_EQ(next->find_model("b")->slot, first->find_model("b")->slot);
  EXPECT_EQ(next->find_model("b")->pool.deployments()[0]->slot, of_b->slot);
  EXPECT_EQ(next->find_model("b")->pool.deployments()[0]->state, of_b->state);
  EXPECT_EQ(next->find_model("a"), nullptr);
  EXPECT_EQ(composer_.slot_names().models, (std::vector<std::string>{"a", "b"}));
}

TEST_F(ComposeTest, ATeamsBudgetIsSharedByItsKeys) {
  const auto snapshot = compose(
      std::string(kModels) +
      "teams: [{name: t, budget: {usd: 5, per: day}}]\n"
      "keys: [{name: a, key: 0123456789abcdef, team: t}, {name: b, key: fedcba9876543210, team: t},"
      " {name: c, key: 00112233445566778899}]\n");
  const auto* a = snapshot->keys.find("0123456789abcdef", kNow).principal;
  const auto* b = snapshot->keys.find("fedcba9876543210", kNow).principal;
  const auto* c = snapshot->keys.find("00112233445566778899", kNow).principal;
  ASSERT_TRUE(a != nullptr && b != nullptr && c != nullptr);
  ASSERT_NE(a->team_limits, nullptr);
  EXPECT_EQ(a->team_limits, b->team_limits);
  EXPECT_EQ(c->team_limits, nullptr);
  EXPECT_EQ(a->key_limits, nullptr);
}

TEST_F(ComposeTest, LimitsForModelsAndUsersAndPrioritiesReachTheKeys) {
  const std::string text =
      std::string(kModels) +
      "organization: {model_limits: [{model: '*', rpm: 100}]}\n"
      "teams: [{name: t, priority: low, user_limits: {rpm: 2}}]\n"
      "projects: [{name: p, team: t, priority: high}]\n"
      "keys: [{name: a, key: 0123456789abcdef, team: t, model_limits: [{model: 'm*', rpm: 5},"
      " {model: '*', tpm: 7}]}, {name: b, key: fedcba9876543210, project: p},"
      " {name: c, key: 00112233445566778899, project: p, priority: normal}]\n"
      "queue: {size: 3, wait: 5s}\n";
  const auto snapshot = compose(text);
  const auto* a = snapshot->keys.find("0123456789abcdef", kNow).principal;
  const auto* b = snapshot->keys.find("fedcba9876543210", kNow).principal;
  const auto* c = snapshot->keys.find("00112233445566778899", kNow).principal;
  ASSERT_TRUE(a != nullptr && b != nullptr && c != nullptr);
  EXPECT_EQ(a->priority, ledger::Priority::low) << "the team's";
  EXPECT_EQ(b->priority, ledger::Priority::high) << "the project's";
  EXPECT_EQ(c->priority, ledger::Priority::normal) << "its own";
  ASSERT_NE(a->parts[0], nullptr);
  EXPECT_EQ(a->parts[0]->of_model("mbc")->cells->requests.limit(), 5);
  EXPECT_EQ(a->parts[0]->of_model("xyz")->cells->tokens.limit(), 7);
  EXPECT_EQ(a->parts[2], b->parts[2]) << "a team's users are the same by every key";
  EXPECT_TRUE(a->parts[2]->limits_users);
  EXPECT_EQ(b->parts[0], nullptr);
  EXPECT_EQ(c->parts[3], a->parts[3]);
  ASSERT_NE(snapshot->users, nullptr);
  EXPECT_EQ(snapshot->queue.size, 3u);
  EXPECT_EQ(snapshot->queue.wait, Milliseconds(5'000));
  // A reload refills nobody's bucket.
  const auto cells = a->parts[0]->of_model("mbc")->cells;
  const auto next = compose(text);
  EXPECT_EQ(next->keys.find("0123456789abcdef", kNow).principal->parts[0]->of_model("mbc")->cells,
            cells);
  EXPECT_EQ(next->users, snapshot->users);
}

TEST_F(ComposeTest, AModelsOwnLimitsAreKeptOverReloads) {
  const std::string account =
      "accounts: [{name: up, provider: openai_compatible, endpoint: \"http://h/v1\"}]\n";
  const auto with = [&](int rpm) {
    return compose(account + fmt::format("models: [{{name: b, limits: {{rpm: {}}}, deployments: "
                                         "[{{account: up, model: x}}]}}]\n",
                                         rpm));
  };
  const auto first = with(3)->find_model("b")->limits;
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(with(4)->find_model("b")->limits, first);
  EXPECT_EQ(first->requests.limit(), 4);
}

TEST_F(ComposeTest, AKeyIsPaidForByItsProjectItsTeamAndTheOrganization) {
  const std::string text =
      std::string(kModels) +
      "organization: {budget: {usd: 100}}\n"
      "teams: [{name: t, budgets: [{usd: 5, per: week}, {usd: 4, per: week, hard: false}]}]\n"
      "projects: [{name: p, team: t, limits: {rpm: 6}, budget: {usd: 3, per: rolling, days: 30}}]\n"
      "keys: [{name: a, key: 0123456789abcdef, project: p}]\n";
  int asked = 0;
  composer_.on_new_budgets([&asked](ledger::LimitRegistry& limits) {
    ++asked;
    limits.remember("project/p", {.days = {{store::day_of(kNow), Money::from_nano(7)}},
                                  .total = Money::from_nano(9)});
    return Result<void>{};
  });
  const auto snapshot = compose(text);
  const auto* who = snapshot->keys.find("0123456789abcdef", kNow).principal;
  ASSERT_NE(who, nullptr);
  EXPECT_EQ(who->team, "t") << "the project's";
  EXPECT_EQ(who->key_limits, nullptr);
  ASSERT_NE(who->project_limits, nullptr);
  EXPECT_EQ(who->project_limits->requests.limit(), 6);
  EXPECT_TRUE(who->project_limits->budgets.enforced());
  EXPECT_EQ(who->project_limits->budgets.spent_ever(), Money::from_nano(9));
  ASSERT_NE(who->team_limits, nullptr);
  ASSERT_NE(who->organization_limits, nullptr);
  EXPECT_EQ(composer_.limits().standings(kNow).size(), 4u);
  EXPECT_EQ(asked, 1);
  compose(text);
  EXPECT_EQ(asked, 1) << "what was spent is known";
  compose(text + "alerts: {webhook: {url: \"http://h/x\", secret: s}}\n");
  EXPECT_EQ(asked, 1);
}

TEST_F(ComposeTest, AReloadThatNobodyMeansIsRefused) {
  const Config open = config_of(std::string(kModels));
  const Config locked =
      config_of(std::string(kModels) + "keys: [{name: a, key: 0123456789abcdef}]\n");
  const Config empty = config_of("");
  EXPECT_TRUE(check_reload(open, open, false));
  EXPECT_TRUE(check_reload(open, locked, false));
  EXPECT_TRUE(check_reload(locked, locked, false));
  EXPECT_TRUE(check_reload(empty, open, false)) << "the first one, too";
  EXPECT_TRUE(check_reload(locked, open, true)) << "the store's keys are asked for";
  EXPECT_THAT(check_reload(locked, open, false).error().message(), testing::HasSubstr("keys"));
  EXPECT_THAT(check_reload(open, empty, false).error().message(), testing::HasSubstr("models"));
}

}  // namespace
}  // namespace weir::app
