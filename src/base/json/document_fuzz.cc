// Any bytes: what is accepted can be walked and asked for everything, reads the same after it has
// been written again, and can be edited; what is refused says so in valid UTF-8.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "base/json/document.h"
#include "base/json/random_document.h"
#include "base/json/splice.h"
#include "base/utf8.h"

namespace weir::json {
namespace {

void ask_everything(Value value) {
  WEIR_ASSERT(value.exists());
  const auto text = value.as_string();
  WEIR_ASSERT(text.has_value() == value.is_string());
  if (text) {
    WEIR_ASSERT(is_utf8(*text) && value.equals(*text));
    if (const auto plain = value.as_plain_string()) WEIR_ASSERT(*plain == *text);
  }
  WEIR_ASSERT(value.as_bool().has_value() == value.is_bool());
  const auto whole = value.as_int64();
  const auto real = value.as_double();
  // A whole number that fits is also its double, however it was written.
  if (whole) WEIR_ASSERT(real && static_cast<double>(*whole) == *real);
  uint32_t count = 0;
  for (const auto& [key, member] : value.members()) {
    WEIR_ASSERT(value[key].exists());
    ask_everything(member);
    ++count;
  }
  for (const Value element : value.elements()) {
    ask_everything(element);
    ++count;
  }
  WEIR_ASSERT(count == value.size());
}

std::string again(Value value) {
  std::string out;
  Writer w(out);
  write_again(w, value);
  return out;
}

// The members at even places go, the others become null, and one is added.
void edit(std::string_view text, Value root) {
  ObjectEditor editor(root);
  uint32_t place = 0;
  for (const Member& member : root.members()) {
    if (place++ % 2 == 0)
      editor.remove(member.key);
    else
      editor.set(member.key, "null");
  }
  const bool there = root["added"].exists();
  editor.set("added", "{}");
  std::vector<Edit> edits;
  editor.append_to(edits);
  const std::string edited = splice(text, std::move(edits));
  Document document;
  WEIR_ASSERT(document.parse(edited));
  WEIR_ASSERT(document.root()["added"].is_object());
  if (!there) WEIR_ASSERT(document.root().size() == root.size() / 2 + 1);
}

void try_text(std::string_view text) {
  Document document;
  const auto parsed = document.parse(text, {.depth_max = 64, .nodes_max = 10'000});
  WEIR_ASSERT(parsed.has_value() == document.root().exists());
  if (!parsed) {
    WEIR_ASSERT(parsed.error().code() == ErrorCode::invalid_argument ||
                parsed.error().code() == ErrorCode::limit_exceeded);
    WEIR_ASSERT(is_utf8(parsed.error().message()));
    return;
  }
  ask_everything(document.root());
  const std::string written = again(document.root());
  Document second;
  WEIR_ASSERT(second.parse(written));
  WEIR_ASSERT(again(second.root()) == written);
  if (document.root().is_object()) edit(text, document.root());
}

}  // namespace
}  // namespace weir::json

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  weir::json::try_text({reinterpret_cast<const char*>(data), size});
  return 0;
}
