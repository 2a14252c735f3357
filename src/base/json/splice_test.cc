#include "base/json/splice.h"

#include <gtest/gtest.h>

namespace weir::json {
namespace {

// `edit` changes the root object of `text`.
template <class Change>
std::string edited(const std::string& text, const Change& change) {
  Document document;
  EXPECT_TRUE(document.parse(text)) << text;
  ObjectEditor editor(document.root());
  change(editor);
  std::vector<Edit> edits;
  editor.append_to(edits);
  return splice(text, std::move(edits));
}

TEST(JsonSplice, LeavesEveryOtherByte) {
  EXPECT_EQ(splice("abcdef", {{4, 1, "E"}, {0, 0, "<"}, {6, 0, ">"}, {1, 2, ""}}), "<adEf>");
  EXPECT_EQ(splice("abc", {}), "abc");
  EXPECT_EQ(splice("", {{0, 0, "x"}}), "x");
  EXPECT_EQ(splice("abc", {{0, 3, ""}}), "");
  // One place: insertions in the order given, then what replaces.
  EXPECT_EQ(splice("abc", {{1, 1, "B"}, {1, 0, "1"}, {1, 0, "2"}}), "a12Bc");
  EXPECT_EQ(splice("abc", {{1, 0, "!"}, {0, 1, "A"}}), "A!bc");
}

TEST(JsonSpliceDeathTest, RefusesOverlapAndPlacesOutside) {
  EXPECT_DEATH(splice("abcdef", {{0, 3, "x"}, {2, 1, "y"}}), "edit->offset >= done");
  EXPECT_DEATH(splice("abcdef", {{2, 0, "x"}, {1, 3, "y"}}), "edit->offset >= done");
  EXPECT_DEATH(splice("abc", {{4, 0, "x"}}), "text.size");
  EXPECT_DEATH(splice("abc", {{2, 2, "x"}}), "text.size");
  EXPECT_DEATH(splice("abc", {{1, SIZE_MAX, "x"}}), "text.size");
}

TEST(JsonSplice, SetsAndRemovesMembers) {
  struct Case {
    std::string_view name;
    std::string text;
    void (*change)(ObjectEditor&);
    std::string_view expected;
  };
  const Case cases[] = {
      {"replace", R"({ "a" : 1 , "b" : 2 })", [](ObjectEditor& e) { e.set("a", "[]"); },
       R"({ "a" : [] , "b" : 2 })"},
      {"replace, escaped name", R"({"\u0061":1})", [](ObjectEditor& e) { e.set("a", "2"); },
       R"({"\u0061":2})"},
      {"append", R"({"a":1 })", [](ObjectEditor& e) { e.set("b", "2"); }, R"({"a":1,"b":2 })"},
      {"append, name to escape", R"({"a":1})", [](ObjectEditor& e) { e.set("\"\n", "2"); },
       R"({"a":1,"\"\n":2})"},
      {"into nothing", R"({ })", [](ObjectEditor& e) { e.set("a", "1").set("b", "2"); },
       R"({"a":1,"b":2 })"},
      {"remove the first", R"({ "a":1, "b":2})", [](ObjectEditor& e) { e.remove("a"); },
       R"({ "b":2})"},
      {"remove the last", R"({"a":1 , "b":2 })", [](ObjectEditor& e) { e.remove("b"); },
       R"({"a":1 })"},
      {"remove from the middle", R"({"a":1 , "b":2 , "c":3})",
       [](ObjectEditor& e) { e.remove("b"); }, R"({"a":1 , "c":3})"},
      {"remove the only", R"({ "a":1 })", [](ObjectEditor& e) { e.remove("a"); }, R"({  })"},
      {"remove all", R"({"a":1,"b":2,"c":3})",
       [](ObjectEditor& e) { e.remove("b").remove("c").remove("a"); }, "{}"},
      {"remove neighbors", R"({"a":1,"b":2,"c":3,"d":4})",
       [](ObjectEditor& e) { e.remove("b").remove("c"); }, R"({"a":1,"d":4})"},
      {"remove the first two", R"({"a":1,"b":2,"c":3})",
       [](ObjectEditor& e) { e.remove("a").remove("b"); }, R"({"c":3})"},
      {"remove the last, append", R"({"a":1,"b":2})",
       [](ObjectEditor& e) { e.remove("b").set("c", "3"); }, R"({"a":1,"c":3})"},
      {"remove all, append", R"({"a":1,"b":2})",
       [](ObjectEditor& e) { e.remove("a").remove("b").set("c", "3").set("d", "4"); },
       R"({"c":3,"d":4})"},
      {"remove what is not there", R"({"a":1})", [](ObjectEditor& e) { e.remove("b"); },
       R"({"a":1})"},
      {"the last change counts", R"({"a":1,"b":2})",
       [](ObjectEditor& e) { e.set("a", "9").remove("a").remove("b").set("b", "8"); },
       R"({"b":8})"},
      {"set then removed, new", R"({"a":1})", [](ObjectEditor& e) { e.set("b", "2").remove("b"); },
       R"({"a":1})"},
  };
  for (const Case& c : cases) EXPECT_EQ(edited(c.text, c.change), c.expected) << c.name;
}

TEST(JsonSplice, EditsObjectsInsideObjects) {
  const std::string text = R"([ {"o":{"x":1,"y":2},"p":3} ])";
  Document document;
  ASSERT_TRUE(document.parse(text));
  const Value outer = *document.root().elements().begin();
  std::vector<Edit> edits;
  ObjectEditor(outer).set("q", "4").remove("p").append_to(edits);
  ObjectEditor(outer["o"]).remove("x").set("z", "5").append_to(edits);
  EXPECT_EQ(splice(text, std::move(edits)), R"([ {"o":{"y":2,"z":5},"q":4} ])");
}

TEST(JsonSplice, OneChangeAsOneEdit) {
  const std::string text = R"({"a":1,"b":2})";
  Document document;
  ASSERT_TRUE(document.parse(text));
  EXPECT_EQ(splice(text, {set_member(document.root(), "a", "9")}), R"({"a":9,"b":2})");
  EXPECT_EQ(splice(text, {set_member(document.root(), "c", "9")}), R"({"a":1,"b":2,"c":9})");
  EXPECT_EQ(splice(text, {*remove_member(document.root(), "a")}), R"({"b":2})");
  EXPECT_EQ(remove_member(document.root(), "c"), std::nullopt);
}

}  // namespace
}  // namespace weir::json
