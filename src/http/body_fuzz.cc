// Body framing: the same bytes read at once and in parts must give the same payload, the same end
// and the same verdict.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "http/body.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using weir::http::BodyDecoder;
  using weir::http::BodyKind;
  using State = BodyDecoder::State;
  if (size < 2) return 0;
  const bool extensions = (data[0] & 1) != 0;
  const auto kind = (data[0] & 6) == 0 ? BodyKind::length : BodyKind::chunked;
  const size_t part = 1 + data[1] % 16;
  const std::string_view bytes(reinterpret_cast<const char*>(data + 2), size - 2);

  BodyDecoder whole({kind, data[0]}, extensions);
  std::string copy(bytes);
  const BodyDecoder::Step at_once = whole.decode(copy);
  WEIR_ASSERT(at_once.consumed <= bytes.size());
  WEIR_ASSERT(at_once.payload.size() <= at_once.consumed);
  if (at_once.state == State::more) WEIR_ASSERT(at_once.consumed == bytes.size());

  BodyDecoder parts({kind, data[0]}, extensions);
  std::string payload;
  size_t at = 0;
  State state = parts.done() ? State::done : State::more;
  while (state == State::more && at < bytes.size()) {
    std::string piece(bytes.substr(at, part));
    const BodyDecoder::Step step = parts.decode(piece);
    payload += step.payload;
    at += step.consumed;
    state = step.state;
  }
  WEIR_ASSERT(payload == at_once.payload);
  WEIR_ASSERT(bytes.empty() || state == at_once.state);
  WEIR_ASSERT(at == at_once.consumed);
  WEIR_ASSERT(parts.done() == whole.done());
  WEIR_ASSERT(parts.decoded() == payload.size());
  return 0;
}
