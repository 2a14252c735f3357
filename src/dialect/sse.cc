#include "dialect/sse.h"

#include <cstring>

namespace weir::dialect {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

size_t find_byte(std::string_view text, char byte, size_t from, size_t to) {
  const void* at = from < to ? std::memchr(text.data() + from, byte, to - from) : nullptr;
  return at == nullptr ? to : static_cast<size_t>(static_cast<const char*>(at) - text.data());
}

// The first CR or LF at or behind `from`, or the size: two memchr passes beat a search for both.
size_t find_line_end(std::string_view text, size_t from) {
  const size_t lf = find_byte(text, '\n', from, text.size());
  return find_byte(text, '\r', from, lf);
}

struct Field {
  std::string_view name;
  std::string_view value;
};

Field split_field(std::string_view line) {
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return {line, {}};
  std::string_view value = line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  return {line.substr(0, colon), value};
}

}  // namespace

Result<void> SseReader::feed(std::string_view bytes, const Sink& sink) {
  size_t rest = 0;
  if (pending_.empty()) {
    // The usual case: whole events in one read, no copy.
    rest = scan(bytes, sink);
    pending_.assign(bytes.substr(rest));
  } else {
    pending_.append(bytes);
    rest = scan(pending_, sink);
    pending_.erase(0, rest);
  }
  line_start_ -= rest;
  scanned_ -= rest;
  if (pending_.size() > kEventBytesMax) {
    return fail(ErrorCode::limit_exceeded, "one server-sent event is larger than 16 MiB");
  }
  return {};
}

// Delivers each block of `buffer` that is complete and returns where the incomplete one begins.
size_t SseReader::scan(std::string_view buffer, const Sink& sink) {
  size_t block_start = 0;
  for (;;) {
    const size_t end = find_line_end(buffer, scanned_);
    scanned_ = end;
    if (end == buffer.size()) return block_start;
    const bool blank = end == line_start_;
    size_t next = end + 1;
    bool bare_cr = false;
    // CR CR ends an event at once, so that a stream with CR line ends is never one event late; a
    // LF behind it would be an empty block of its own. Everywhere else CR waits for its LF.
    if (buffer[end] == '\r' && !(blank && after_cr_)) {
      if (next == buffer.size()) return block_start;
      bare_cr = buffer[next] != '\n';
      if (!bare_cr) ++next;
    }
    line_start_ = scanned_ = next;
    after_cr_ = bare_cr;
    if (!blank) continue;
    after_cr_ = false;
    deliver(buffer.substr(block_start, next - block_start), sink);
    block_start = next;
  }
}

void SseReader::deliver(std::string_view block, const Sink& sink) {
  SseEvent event{.event = {}, .data = {}, .raw = block, .has_data = false};
  std::string_view text = block;
  if (first_ && text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  first_ = false;
  bool several = false;
  for (size_t at = 0; at < text.size();) {
    const size_t end = find_line_end(text, at);
    const Field field = split_field(text.substr(at, end - at));
    at = end + 1;
    if (at < text.size() && text[end] == '\r' && text[at] == '\n') ++at;
    if (field.name == "event") event.event = field.value;
    if (field.name != "data") continue;
    if (!event.has_data) {
      event.data = field.value;
      event.has_data = true;
      continue;
    }
    if (!several) joined_.assign(event.data);
    several = true;
    joined_.push_back('\n');
    joined_.append(field.value);
  }
  if (several) event.data = joined_;
  if (event.has_data || blocks_ == Blocks::all) sink(event);
}

Result<void> SseReader::finish(const Sink& sink) {
  if (!pending_.empty()) deliver(pending_, sink);
  pending_.clear();
  line_start_ = scanned_ = 0;
  after_cr_ = false;
  return {};
}

bool SseReader::in_event() const {
  std::string_view text = pending_;
  if (first_ && text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  for (size_t at = 0; at < text.size();) {
    const size_t end = find_line_end(text, at);
    if (end > at && text[at] != ':') return true;
    at = end + 1;
  }
  return false;
}

void append_sse(std::string& out, std::string_view event, std::string_view data) {
  if (!event.empty()) out.append("event: ").append(event).push_back('\n');
  out.append("data: ");
  const size_t begin = out.size();
  out.append(data);
  join_lines(out, begin);
  out.append("\n\n");
}

void join_lines(std::string& out, size_t from) {
  for (size_t at = find_line_end(out, from); at < out.size(); ++at)
    if (out[at] == '\r' || out[at] == '\n') out[at] = ' ';
}

}  // namespace weir::dialect
