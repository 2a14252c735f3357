#include "dialect/unmark.h"

#include <string>

#include "base/json/writer.h"
#include "dialect/signature.h"

namespace weir::dialect {
namespace {

// Stands in a citation that another maker made: see anthropic_messages::kForeignCitation.
constexpr std::string_view kForeignCitation = "weir1.";

bool is_call_id(std::string_view key) {
  return key == "id" || key == "tool_use_id" || key == "tool_call_id" || key == "call_id";
}

bool is_base64_signature(std::string_view key) {
  return key == "thoughtSignature" || key == "thought_signature";
}

bool is_signature(std::string_view key) {
  return key == "signature" || key == "data" || key == "encrypted_content" ||
         is_base64_signature(key);
}

// The nesting is that of a parsed document: at most json::Limits::depth_max.
class Cleaner {
 public:
  explicit Cleaner(Dialect own) : own_(own) {}

  // Writes the value without marks; false (and nothing of use written) where it has to go.
  bool write(std::string& out, json::Value value) {
    if (!may_hold_marks(value.raw())) {
      out.append(value.raw());
      return true;
    }
    if (value.is_object()) return write_object(out, value);
    if (value.is_array()) return write_array(out, value);
    out.append(value.raw());
    return true;
  }

 private:
  bool write_object(std::string& out, json::Value object) {
    std::string members;
    json::Writer w(members);
    w.begin_object();
    const bool thought = object["thought"].as_bool().value_or(false);
    for (const auto& [key, value] : object.members()) {
      if (key == "encrypted_index" && value.equals(kForeignCitation)) return false;
      if (value.is_string() && is_signature(key)) {
        const std::string text = value.string_or("");
        const Signed was = is_base64_signature(key) ? unmarked_base64(text) : unmarked(text);
        const bool foreign = was.origin != Dialect::passthrough && !can_read(own_, was.origin);
        // The signature of Gemini's text stands beside it; elsewhere the block is the signature's.
        if (foreign && is_base64_signature(key) && !thought) continue;
        if (foreign) return false;
        w.key(key);
        if (was.origin != Dialect::passthrough) {
          w.string(was.value);
        } else {
          w.raw(value.raw());
        }
      } else if (value.is_string() && is_call_id(key)) {
        w.member(key, read_call_id(value.string_or("")).id);
      } else {
        std::string text;
        if (write(text, value)) {
          w.member_raw(key, text);
        } else if (key == "content" || key == "parts") {
          return false;
        }
      }
    }
    w.end_object();
    out.append(members);
    return true;
  }

  bool write_array(std::string& out, json::Value array) {
    out.push_back('[');
    bool first = true;
    for (const json::Value element : array.elements()) {
      std::string text;
      if (!write(text, element)) continue;
      if (!first) out.push_back(',');
      first = false;
      out.append(text);
    }
    out.push_back(']');
    return !first;
  }

  const Dialect own_;
};

}  // namespace

void append_unmarking(Dialect own, json::Value root, std::vector<json::Edit>& edits) {
  for (const std::string_view name : {"messages", "contents", "input"}) {
    const json::Value list = root[name];
    if (!list.is_array() || !may_hold_marks(list.raw())) continue;
    std::string out;
    // Without a message that could be sent, the body stays as it is: the provider says why.
    if (Cleaner(own).write(out, list)) {
      edits.push_back({list.offset(), list.raw().size(), std::move(out)});
    }
  }
}

}  // namespace weir::dialect
