#include "base/secret.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <new>

namespace weir {
namespace {

// The bytes that an object leaves where it stood. Reading them is only meant for this test.
template <class Use>
bool leaves_behind(std::string_view text, const Use& use) {
  alignas(Secret) unsigned char place[sizeof(Secret)];
  auto* secret = new (place) Secret(std::string(text));
  use(*secret);
  unsigned char left[sizeof place];
  std::memcpy(left, place, sizeof place);
  const bool found =
      std::search(left, left + sizeof left, text.begin(), text.end()) != left + sizeof left;
  secret->~Secret();
  return found;
}

TEST(Secret, ComparesAll) {
  const Secret secret(std::string("sk-123"));
  EXPECT_TRUE(secret.equals("sk-123"));
  EXPECT_FALSE(secret.equals("sk-124"));
  EXPECT_FALSE(secret.equals("tk-123"));
  EXPECT_FALSE(secret.equals("sk-12"));
  EXPECT_FALSE(secret.equals(""));
  EXPECT_TRUE(Secret().equals(""));
  EXPECT_TRUE(Secret().empty());
}

TEST(Secret, CopiesAndMoves) {
  Secret a(std::string("a secret that is longer than what fits in the object"));
  Secret b(a);
  EXPECT_EQ(a.reveal(), b.reveal());
  const Secret c(std::move(a));
  EXPECT_EQ(c.reveal(), b.reveal());
  a = Secret(std::string("short"));
  EXPECT_EQ(a.reveal(), "short");
  b = a;
  EXPECT_EQ(b.reveal(), "short");
  const Secret& same = b;
  b = same;
  EXPECT_EQ(b.reveal(), "short");
}

TEST(Secret, AShortOneDoesNotStayInTheObject) {
  EXPECT_TRUE(leaves_behind("sk-short", [](Secret&) {}));  // the check itself can see one
  EXPECT_FALSE(leaves_behind("sk-short", [](Secret& s) { const Secret gone(std::move(s)); }));
  EXPECT_FALSE(leaves_behind("sk-short", [](Secret& s) { s = Secret(); }));
}

}  // namespace
}  // namespace weir
