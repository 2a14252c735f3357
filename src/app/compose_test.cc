#include "app/compose.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/config/load.h"

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
