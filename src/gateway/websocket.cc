#include "gateway/websocket.h"

#include <algorithm>

namespace weir::gateway {
namespace {

constexpr uint8_t kContinuation = 0x0;
constexpr uint8_t kText = 0x1;
constexpr uint8_t kBinary = 0x2;
constexpr uint8_t kControl = 0x8;  // and above

uint8_t byte(std::string_view text, size_t at) {
  return static_cast<uint8_t>(text[at]);
}

// Of the whole head, as far as its beginning tells.
size_t head_size(std::string_view head) {
  if (head.size() < 2) return 2;
  const uint8_t length = byte(head, 1) & 0x7f;
  return length == 126 ? 4 : length == 127 ? 10 : 2;
}

}  // namespace

void MessageReader::feed(std::string_view bytes) {
  while (!broken_ && !bytes.empty()) {
    if (!in_payload_ && !read_head(bytes)) return;
    const size_t size = static_cast<size_t>(std::min<uint64_t>(left_, bytes.size()));
    take_payload(bytes.substr(0, size));
    bytes.remove_prefix(size);
    left_ -= size;
    if (left_ == 0) end_frame();
  }
}

// False where the head is not whole yet, or is none.
bool MessageReader::read_head(std::string_view& bytes) {
  size_t need = head_size(head_);
  while (head_.size() < need) {
    if (bytes.empty()) return false;
    head_ += bytes.front();
    bytes.remove_prefix(1);
    need = head_size(head_);
  }
  const uint8_t first = byte(head_, 0);
  const uint8_t opcode = first & 0x0f;
  // Servers do not mask (RFC 6455 §5.1), and a reserved bit means an extension.
  if ((first & 0x70) != 0 || (byte(head_, 1) & 0x80) != 0) {
    broken_ = true;
    return false;
  }
  left_ = byte(head_, 1) & 0x7f;
  if (need > 2) {
    left_ = 0;
    for (size_t i = 2; i < need; ++i) left_ = left_ << 8 | byte(head_, i);
  }
  head_.clear();
  final_ = (first & 0x80) != 0;
  control_ = opcode >= kControl;
  const bool begins = opcode == kText || opcode == kBinary;
  if ((!control_ && !begins && opcode != kContinuation) || left_ > INT64_MAX ||
      (control_ && (left_ > 125 || !final_))) {
    broken_ = true;
    return false;
  }
  if (begins) {
    text_ = opcode == kText;
    decided_ = kept_ = false;
    message_.clear();
  }
  in_payload_ = true;
  return true;
}

void MessageReader::take_payload(std::string_view bytes) {
  if (control_ || !text_) return;
  if (!decided_) {
    const size_t more = std::min(kBeginningBytes - message_.size(), bytes.size());
    message_ += bytes.substr(0, more);
    bytes.remove_prefix(more);
    if (message_.size() < kBeginningBytes) return;
    decided_ = true;
    kept_ = wanted_(message_);
    if (!kept_) message_.clear();
  }
  if (!kept_) return;
  if (message_.size() + bytes.size() > kMessageBytesMax) {
    ++too_long_;
    kept_ = false;
    message_.clear();
    return;
  }
  message_ += bytes;
}

void MessageReader::end_frame() {
  in_payload_ = false;
  if (control_ || !final_) return;
  if (text_ && (decided_ ? kept_ : wanted_(message_))) on_message_(message_);
  text_ = false;
  message_.clear();
}

}  // namespace weir::gateway
