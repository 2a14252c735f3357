#include "http/response_text.h"

#include <algorithm>
#include <charconv>

#include "base/check.h"

namespace weir::http {

namespace {

void append_number(std::string& out, uint64_t value) {
  char text[20];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  out.append(text, static_cast<size_t>(end - text));
}

// One growth and two copies a field.
void append_field(std::string& out, const Header& field) {
  const size_t at = out.size();
  out.resize(at + field.name.size() + field.value.size() + 4);
  char* to = out.data() + at;
  to = std::copy(field.name.begin(), field.name.end(), to);
  *to++ = ':';
  *to++ = ' ';
  to = std::copy(field.value.begin(), field.value.end(), to);
  *to++ = '\r';
  *to = '\n';
}

}  // namespace

size_t append_response_head(std::string& out, const ResponseHead& head, const Framing& framing,
                            ConnectionWord connection, std::string_view date) {
  WEIR_ASSERT(head.status >= 100 && head.status <= 599);
  size_t dropped = 0;
  out.append("HTTP/1.1 ");
  append_number(out, static_cast<uint64_t>(head.status));
  const bool own_reason = !head.reason.empty() && valid_value(head.reason);
  out.append(" ").append(own_reason ? head.reason : reason_phrase(head.status)).append("\r\n");
  for (const Header& field : head.headers) {
    const bool upgrade = connection == ConnectionWord::upgrade && iequals(field.name, "upgrade");
    if ((is_connection_field(field.name) && !upgrade) || iequals(field.name, "date")) continue;
    if (!valid_name(field.name) || !valid_value(field.value)) {
      ++dropped;
      continue;
    }
    append_field(out, field);
  }
  out.append("date: ").append(date).append("\r\n");
  if (framing.kind == BodyKind::length) {
    out.append("content-length: ");
    append_number(out, framing.length);
    out.append("\r\n");
  } else if (framing.kind == BodyKind::chunked) {
    out.append("transfer-encoding: chunked\r\n");
  }
  switch (connection) {
    case ConnectionWord::none:
      break;
    case ConnectionWord::close:
      out.append("connection: close\r\n");
      break;
    case ConnectionWord::keep_alive:
      out.append("connection: keep-alive\r\n");
      break;
    case ConnectionWord::upgrade:
      out.append("connection: upgrade\r\n");
      break;
  }
  out.append("\r\n");
  return dropped;
}

}  // namespace weir::http
