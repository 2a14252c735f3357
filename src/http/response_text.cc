#include "http/response_text.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "base/check.h"

namespace weir::http {

namespace {

// Room for the status line, the server's own fields and the empty line, whatever they say.
constexpr size_t kOwnBytes = 256;

// Writes into room that is known to be enough.
struct Pen {
  char* at;
  Pen& put(std::string_view text) {
    std::memcpy(at, text.data(), text.size());
    at += text.size();
    return *this;
  }
  Pen& put_number(uint64_t value) {
    at = std::to_chars(at, at + 20, value).ptr;
    return *this;
  }
};

}  // namespace

void append_field(std::string& out, const Header& field) {
  const size_t begin = out.size();
  out.resize(begin + field.name.size() + field.value.size() + 4);
  Pen{out.data() + begin}.put(field.name).put(": ").put(field.value).put("\r\n");
}

size_t append_response_head(std::string& out, const ResponseHead& head, const Framing& framing,
                            ConnectionWord connection, std::string_view date) {
  WEIR_ASSERT(head.status >= 100 && head.status <= 599);
  const bool own_reason = !head.reason.empty() && valid_value(head.reason);
  const std::string_view reason = own_reason ? head.reason : reason_phrase(head.status);
  // The room is taken once, for all that may come.
  size_t most = kOwnBytes + reason.size() + date.size();
  for (const Header& field : head.headers) most += field.name.size() + field.value.size() + 4;
  const size_t begin = out.size();
  out.resize(begin + most);
  Pen pen{out.data() + begin};
  size_t dropped = 0;
  pen.put("HTTP/1.1 ").put_number(static_cast<uint64_t>(head.status));
  pen.put(" ").put(reason).put("\r\n");
  for (const Header& field : head.headers) {
    const bool upgrade = connection == ConnectionWord::upgrade && iequals(field.name, "upgrade");
    if ((is_connection_field(field.name) && !upgrade) || iequals(field.name, "date")) continue;
    if (!field.checked && (!valid_name(field.name) || !valid_value(field.value))) {
      ++dropped;
      continue;
    }
    pen.put(field.name).put(": ").put(field.value).put("\r\n");
  }
  pen.put("date: ").put(date).put("\r\n");
  if (framing.kind == BodyKind::length) {
    pen.put("content-length: ").put_number(framing.length).put("\r\n");
  } else if (framing.kind == BodyKind::chunked) {
    pen.put("transfer-encoding: chunked\r\n");
  }
  switch (connection) {
    case ConnectionWord::none:
      break;
    case ConnectionWord::close:
      pen.put("connection: close\r\n");
      break;
    case ConnectionWord::keep_alive:
      pen.put("connection: keep-alive\r\n");
      break;
    case ConnectionWord::upgrade:
      pen.put("connection: upgrade\r\n");
      break;
  }
  pen.put("\r\n");
  out.resize(static_cast<size_t>(pen.at - out.data()));
  return dropped;
}

}  // namespace weir::http
