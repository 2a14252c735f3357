// What only its maker can read (signatures of thinking and of tool calls, redacted thinking,
// encrypted reasoning) on its way through clients of other dialects. A client gives it back with
// the next turn in the field where it found it; a mark there says who made it, so that it goes back
// to that dialect unmodified and to nobody else. No state is kept in Weir.
//
// Three forms, by what a field can hold:
//   text    "weir1.<maker>.<kind>.<id>.<value>" in a text field (Anthropic's signature and data,
//           OpenAI's encrypted_content, OpenRouter's reasoning_details);
//   base64  the same text as base64, for Gemini's thoughtSignature, which is bytes;
//   call    "<call id>__weir1<maker><form><checksum>_<value>" for tool calls of dialects that have
//           no field for it: letters, digits, '_' and '-' only. Whoever cut the id short (the
//           checksum tells) loses the signature, not the id.
// A maker writes its own dialect's fields raw. Pure; any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "dialect/conversation.h"

namespace weir::dialect {

// Longer values are not carried: a client sends them again with every turn.
inline constexpr size_t kSignatureBytesMax = 1024 * 1024;
inline constexpr size_t kCallSignatureBytesMax = 32 * 1024;  // twice in the history: call, result

struct Signed {
  Dialect origin = Dialect::passthrough;  // passthrough: the field had no mark
  // thinking: a signature; redacted_thinking: opaque data; text: signature of a text in front
  PartKind kind = PartKind::thinking;
  std::string id = {};  // of Responses' reasoning item
  std::string value = {};
};

// "" for a value that is empty, too long or of an unknown maker.
std::string marked(const Signed& what);
std::string marked_base64(const Signed& what);
// A field without a mark comes back as value with origin passthrough.
Signed unmarked(std::string_view field);
Signed unmarked_base64(std::string_view field);  // either alphabet, with or without padding

// The same for a whole part (thinking, redacted_thinking, text): what a writer of the dialect
// `client` puts into the field, raw where the maker speaks it too ...
std::string signature_field(const Part& part, Dialect client);
std::string signature_field_base64(const Part& part, Dialect client);
// ... and how a reader of it takes it back: kind, id, signature or data, and origin, which is
// `client` where there is no mark.
void read_signature_field(Part& part, std::string_view field, Dialect client);
void read_signature_field_base64(Part& part, std::string_view field, Dialect client);

// Whether a provider of `target` can read what `origin` made. Claude's signatures hold wherever
// Claude runs.
bool can_read(Dialect target, Dialect origin);

// Ids of tool calls. call_id_with() gives the id alone where the signature cannot be carried.
std::string call_id_with(std::string_view id, Dialect origin, std::string_view signature);
struct CallId {
  std::string id = {};
  Dialect origin = Dialect::passthrough;
  std::string signature = {};
};
CallId read_call_id(std::string_view id);

// Whether a request body may hold a mark: a search for bytes, no parsing.
bool may_hold_marks(std::string_view body);

// plain_id() of at most `length_max` (>= 32) characters; a longer one ends in a hash of the whole.
// The same id gives the same, so calls and results still meet.
std::string short_id(std::string_view id, size_t length_max);

}  // namespace weir::dialect
