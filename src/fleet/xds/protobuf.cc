#include "fleet/xds/protobuf.h"

namespace weir::fleet::xds {

namespace {

constexpr uint64_t kFieldMax = (uint64_t{1} << 29) - 1;

size_t put_varint(char* into, uint64_t value) {
  size_t size = 0;
  for (; value >= 0x80; value >>= 7) into[size++] = static_cast<char>(value | 0x80);
  into[size++] = static_cast<char>(value);
  return size;
}

}  // namespace

bool Reader::number(uint64_t& out) {
  out = 0;
  for (unsigned shift = 0; shift < 70 && !left_.empty(); shift += 7) {
    const auto byte = static_cast<uint8_t>(left_.front());
    left_.remove_prefix(1);
    if (shift == 63 && byte > 1) return false;
    out |= uint64_t{byte & 0x7fU} << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

bool Reader::fixed(size_t size, uint64_t& out) {
  if (left_.size() < size) return false;
  out = 0;
  for (size_t i = 0; i < size; ++i) {
    out |= uint64_t{static_cast<uint8_t>(left_[i])} << (8 * i);
  }
  left_.remove_prefix(size);
  return true;
}

std::optional<Field> Reader::next() {
  if (left_.empty() || failed_) return std::nullopt;
  failed_ = true;  // until the field is whole
  uint64_t key = 0;
  if (!number(key) || key >> 3 == 0 || key >> 3 > kFieldMax) return std::nullopt;
  Field field;
  field.number = static_cast<uint32_t>(key >> 3);
  field.type = static_cast<WireType>(key & 7);
  switch (field.type) {
    case WireType::varint:
      if (!number(field.value)) return std::nullopt;
      break;
    case WireType::fixed64:
      if (!fixed(8, field.value)) return std::nullopt;
      break;
    case WireType::fixed32:
      if (!fixed(4, field.value)) return std::nullopt;
      break;
    case WireType::bytes: {
      uint64_t size = 0;
      if (!number(size) || size > left_.size()) return std::nullopt;
      field.bytes = left_.substr(0, size);
      left_.remove_prefix(size);
      break;
    }
    default:
      return std::nullopt;
  }
  failed_ = false;
  return field;
}

void Writer::varint(uint64_t value) {
  char room[10];
  out_.append(room, put_varint(room, value));
}

void Writer::key(uint32_t field, WireType type) {
  varint(uint64_t{field} << 3 | static_cast<uint64_t>(type));
}

void Writer::number(uint32_t field, uint64_t value) {
  if (value == 0) return;
  key(field, WireType::varint);
  varint(value);
}

void Writer::fixed64(uint32_t field, uint64_t value) {
  key(field, WireType::fixed64);
  for (int i = 0; i < 8; ++i) out_.push_back(static_cast<char>(value >> (8 * i)));
}

void Writer::text(uint32_t field, std::string_view value) {
  if (!value.empty()) bytes(field, value);
}

void Writer::bytes(uint32_t field, std::string_view value) {
  key(field, WireType::bytes);
  varint(value.size());
  out_.append(value);
}

// The length goes before what it measures.
void Writer::close(size_t at) {
  char room[10];
  const size_t size = put_varint(room, out_.size() - at);
  out_.insert(at, room, size);
}

}  // namespace weir::fleet::xds
