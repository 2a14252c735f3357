#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "access/key_format.h"
#include "access/key_hash.h"
#include "access/key_store.h"
#include "access/key_table.h"
#include "base/encoding.h"
#include "store/temporary_directory.h"

namespace weir::access {
namespace {

using store::TemporaryDirectory;

constexpr int64_t kNow = 1'795'348'800'000;

std::string hex(const KeyHash& hash) {
  return hex_encode({reinterpret_cast<const char*>(hash.data()), hash.size()});
}

TEST(KeyFormat, GeneratedKeysAreWellFormedAndDiffer) {
  std::set<std::string> keys;
  std::set<char> letters;
  for (int i = 0; i < 500; ++i) {
    auto key = generate_key();
    ASSERT_TRUE(key);
    std::string text(key->reveal());
    EXPECT_EQ(text.size(), kKeyLength);
    EXPECT_TRUE(text.starts_with("weir_sk_"));
    EXPECT_TRUE(is_well_formed(text)) << text;
    keys.insert(text);
    letters.insert(text.begin() + 8, text.end());
  }
  EXPECT_EQ(keys.size(), 500u);
  EXPECT_EQ(letters.size(), 62u);
}

TEST(KeyFormat, EveryMistypedCharacterIsSeen) {
  std::string key(generate_key()->reveal());
  for (size_t i = 0; i < key.size(); ++i) {
    std::string other = key;
    other[i] = other[i] == 'x' ? 'y' : 'x';
    EXPECT_FALSE(is_well_formed(other)) << i;
  }
  for (std::string bad :
       {std::string(), key.substr(1), key + "a", std::string("weir_sk_"), std::string(46, ' ')}) {
    EXPECT_FALSE(is_well_formed(bad));
  }
}

TEST(KeyFormat, MasksKeys) {
  EXPECT_EQ(mask_key("weir_sk_0123456789abcdef"), "weir_sk_...cdef");
  EXPECT_EQ(mask_key("sk-proj-0123456789abcdef"), "...cdef");
  EXPECT_EQ(mask_key("short"), "...") << "a quarter of a short key would be too much";
  EXPECT_EQ(mask_key(""), "...");
}

// RFC 4231, test cases 1 and 2; a longer text crosses the block size.
TEST(KeyHasher, IsHmacSha256) {
  EXPECT_EQ(hex(KeyHasher(Secret(std::string(20, '\x0b'))).hash("Hi There")),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  KeyHasher jefe(Secret("Jefe"));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(hex(jefe.hash("what do ya want for nothing?")),
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  }
  EXPECT_NE(jefe.hash(std::string(200, 'a')), jefe.hash(std::string(201, 'a')));
}

TEST(KeyHasher, ManyThreadsShareOne) {
  KeyHasher hasher(Secret("secret"));
  KeyHash expected = hasher.hash("key");
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) ASSERT_EQ(hasher.hash("key"), expected);
    });
  }
  for (auto& thread : threads) thread.join();
}

TEST(KeyHasher, SecretIsMadeOnceKeptPrivateAndChecked) {
  TemporaryDirectory directory;
  std::string path = directory.path() + "/key_hash.secret";
  auto first = KeyHasher::open(directory.path());
  ASSERT_TRUE(first) << first.error().message();
  struct stat info{};
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_EQ(info.st_size, 32);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory.path()), {}), 1)
      << "nothing else is left in the directory";
  auto second = KeyHasher::open(directory.path());
  EXPECT_EQ(first->hash("k"), second->hash("k"));
  TemporaryDirectory other;
  EXPECT_NE(KeyHasher::open(other.path())->hash("k"), first->hash("k"));

  ASSERT_EQ(chmod(path.c_str(), 0644), 0);
  EXPECT_EQ(KeyHasher::open(directory.path()).error().code(), ErrorCode::permission_denied);
  ASSERT_EQ(chmod(path.c_str(), 0600), 0);
  std::filesystem::resize_file(path, 31);
  EXPECT_EQ(KeyHasher::open(directory.path()).error().code(), ErrorCode::corrupt);
  EXPECT_EQ(KeyHasher::open(directory.path() + "/absent").error().code(), ErrorCode::io_error);
}

TEST(KeyTable, FindsEveryKeyAndNoOther) {
  auto hasher = std::make_shared<const KeyHasher>(Secret("installation"));
  for (size_t count : {size_t{0}, size_t{1}, size_t{2}, size_t{1000}}) {
    std::vector<KeyEntry> entries;
    for (size_t i = 0; i < count; ++i) {
      Principal principal;
      principal.key_id = "id-" + std::to_string(i);
      principal.name = "name-" + std::to_string(i);
      entries.push_back({hasher->hash("key-" + std::to_string(i)), principal});
    }
    auto table = KeyTable::build(hasher, std::move(entries));
    ASSERT_TRUE(table);
    for (size_t i = 0; i < count; ++i) {
      auto answer = table->find("key-" + std::to_string(i), kNow);
      ASSERT_NE(answer.principal, nullptr);
      EXPECT_EQ(answer.principal->key_id, "id-" + std::to_string(i));
      EXPECT_EQ(table->find("key" + std::to_string(i), kNow).refusal, KeyTable::Refusal::unknown);
    }
    EXPECT_EQ(table->find_by_id("id-0") != nullptr, count > 0);
  }
}

TEST(KeyTable, TellsWhyItRefuses) {
  auto hasher = std::make_shared<const KeyHasher>(Secret("installation"));
  Principal principal;
  principal.expires_ms = kNow;
  std::string key(generate_key()->reveal());
  std::string other(generate_key()->reveal());
  std::vector<KeyEntry> entries = {{hasher->hash(key), principal}};
  auto table = KeyTable::build(hasher, entries);
  std::string mistyped = key;
  mistyped.back() = mistyped.back() == 'a' ? 'b' : 'a';
  struct {
    std::string presented;
    int64_t now;
    KeyTable::Refusal refusal;
  } cases[] = {
      {key, kNow - 1, KeyTable::Refusal::none},
      {key, kNow, KeyTable::Refusal::expired},
      {"", kNow, KeyTable::Refusal::missing},
      {mistyped, kNow, KeyTable::Refusal::malformed},
      {std::string(513, 'k'), kNow, KeyTable::Refusal::malformed},
      {other, kNow, KeyTable::Refusal::unknown},
      {"sk-something", kNow, KeyTable::Refusal::unknown},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(table->find(c.presented, c.now).refusal, c.refusal) << c.presented;
  }
  EXPECT_EQ(KeyTable().find(key, kNow).refusal, KeyTable::Refusal::unknown);
  entries.push_back(entries[0]);
  EXPECT_EQ(KeyTable::build(hasher, entries).error().code(), ErrorCode::already_exists);
}

// A connection's kept hash saves the hashing alone: who a key stands for is the table's to say.
TEST(KeyTable, AKeptHashOutlivesNoKey) {
  const auto hasher = std::make_shared<const KeyHasher>(Secret("s"));
  const auto entry = [](const KeyHasher& of, std::string_view key, int64_t expires) {
    KeyEntry made{.hash = of.hash(key), .principal = {}};
    made.principal.key_id = std::string(key);
    made.principal.expires_ms = expires;
    return made;
  };
  const auto table =
      KeyTable::build(hasher, {entry(*hasher, "one", 0), entry(*hasher, "two", 100)});
  ASSERT_TRUE(table);
  KeptHash kept;
  for (int i = 0; i < 2; ++i) {
    ASSERT_NE(table->find("one", 50, &kept).principal, nullptr);
    EXPECT_EQ(table->find("one", 50, &kept).principal->key_id, "one");
  }
  ASSERT_NE(kept.find("one", hasher->number()), nullptr);
  // Another key on the same connection is itself, and one that nobody has is refused and not kept.
  EXPECT_EQ(table->find("two", 50, &kept).principal->key_id, "two");
  EXPECT_EQ(table->find("three", 50, &kept).refusal, KeyTable::Refusal::unknown);
  EXPECT_EQ(kept.find("three", hasher->number()), nullptr);
  // Expired, revoked, and hashed with another secret.
  EXPECT_EQ(table->find("two", 200, &kept).refusal, KeyTable::Refusal::expired);
  EXPECT_EQ(KeyTable::build(hasher, {entry(*hasher, "one", 0)})->find("two", 50, &kept).refusal,
            KeyTable::Refusal::unknown);
  const auto other = std::make_shared<const KeyHasher>(Secret("t"));
  EXPECT_NE(other->number(), hasher->number());
  const auto renewed = KeyTable::build(other, {entry(*other, "two", 0)});
  ASSERT_NE(renewed->find("two", 50, &kept).principal, nullptr);
}

TEST(Principal, MayUseModels) {
  Principal principal;
  EXPECT_TRUE(principal.may_use("anything"));
  principal.models = {"gpt-4o", "claude-*"};
  EXPECT_TRUE(principal.may_use("gpt-4o"));
  EXPECT_FALSE(principal.may_use("gpt-4o-mini"));
  EXPECT_TRUE(principal.may_use("claude-sonnet"));
  EXPECT_FALSE(principal.may_use("claud"));
  EXPECT_FALSE(principal.may_use(""));
}

class KeyStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    hasher_ = std::make_shared<const KeyHasher>(std::move(*KeyHasher::open(directory_.path())));
    open();
  }
  void open() {
    auto store = KeyStore::open(directory_.path(), hasher_);
    ASSERT_TRUE(store) << store.error().message();
    store_.emplace(std::move(*store));
  }
  KeyTable table() {
    std::vector<KeyEntry> entries;
    auto keys = store_->list(true);
    for (const StoredKey& key : *keys) append_entries(key, nullptr, entries);
    return std::move(*KeyTable::build(hasher_, std::move(entries)));
  }

  TemporaryDirectory directory_;
  std::shared_ptr<const KeyHasher> hasher_;
  std::optional<KeyStore> store_;
};

KeySpec full_spec() {
  KeySpec spec;
  spec.name = "search \"prod\" ü";
  spec.team = "search";
  spec.models = {"gpt-4o", "claude-*"};
  spec.tags = {{"env", "prod"}, {"owner", "a,b"}};
  spec.parts.models = {{"gpt-*", {.requests_per_minute = 6, .concurrency = 2}}};
  spec.parts.users = {.tokens_per_minute = 77};
  spec.priority = ledger::Priority::low;
  spec.owner = "ada";
  spec.limits = {.requests_per_minute = 600,
                 .tokens_per_minute = 400'000,
                 .concurrency = 50,
                 .budgets = {{Money::from_nano(50'000'000'001), ledger::BudgetWindow::day},
                             {Money::from_nano(1), ledger::BudgetWindow::rolling, 30, false}}};
  spec.project = "suggest";
  spec.capture = true;
  spec.expires_ms = kNow + 1000;
  return spec;
}

TEST_F(KeyStoreTest, CreatesListsAndReadsBackAcrossARestart) {
  auto made = store_->create(full_spec(), kNow);
  ASSERT_TRUE(made) << made.error().message();
  EXPECT_TRUE(is_well_formed(made->key.reveal()));
  auto second = store_->create({.name = "other"}, kNow);
  ASSERT_TRUE(second);
  EXPECT_NE(second->stored.id, made->stored.id) << "two keys of one millisecond";
  open();
  auto list = store_->list();
  ASSERT_TRUE(list);
  ASSERT_EQ(list->size(), 2u);
  EXPECT_EQ(list->at(0).spec.name, "other");
  const StoredKey& read = list->at(1);
  EXPECT_EQ(read.spec.name, full_spec().name);
  EXPECT_EQ(read.spec.team, "search");
  EXPECT_EQ(read.spec.project, "suggest");
  EXPECT_EQ(read.spec.models, full_spec().models);
  EXPECT_EQ(read.spec.tags, full_spec().tags);
  EXPECT_EQ(read.spec.limits, full_spec().limits);
  EXPECT_EQ(read.spec.parts, full_spec().parts);
  EXPECT_EQ(read.spec.priority, ledger::Priority::low);
  EXPECT_EQ(read.spec.owner, "ada");
  EXPECT_EQ(read.spec.capture, true);
  EXPECT_EQ(list->at(0).spec.capture, std::nullopt);
  EXPECT_EQ(read.spec.expires_ms, kNow + 1000);
  EXPECT_EQ(read.created_ms, kNow);
  EXPECT_EQ(read.masked, mask_key(made->key.reveal()));
  auto answer = table().find(made->key.reveal(), kNow);
  EXPECT_EQ(answer.refusal, KeyTable::Refusal::none);
  EXPECT_EQ(table().find(made->key.reveal(), kNow + 1000).refusal, KeyTable::Refusal::expired);
}

TEST_F(KeyStoreTest, AFenceIsKeptThroughARotationAndARestart) {
  const KeySpec spec{.name = "fenced",
                     .capture = false,
                     .addresses = {"192.0.2.0/24", "2001:db8::1"},
                     .endpoints = {"embed"}};
  const auto made = store_->create(spec, kNow);
  ASSERT_TRUE(made) << made.error().message();
  const auto rotated = store_->rotate(made->stored.id, kNow, 1000);
  ASSERT_TRUE(rotated);
  open();
  EXPECT_EQ(store_->get(made->stored.id)->spec.addresses, spec.addresses);
  EXPECT_EQ(store_->get(made->stored.id)->spec.capture, false);
  const KeyTable keys = table();
  for (const Secret* key : {&made->key, &rotated->key}) {
    const Principal* who = keys.find(key->reveal(), kNow).principal;
    ASSERT_NE(who, nullptr);
    ASSERT_NE(who->fence, nullptr);
    EXPECT_TRUE(who->fence->admits("2001:db8::1"));
    EXPECT_FALSE(who->fence->admits("203.0.113.1"));
    EXPECT_FALSE(who->fence->serves("generate"));
    EXPECT_EQ(who->capture, false);
  }
  EXPECT_EQ(store_->create({.name = "x", .addresses = {"192.0.2.1/24"}}, kNow).error().code(),
            ErrorCode::invalid_argument);
  EXPECT_EQ(store_->create({.name = "x", .endpoints = {"chat"}}, kNow).error().code(),
            ErrorCode::invalid_argument);
}

TEST_F(KeyStoreTest, TheKeyItselfIsNowhereOnDisk) {
  auto made = store_->create(full_spec(), kNow);
  std::string secret_part(made->key.reveal().substr(kKeyPrefix.size(), kKeyRandomLength));
  ASSERT_TRUE(store_->rotate(made->stored.id, kNow, 1000));
  for (const auto& entry : std::filesystem::directory_iterator(directory_.path())) {
    std::ifstream file(entry.path());
    std::string bytes((std::istreambuf_iterator<char>(file)), {});
    EXPECT_EQ(bytes.find(secret_part), std::string::npos) << entry.path();
  }
}

TEST_F(KeyStoreTest, NamesAreUniqueAmongKeysInForce) {
  auto made = store_->create({.name = "a"}, kNow);
  ASSERT_TRUE(made);
  EXPECT_EQ(store_->create({.name = "a"}, kNow).error().code(), ErrorCode::already_exists);
  ASSERT_TRUE(store_->revoke(made->stored.id, kNow));
  auto again = store_->create({.name = "a"}, kNow);
  ASSERT_TRUE(again);
  ASSERT_TRUE(store_->create({.name = "b"}, kNow));
  EXPECT_EQ(store_->update(again->stored.id, {.name = "b"}).error().code(),
            ErrorCode::already_exists);
  EXPECT_EQ(store_->create({.name = ""}, kNow).error().code(), ErrorCode::invalid_argument);
  EXPECT_EQ(store_->create({.name = std::string(129, 'n')}, kNow).error().code(),
            ErrorCode::invalid_argument);
  KeySpec negative{.name = "n"};
  negative.limits.concurrency = -1;
  EXPECT_EQ(store_->create(negative, kNow).error().code(), ErrorCode::invalid_argument);
}

TEST_F(KeyStoreTest, RevokedKeysAreRefusedAtOnceAndForGood) {
  auto made = store_->create({.name = "a"}, kNow);
  ASSERT_TRUE(store_->rotate(made->stored.id, kNow, 100'000));
  ASSERT_TRUE(store_->revoke(made->stored.id, kNow + 5));
  EXPECT_EQ(table().find(made->key.reveal(), kNow + 6).refusal, KeyTable::Refusal::unknown);
  EXPECT_TRUE(store_->list()->empty());
  EXPECT_EQ(store_->list(true)->at(0).revoked_ms, kNow + 5);
  EXPECT_EQ(store_->revoke(made->stored.id, kNow).error().code(), ErrorCode::not_found);
  EXPECT_EQ(store_->rotate(made->stored.id, kNow, 0).error().code(), ErrorCode::not_found);
  EXPECT_EQ(store_->update(made->stored.id, {.name = "x"}).error().code(), ErrorCode::not_found);
  EXPECT_EQ(store_->get("absent").error().code(), ErrorCode::not_found);
}

TEST_F(KeyStoreTest, RotationKeepsTheIdAndOverlaps) {
  auto made = store_->create({.name = "a"}, kNow);
  auto rotated = store_->rotate(made->stored.id, kNow, 1000);
  ASSERT_TRUE(rotated) << rotated.error().message();
  EXPECT_EQ(rotated->stored.id, made->stored.id);
  EXPECT_NE(rotated->key.reveal(), made->key.reveal());
  EXPECT_NE(rotated->stored.masked, made->stored.masked);
  KeyTable both = table();
  EXPECT_EQ(both.find(made->key.reveal(), kNow + 999).principal->key_id, made->stored.id);
  EXPECT_EQ(both.find(made->key.reveal(), kNow + 1000).refusal, KeyTable::Refusal::expired);
  EXPECT_EQ(both.find(rotated->key.reveal(), kNow + 1000).refusal, KeyTable::Refusal::none);
  auto at_once = store_->rotate(made->stored.id, kNow, 0);
  ASSERT_TRUE(at_once);
  EXPECT_EQ(table().find(rotated->key.reveal(), kNow).refusal, KeyTable::Refusal::unknown);
  EXPECT_EQ(table().entries().size(), 1u);
}

}  // namespace
}  // namespace weir::access
