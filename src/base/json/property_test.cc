// What holds for every document: random ones are written, read, written again, spaced out, damaged
// and edited. The seed is in the trace of a failure.
#include <gtest/gtest.h>

#include "base/json/document.h"
#include "base/json/random_document.h"
#include "base/json/splice.h"

namespace weir::json {
namespace {

std::string again(Value value) {
  std::string out;
  Writer w(out);
  write_again(w, value);
  return out;
}

TEST(JsonProperty, ReadAndWrittenAgainIsEqual) {
  Document document;
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    SCOPED_TRACE(seed);
    RandomDocument maker(seed);
    std::string text;
    Writer w(text);
    maker.write_value(w, 5);
    const auto parsed = document.parse(text);
    ASSERT_TRUE(parsed) << parsed.error().message() << '\n' << text;
    ASSERT_EQ(document.root().raw(), text);
    ASSERT_EQ(again(document.root()), text);
    const std::string spaced = spaced_out(text, maker.random());
    ASSERT_TRUE(document.parse(spaced)) << spaced;
    ASSERT_EQ(again(document.root()), text);
  }
}

TEST(JsonProperty, CutOrDamagedNeverCrashesAndNeverLeavesARoot) {
  Document document;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    RandomDocument maker(seed);
    std::string text;
    Writer w(text);
    maker.write_object(w, 3);
    // Every place in short documents, some in long ones.
    const auto stride = static_cast<uint32_t>(text.size() / 200 + 1);
    for (size_t length = 0; length < text.size(); length += 1 + maker.random().below(stride)) {
      const std::string cut = text.substr(0, length);
      ASSERT_FALSE(document.parse(cut)) << cut;
      ASSERT_FALSE(document.root().exists());
    }
    for (int round = 0; round < 50; ++round) {
      std::string damaged = text;
      const auto place = maker.random().below(static_cast<uint32_t>(text.size()));
      damaged[place] = static_cast<char>(maker.random().below(256));
      // Accepted or not, what is accepted is JSON: it reads the same when written again.
      if (!document.parse(damaged)) continue;
      const std::string rewritten = again(document.root());
      ASSERT_TRUE(document.parse(rewritten)) << rewritten;
      ASSERT_EQ(again(document.root()), rewritten);
    }
  }
}

// An object as an ordered list of members: what ObjectEditor's edits have to amount to.
class Model {
 public:
  explicit Model(Value object) {
    for (const auto& [key, value] : object.members()) members_.emplace_back(key, again(value));
  }
  void set(const std::string& name, const std::string& json) {
    for (auto& [key, value] : members_) {
      if (key == name) {
        value = json;
        return;
      }
    }
    members_.emplace_back(name, json);
  }
  void remove(const std::string& name) {
    std::erase_if(members_, [&](const auto& member) { return member.first == name; });
  }
  std::string text() const {
    std::string out;
    Writer w(out);
    w.begin_object();
    for (const auto& [key, value] : members_) w.key(key).raw(value);
    w.end_object();
    return out;
  }

 private:
  std::vector<std::pair<std::string, std::string>> members_;
};

TEST(JsonProperty, EditingAnObjectIsWhatTheModelSays) {
  Document document;
  for (uint64_t seed = 0; seed < 3000; ++seed) {
    SCOPED_TRACE(seed);
    RandomDocument maker(seed);
    Random& random = maker.random();
    std::string compact;
    Writer w(compact);
    maker.write_object(w, 2);
    const std::string text = "  " + spaced_out(compact, random) + "\n";
    ASSERT_TRUE(document.parse(text));
    const Value root = document.root();
    std::vector<std::string> names;
    for (const Member& member : root.members()) names.push_back(member.key);
    names.insert(names.end(), {"new", "newer", "newest"});

    // Each name once, in any order: what comes of several changes to one name has its own test.
    ObjectEditor editor(root);
    Model model(root);
    for (size_t i = names.size(); i > 1; --i) {
      std::swap(names[i - 1], names[random.below(static_cast<uint32_t>(i))]);
    }
    for (const std::string& name : names) {
      switch (random.below(4)) {
        case 0:
          editor.set(name, "[\"set\"]");
          model.set(name, "[\"set\"]");
          break;
        case 1:
        case 2:
          editor.remove(name);
          model.remove(name);
          break;
        default:
          break;
      }
    }
    std::vector<Edit> edits;
    editor.append_to(edits);
    const bool changed = !edits.empty();
    const std::string edited = splice(text, std::move(edits));
    ASSERT_EQ(changed, edited != text);
    const auto parsed = document.parse(edited);
    ASSERT_TRUE(parsed) << parsed.error().message() << '\n' << edited;
    ASSERT_EQ(again(document.root()), model.text()) << edited;
  }
}

TEST(JsonProperty, SplicingIsWhatReplacingOneByOneSays) {
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    std::string text(random.below(40), ' ');
    for (char& c : text) c = static_cast<char>('a' + random.below(26));
    // Places without overlap, by walking forward; kept by place for the model.
    std::vector<Edit> edits;
    size_t at = 0;
    while (true) {
      at += random.below(6);
      const size_t length = random.below(4);
      if (at + length > text.size()) break;
      edits.push_back(
          {at, length, std::string(random.below(5), static_cast<char>('A' + edits.size() % 26))});
      at += length + 1;  // two insertions never meet here
    }
    std::string expected = text;
    for (auto edit = edits.rbegin(); edit != edits.rend(); ++edit) {
      expected.replace(edit->offset, edit->length, edit->replacement);
    }
    for (size_t i = edits.size(); i > 1; --i) {
      std::swap(edits[i - 1], edits[random.below(static_cast<uint32_t>(i))]);
    }
    ASSERT_EQ(splice(text, std::move(edits)), expected);
  }
}

}  // namespace
}  // namespace weir::json
