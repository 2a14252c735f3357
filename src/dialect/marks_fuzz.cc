// Any bytes as signatures, ids and bodies with marks: what was marked comes back as it was, what
// was not is left alone, and a body without its marks is JSON still, has none any more, and changes
// no further.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "dialect/signature.h"
#include "dialect/unmark.h"

namespace weir::dialect {
namespace {

constexpr Dialect kMakers[] = {Dialect::openai_chat, Dialect::openai_responses,
                               Dialect::anthropic_messages, Dialect::gemini,
                               Dialect::bedrock_converse};

void check_value(std::string_view bytes) {
  for (const Dialect maker : kMakers) {
    for (const PartKind kind : {PartKind::thinking, PartKind::redacted_thinking, PartKind::text}) {
      const Signed what{maker, kind, "", std::string(bytes)};
      const Signed text = unmarked(marked(what));
      const Signed base64 = unmarked_base64(marked_base64(what));
      const bool carried = !bytes.empty() && bytes.size() <= kSignatureBytesMax;
      WEIR_ASSERT(text.origin == (carried ? maker : Dialect::passthrough));
      WEIR_ASSERT(!carried || (text.value == bytes && base64.value == bytes));
    }
    const CallId call = read_call_id(call_id_with("call_1", maker, bytes));
    WEIR_ASSERT(call.id == "call_1");
    if (!bytes.empty() && bytes.size() <= kCallSignatureBytesMax) {
      WEIR_ASSERT(call.signature == bytes && call.origin == maker);
    }
  }
  // As a field that a client sends.
  (void)unmarked(bytes);
  (void)unmarked_base64(bytes);
  const CallId id = read_call_id(bytes);
  WEIR_ASSERT(id.id.size() <= bytes.size());
  WEIR_ASSERT(short_id(bytes, 40).size() <= 40);
}

void check_body(std::string_view bytes) {
  json::Document document;
  if (!document.parse(bytes)) return;
  for (const Dialect own : kMakers) {
    std::vector<json::Edit> edits;
    append_unmarking(own, document.root(), edits);
    const std::string once = json::splice(bytes, std::move(edits));
    json::Document cleaned;
    WEIR_ASSERT(cleaned.parse(once));
    std::vector<json::Edit> more;
    append_unmarking(own, cleaned.root(), more);
    // An id may have carried a mark within a mark; each time there is less of it.
    WEIR_ASSERT(json::splice(once, std::move(more)).size() <= once.size());
  }
}

}  // namespace
}  // namespace weir::dialect

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  weir::dialect::check_value(bytes);
  weir::dialect::check_body(bytes);
  return 0;
}
