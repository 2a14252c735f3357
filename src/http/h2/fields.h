// Header blocks of HTTP/2 and the heads of head.h, both ways. A block that came in is judged by
// HTTP/1.1's own parser: it is put into the text of an HTTP/1.1 head first, so that what one
// version refuses the other does as well, and nothing that comes in by one can mean something else
// when it is relayed by the other. Values only.
//
// Limits: HeadLimits, as for HTTP/1.1. A block that goes on to four times its limit is hostile.
#pragma once

#include <nghttp2/nghttp2.h>

#include <string>
#include <string_view>
#include <vector>

#include "http/head.h"

namespace weir::http::h2 {

// Collects one header block, field by field.
class HeaderBlock {
 public:
  explicit HeaderBlock(const HeadLimits& limits) : limits_(limits) {}

  // False when so much has come that the sender can only mean harm.
  bool add(std::string_view name, std::string_view value);
  // A field that nghttp2 found not to be one.
  void add_invalid(HeadFault fault);
  void clear();

  // The head, its views into `text`. Never ParseState::more.
  HeadOutcome request(std::string& text, RequestHead& out) const;
  HeadOutcome response(std::string_view method, std::string& text, ResponseHead& out) const;
  // The status of a response's block, 0 when there is none.
  int status() const;

 private:
  HeadOutcome verdict() const;

  HeadLimits limits_;
  std::string method_, path_, scheme_, authority_, status_;
  std::string host_;
  bool has_host_ = false;
  std::string fields_;  // "name: value\r\n" each
  size_t count_ = 0;
  size_t bytes_ = 0;
  HeadFault fault_ = HeadFault::none;
};

// A header block on its way out.
class FieldList {
 public:
  void clear();
  // The name is put into lower case.
  void add(std::string_view name, std::string_view value);
  // Views into this list, valid until it changes.
  std::span<const nghttp2_nv> view();
  bool empty() const { return fields_.empty(); }

 private:
  struct Field {
    size_t name_at, name_size, value_size;
  };
  std::string text_;
  std::vector<Field> fields_;
  std::vector<nghttp2_nv> nv_;
};

// The block of a response: fields as append_response_head() would send them. Returns how many were
// dropped as not fit for the wire.
size_t response_fields(const ResponseHead& head, const Framing& framing, std::string_view date,
                       FieldList& out);
// The block of a request whose head is RequestBuilder's text.
void request_fields(std::string_view head, std::string_view scheme, FieldList& out);

}  // namespace weir::http::h2
