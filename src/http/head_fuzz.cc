// Request and response heads: the parser against the reference reader, and against itself when the
// same bytes come in two parts.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "http/head.h"
#include "http/head_reference.h"

namespace weir::http {
namespace {

constexpr HeadLimits kLimits{.head_bytes = 2048, .headers = 16, .target_bytes = 256};

bool inside(std::string_view view, std::string_view bytes) {
  return view.empty() || view == "/" ||
         (view.data() >= bytes.data() && view.data() + view.size() <= bytes.data() + bytes.size());
}

void check_request(std::string_view bytes, size_t cut) {
  RequestHead head;
  const HeadOutcome whole = parse_request_head(bytes, kLimits, head);
  const auto expected = reference::read_request(bytes, kLimits);
  WEIR_ASSERT((whole.state == ParseState::complete) == expected.has_value());
  if (expected) {
    WEIR_ASSERT(whole.consumed == expected->consumed);
    WEIR_ASSERT(head.method == expected->method && head.target == expected->target);
    WEIR_ASSERT(head.keep_alive == expected->keep_alive);
    WEIR_ASSERT((head.framing.kind == BodyKind::chunked) == expected->chunked);
    WEIR_ASSERT(head.framing.length == expected->length);
    WEIR_ASSERT(head.headers.size() == expected->fields.size());
    for (size_t i = 0; i < head.headers.size(); ++i) {
      WEIR_ASSERT(head.headers[i].name == expected->fields[i].first);
      WEIR_ASSERT(head.headers[i].value == expected->fields[i].second);
    }
    WEIR_ASSERT(inside(head.path, bytes) && inside(head.query, bytes) && inside(head.host, bytes));
  }
  RequestHead part;
  const HeadOutcome first = parse_request_head(bytes.substr(0, cut), kLimits, part);
  // What a part decides, the whole does not take back. Which fault is named may differ where the
  // part ends in a line that is already too long: read whole, that line may break another rule.
  if (first.state == ParseState::error) {
    WEIR_ASSERT(whole.state == ParseState::error);
    WEIR_ASSERT(whole.status == first.status || first.status == 431);
  }
  if (first.state == ParseState::complete) {
    WEIR_ASSERT(whole.state == ParseState::complete && whole.consumed == first.consumed);
  }
}

void check_response(std::string_view bytes, size_t cut) {
  ResponseHead head;
  const HeadOutcome whole = parse_response_head(bytes, kLimits, "POST", head);
  if (whole.state == ParseState::complete) {
    WEIR_ASSERT(head.status >= 100 && head.status <= 599);
    WEIR_ASSERT(inside(head.reason, bytes));
    // A head that is accepted can be relayed: nothing in it ends a line.
    for (const Header& field : head.headers) {
      WEIR_ASSERT(valid_name(field.name) && valid_value(field.value));
    }
  }
  ResponseHead part;
  const HeadOutcome first = parse_response_head(bytes.substr(0, cut), kLimits, "POST", part);
  if (first.state != ParseState::more) WEIR_ASSERT(whole.state == first.state);
}

}  // namespace
}  // namespace weir::http

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const bool request = (data[0] & 1) != 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data + 2), size - 2);
  const size_t cut = bytes.size() * data[1] / 255;
  if (request) {
    weir::http::check_request(bytes, cut);
  } else {
    weir::http::check_response(bytes, cut);
  }
  return 0;
}
