#include "base/json/document.h"

#include <algorithm>
#include <array>

#include "base/json/number.h"
#include "base/json/parser.h"
#include "base/json/unescape.h"

namespace weir::json {

namespace {

// The index of a document that is gone, for the next one of this thread: most documents live as
// long as one call of a model, and growing an index anew costs as much as filling it.
constexpr uint32_t kSpareNodesMax = 8192;
constexpr size_t kBytesPerNode = 12;  // of usual texts, for a first guess

}  // namespace

// A request's index and its answer's live at the same time, and a part of one beside them.
struct Document::Spares {
  static constexpr size_t kMost = 4;
  std::array<Room, kMost> rooms;
  size_t count = 0;
};

Document::Spares& Document::spares() {
  thread_local Spares spares;
  return spares;
}

void Document::Room::grow(uint32_t kept, uint32_t at_least) {
  const auto size = static_cast<uint32_t>(
      std::min<uint64_t>(std::max<uint64_t>(uint64_t{capacity} * 2, at_least), UINT32_MAX));
  auto larger = std::make_unique_for_overwrite<Node[]>(size);
  std::copy_n(nodes.get(), kept, larger.get());
  nodes = std::move(larger);
  capacity = size;
}

Document::~Document() {
  if (room_.capacity == 0 || room_.capacity > kSpareNodesMax) return;
  Spares& kept = spares();
  if (kept.count < Spares::kMost) kept.rooms[kept.count++] = std::move(room_);
}

Document::Document(Document&& other) noexcept
    : text_(other.text_),
      room_{std::move(other.room_.nodes), std::exchange(other.room_.capacity, 0)},
      count_(std::exchange(other.count_, 0)) {}

Document& Document::operator=(Document&& other) noexcept {
  text_ = other.text_;
  room_ = {std::move(other.room_.nodes), std::exchange(other.room_.capacity, 0)};
  count_ = std::exchange(other.count_, 0);
  return *this;
}

Result<void> Document::parse(std::string_view text, const Limits& limits) {
  text_ = text;
  count_ = 0;
  if (room_.capacity == 0) {
    if (Spares& kept = spares(); kept.count > 0) room_ = std::move(kept.rooms[--kept.count]);
    const size_t guess = std::min<size_t>(text.size() / kBytesPerNode + 16, kSpareNodesMax);
    if (room_.capacity < guess) room_.grow(0, static_cast<uint32_t>(guess));
  }
  return Parser(*this, limits).run();
}

Value Document::root() const {
  return count_ == 0 ? Value() : Value(this, 0);
}

size_t Value::offset() const {
  return exists() ? document_->room_.nodes[node_].begin : 0;
}

uint32_t Value::size() const {
  return is_object() || is_array() ? document_->room_.nodes[node_].count : 0;
}

Value Value::find(std::string_view name) const {
  const Document::Node* const nodes = document_->room_.nodes.get();
  const char* const text = document_->text_.data() + 1;  // behind a key's quote
  uint32_t key = node_ + 1;
  for (uint32_t left = nodes[node_].count; left > 0; --left) {
    const Document::Node& node = nodes[key];
    const bool found = node.count != 0
                           ? Value(document_, key).equals(name)
                           : std::string_view(text + node.begin, node.end - node.begin - 2) == name;
    if (found) return Value(document_, key + 1);
    key = nodes[key + 1].next;
  }
  return {};
}

std::optional<bool> Value::as_bool() const {
  if (!is_bool()) return std::nullopt;
  return raw().front() == 't';
}

std::optional<int64_t> Value::as_int64() const {
  if (!is_number()) return std::nullopt;
  return read_int64(raw());
}

std::optional<double> Value::as_double() const {
  if (!is_number()) return std::nullopt;
  return read_double(raw());
}

std::optional<std::string> Value::as_string() const {
  if (!is_string()) return std::nullopt;
  const std::string_view quoted = raw();
  const std::string_view inner = quoted.substr(1, quoted.size() - 2);
  if (document_->room_.nodes[node_].count == 0) return std::string(inner);
  std::string text;
  text.reserve(inner.size());
  append_unescaped(text, inner);
  return text;
}

std::optional<std::string_view> Value::as_plain_string() const {
  if (!is_string() || document_->room_.nodes[node_].count != 0) return std::nullopt;
  const std::string_view quoted = raw();
  return quoted.substr(1, quoted.size() - 2);
}

std::string Value::string_or(std::string_view fallback) const {
  std::optional<std::string> text = as_string();
  return text ? *std::move(text) : std::string(fallback);
}

bool Value::equals(std::string_view text) const {
  if (!is_string()) return false;
  if (const auto plain = as_plain_string()) return *plain == text;
  return raw().size() >= text.size() && as_string() == text;
}

Value::Members Value::members() const {
  Members members;
  if (is_object()) {
    members.document_ = document_;
    members.node_ = node_;
  }
  return members;
}

Value::Elements Value::elements() const {
  Elements elements;
  if (is_array()) {
    elements.document_ = document_;
    elements.node_ = node_;
  }
  return elements;
}

Value::Elements::Iterator Value::Elements::begin() const {
  Iterator iterator;
  if (document_ == nullptr) return iterator;
  iterator.document_ = document_;
  iterator.node_ = node_ + 1;
  iterator.left_ = document_->room_.nodes[node_].count;
  return iterator;
}

Value::Elements::Iterator Value::Elements::end() const {
  return {};
}

Value Value::Elements::Iterator::operator*() const {
  return Value(document_, node_);
}

Value::Elements::Iterator& Value::Elements::Iterator::operator++() {
  node_ = document_->room_.nodes[node_].next;
  --left_;
  return *this;
}

Value::Members::Iterator Value::Members::begin() const {
  Iterator iterator;
  if (document_ == nullptr) return iterator;
  iterator.document_ = document_;
  iterator.node_ = node_ + 1;
  iterator.left_ = document_->room_.nodes[node_].count;
  return iterator;
}

Value::Members::Iterator Value::Members::end() const {
  return {};
}

Member Value::Members::Iterator::operator*() const {
  return {key().string_or({}), value()};
}

Value Value::Members::Iterator::key() const {
  return Value(document_, node_);
}

Value Value::Members::Iterator::value() const {
  return Value(document_, node_ + 1);
}

Value::Members::Iterator& Value::Members::Iterator::operator++() {
  node_ = document_->room_.nodes[node_ + 1].next;
  --left_;
  return *this;
}

}  // namespace weir::json
