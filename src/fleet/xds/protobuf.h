// Protocol Buffers' wire format (protobuf.dev/programming-guides/encoding), as far as proto3 needs
// it: a reader that walks the fields of one message, and a writer that appends them. No schema and
// no recursion: a nested message is read by another reader over its bytes, so depth is what the
// code that reads asks for. Values only; any thread.
//
// Limits: what is read lives as long as the bytes it was read from; counts are the reader's
// caller's to limit. Strict: groups, field number 0, numbers of more than ten bytes or 64 bits, and
// fields cut short are errors.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::fleet::xds {

enum class WireType : uint8_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

struct Field {
  uint32_t number = 0;
  WireType type = WireType::varint;
  uint64_t value = 0;      // of a number
  std::string_view bytes;  // of bytes, text and messages

  bool is_bytes(uint32_t its_number) const {
    return number == its_number && type == WireType::bytes;
  }
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : left_(bytes) {}

  // The next field; nothing at the end, or where the bytes are not a message.
  std::optional<Field> next();
  bool failed() const { return failed_; }

 private:
  bool number(uint64_t& out);
  bool fixed(size_t size, uint64_t& out);

  std::string_view left_;
  bool failed_ = false;
};

class Writer {
 public:
  // Appends to `out`, which outlives the writer.
  explicit Writer(std::string& out) : out_(out) {}

  // Numbers, booleans and enums that are 0 are left out, as proto3 does.
  void number(uint32_t field, uint64_t value);
  void fixed64(uint32_t field, uint64_t value);
  // Empty text is left out.
  void text(uint32_t field, std::string_view value);
  // Present even when empty.
  void bytes(uint32_t field, std::string_view value);
  // A nested message, written by what `body` does with this writer.
  template <class Body>
  void message(uint32_t field, Body&& body) {
    key(field, WireType::bytes);
    const size_t at = out_.size();
    body();
    close(at);
  }
  // google.protobuf.UInt32Value and its like: a message whose field 1 is the number.
  void wrapped(uint32_t field, uint64_t value) {
    message(field, [&] { number(1, value); });
  }

 private:
  void key(uint32_t field, WireType type);
  void varint(uint64_t value);
  void close(size_t at);

  std::string& out_;
};

}  // namespace weir::fleet::xds
