#include "http/chars.h"

#include <gtest/gtest.h>

#include <string>

namespace weir::http {
namespace {

// What is looked at by the vector is what one byte after the other would find: each byte, at each
// place of texts of each length around a vector's.
template <class Find, class Stops>
void compare(const Find& find, const Stops& stops, char usual) {
  for (size_t length = 0; length <= 34; ++length) {
    for (size_t place = 0; place < length; ++place) {
      for (int byte = 0; byte < 256; ++byte) {
        std::string text(length, usual);
        text[place] = static_cast<char>(byte);
        const char* const end = text.data() + text.size();
        const char* expected = text.data();
        while (expected != end && !stops(*expected)) ++expected;
        ASSERT_EQ(find(text.data(), end), expected)
            << "byte " << byte << " at " << place << " of " << length;
      }
    }
  }
}

TEST(Chars, NamesEndWhereTheirFirstOtherByteStands) {
  compare([](const char* p, const char* end) { return find_no_token(p, end); },
          [](char c) { return !is_token_char(c); }, 'a');
  compare([](const char* p, const char* end) { return find_no_token(p, end); },
          [](char c) { return !is_token_char(c); }, '_');
}

TEST(Chars, ValuesEndWhereTheirFirstBadByteStands) {
  compare([](const char* p, const char* end) { return find_bad_in_value(p, end); },
          [](char c) { return is_bad_in_value(c); }, 'a');
  compare([](const char* p, const char* end) { return find_bad_in_value(p, end); },
          [](char c) { return is_bad_in_value(c); }, '\t');
}

}  // namespace
}  // namespace weir::http
