// Sealing, rings of keys, and the records in their file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <iterator>

#include "base/encoding.h"
#include "store/temporary_directory.h"
#include "vault/envelope.h"
#include "vault/key_ring.h"
#include "vault/records.h"

namespace weir::vault {
namespace {

using testing::HasSubstr;
using testing::Not;

std::shared_ptr<KeyRing> ring_of(const std::vector<char>& keys) {
  std::vector<std::unique_ptr<Wrapper>> wrappers;
  for (const char key : keys) {
    wrappers.push_back(std::move(*local_wrapper(Secret(std::string(kKeyBytes, key)))));
  }
  return std::make_shared<KeyRing>(std::move(wrappers));
}

std::string file_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(Envelope, OpensWithItsKeyAtItsPlaceAlone) {
  const Secret key = *random_key();
  const std::string sealed = *seal(key, "account/a", "the text");
  EXPECT_EQ(open(key, "account/a", sealed)->reveal(), "the text");
  EXPECT_EQ(open(key, "account/b", sealed).error().code(), ErrorCode::corrupt);
  EXPECT_EQ(open(*random_key(), "account/a", sealed).error().code(), ErrorCode::corrupt);
  for (size_t i = 0; i < sealed.size(); ++i) {
    std::string changed = sealed;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_FALSE(open(key, "account/a", changed)) << "byte " << i;
    EXPECT_FALSE(open(key, "account/a", sealed.substr(0, i))) << i << " bytes";
  }
  EXPECT_NE(*seal(key, "account/a", "the text"), sealed) << "a nonce is used once";
  EXPECT_EQ(open(key, "x", *seal(key, "x", ""))->reveal(), "");
}

TEST(LocalKeys, AreReadInThreeForms) {
  const std::string bytes = "0123456789abcdef0123456789abcdef";
  const std::string id = (*local_wrapper(Secret(bytes)))->id();
  EXPECT_EQ((*local_wrapper(Secret(hex_encode(bytes))))->id(), id);
  EXPECT_EQ((*local_wrapper(Secret(base64_encode(bytes))))->id(), id);
  EXPECT_THAT(id, Not(HasSubstr("0123")));
  for (const char* wrong :
       {"", "short", "zz23456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}) {
    EXPECT_FALSE(local_wrapper(Secret(wrong))) << wrong;
  }
}

TEST(Records, NothingOfATextIsInTheFile) {
  const store::TemporaryDirectory directory;
  auto records = *Records::open(directory.path(), ring_of({'a'}));
  const std::string text = R"({"api_key":"sk-very-secret"})";
  ASSERT_TRUE(records.put("account", "one", Secret(text), 1000));
  ASSERT_TRUE(records.put("account", "one", Secret(text + " "), 2000));
  ASSERT_TRUE(records.put("model", "one", Secret("{}"), 3000));
  const Listing listing = *records.list();
  ASSERT_EQ(listing.records.size(), 2U);
  EXPECT_EQ(listing.records[0].text.reveal(), text + " ");
  EXPECT_EQ(listing.records[0].created_ms, 1000);
  EXPECT_EQ(listing.records[0].changed_ms, 2000);
  for (const char* file : {"/vault.db", "/vault.db-wal"}) {
    const std::string bytes = file_text(directory.path() + file);
    EXPECT_THAT(bytes, Not(HasSubstr("sk-very-secret"))) << file;
    EXPECT_THAT(bytes, Not(HasSubstr(std::string(kKeyBytes, 'a')))) << file;
  }
  EXPECT_TRUE(records.remove("model", "one"));
  EXPECT_EQ(records.remove("model", "one").error().code(), ErrorCode::not_found);
}

TEST(Records, AKeyIsChangedByRewrapping) {
  const store::TemporaryDirectory directory;
  auto server = *Records::open(directory.path(), ring_of({'a'}));
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(server.put("account", std::to_string(i), Secret("text"), 1));
  }
  const int64_t before = *server.foreign_changes();
  auto shell = *Records::open(directory.path(), ring_of({'b', 'a'}));
  ASSERT_TRUE(shell.put("account", "new", Secret("text"), 1));
  const auto done = *shell.rewrap();
  EXPECT_EQ(done.changed, 10U);
  EXPECT_EQ(done.current, 1U);
  EXPECT_EQ(shell.rewrap()->changed, 0U);
  EXPECT_NE(*server.foreign_changes(), before);
  EXPECT_EQ(server.list()->unreadable.size(), 11U) << "the server does not have the new key yet";
  EXPECT_EQ(server.list()->unreadable[0].error.code(), ErrorCode::not_found);
  server.use(ring_of({'b'}));
  EXPECT_EQ(server.list()->records.size(), 11U) << "nothing needs the old key any more";
}

TEST(Records, ASealedTextDoesNotMove) {
  const store::TemporaryDirectory directory;
  auto records = *Records::open(directory.path(), ring_of({'a'}));
  ASSERT_TRUE(records.put("account", "one", Secret("1"), 1));
  auto thief =
      *store::Connection::open(directory.path() + "/vault.db", store::OpenMode::read_write);
  ASSERT_TRUE(thief.execute("UPDATE record SET name = 'two'"));
  const Listing listing = *records.list();
  ASSERT_EQ(listing.unreadable.size(), 1U);
  EXPECT_EQ(listing.unreadable[0].error.code(), ErrorCode::corrupt);
}

TEST(KeyOfADirectory, IsMadeOnceAndForItsOwnerAlone) {
  const store::TemporaryDirectory directory;
  const Secret key = *key_of_directory(directory.path());
  EXPECT_TRUE(local_wrapper(key));
  EXPECT_EQ(key_of_directory(directory.path())->reveal(), key.reveal());
  const std::string path = directory.path() + "/secrets.key";
  ASSERT_EQ(::chmod(path.c_str(), 0644), 0);
  EXPECT_EQ(key_of_directory(directory.path()).error().code(), ErrorCode::permission_denied);
}

}  // namespace
}  // namespace weir::vault
