#include "fleet/batch.h"

#include <fmt/format.h>

#include <cstring>

namespace weir::fleet {
namespace {

using schedule::Sample;
using schedule::View;

constexpr std::string_view kMagic = "WFB1";
constexpr uint32_t kOffsetMost = 127;

// The fields in the order of their bits, the usual ones first: below seven the mask is one byte.
enum Field : uint8_t {
  kRequests,
  kLnLatency,
  kErrors,
  kInflight,
  kUtilization,
  kThrottled,
  kUnreachable,
  kCallerFaults,
  kStreams,
  kLnTtft,
  kLnItl,
  kTokens,
  kBudget,
  kBudgetResetMs,
  kSources,
  kFields
};

uint32_t most_of(uint8_t field) {
  switch (field) {
    case kInflight:
    case kBudget:
      return 0xffff;
    case kUtilization:
    case kSources:
      return 0xff;
    default:
      return 0xffff'ffff;
  }
}

void set(Sample& s, uint8_t field, uint32_t value) {
  switch (field) {
    case kRequests:
      s.requests = value;
      break;
    case kLnLatency:
      s.ln_latency = value;
      break;
    case kErrors:
      s.errors = value;
      break;
    case kInflight:
      s.inflight = static_cast<uint16_t>(value);
      break;
    case kUtilization:
      s.utilization = static_cast<uint8_t>(value);
      break;
    case kThrottled:
      s.throttled = value;
      break;
    case kUnreachable:
      s.unreachable = value;
      break;
    case kCallerFaults:
      s.caller_faults = value;
      break;
    case kStreams:
      s.streams = value;
      break;
    case kLnTtft:
      s.ln_ttft = value;
      break;
    case kLnItl:
      s.ln_itl = value;
      break;
    case kTokens:
      s.tokens = value;
      break;
    case kBudget:
      s.budget = static_cast<uint16_t>(value);
      break;
    case kBudgetResetMs:
      s.budget_reset_ms = value;
      break;
    default:
      s.sources = static_cast<uint8_t>(value);
  }
}

uint32_t get(const Sample& s, uint8_t field) {
  switch (field) {
    case kRequests:
      return s.requests;
    case kLnLatency:
      return s.ln_latency;
    case kErrors:
      return s.errors;
    case kInflight:
      return s.inflight;
    case kUtilization:
      return s.utilization;
    case kThrottled:
      return s.throttled;
    case kUnreachable:
      return s.unreachable;
    case kCallerFaults:
      return s.caller_faults;
    case kStreams:
      return s.streams;
    case kLnTtft:
      return s.ln_ttft;
    case kLnItl:
      return s.ln_itl;
    case kTokens:
      return s.tokens;
    case kBudget:
      return s.budget;
    case kBudgetResetMs:
      return s.budget_reset_ms;
    default:
      return s.sources;
  }
}

template <class T>
T load(const uint8_t* at) {
  T value = 0;
  for (size_t i = 0; i < sizeof(T); ++i) value |= static_cast<T>(at[i]) << (8 * i);
  return value;
}

template <class T>
void store(std::string& out, T value) {
  for (size_t i = 0; i < sizeof(T); ++i) out += static_cast<char>(value >> (8 * i));
}

void put_varint(std::string& out, uint32_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

}  // namespace

Result<BatchReader> BatchReader::open(std::string_view bytes) {
  if (bytes.size() < kBatchHeaderBytes || !bytes.starts_with(kMagic)) {
    return fail(ErrorCode::invalid_argument,
                "expected a batch of samples: 24 bytes of header that begin with WFB1");
  }
  BatchReader reader;
  const auto* at = reinterpret_cast<const uint8_t*>(bytes.data());
  reader.header_ = {.reporter = load<uint32_t>(at + 4),
                    .numbers_id = load<uint64_t>(at + 8),
                    .base_second = load<uint32_t>(at + 16),
                    .count = load<uint32_t>(at + 20)};
  if (reader.header_.count > kBatchSamplesMost) {
    return fail(ErrorCode::limit_exceeded,
                fmt::format("expected at most {} samples in a batch, got {}", kBatchSamplesMost,
                            reader.header_.count));
  }
  reader.at_ = at + kBatchHeaderBytes;
  reader.end_ = at + bytes.size();
  return reader;
}

bool BatchReader::byte(uint8_t& out) {
  if (at_ == end_) return false;
  out = *at_++;
  return true;
}

bool BatchReader::varint(uint32_t& out) {
  uint8_t next = 0;
  out = 0;
  for (unsigned shift = 0; shift < 35; shift += 7) {
    if (!byte(next)) return false;
    if (shift == 28 && next > 0x0f) return false;
    out |= static_cast<uint32_t>(next & 0x7f) << shift;
    if (next < 0x80) return true;
  }
  return false;
}

bool BatchReader::next(Sample& out) {
  if (broken_) return false;
  if (read_ == header_.count) {
    broken_ = at_ != end_;
    return false;
  }
  out = Sample{};
  uint8_t when = 0;
  uint32_t mask = 0;
  broken_ = true;
  if (!varint(out.endpoint) || !byte(out.marks) || !byte(when) || !varint(mask)) return false;
  if (mask >> kFields != 0) return false;
  out.second = header_.base_second + (when & 0x7f);
  out.view = (when & 0x80) != 0 ? View::server : View::client;
  out.reporter = header_.reporter;
  for (uint8_t field = 0; mask != 0; ++field, mask >>= 1) {
    if ((mask & 1) == 0) continue;
    uint32_t value = 0;
    if (!varint(value) || value > most_of(field)) return false;
    set(out, field, value);
  }
  broken_ = false;
  ++read_;
  return true;
}

BatchWriter::BatchWriter(std::string& out, uint32_t reporter, uint64_t numbers_id,
                         uint32_t base_second)
    : out_(out), begin_(out.size()), base_second_(base_second) {
  out_ += kMagic;
  store(out_, reporter);
  store(out_, numbers_id);
  store(out_, base_second);
  store(out_, uint32_t{0});
}

bool BatchWriter::add(const Sample& sample) {
  const uint32_t offset = sample.second - base_second_;
  if (offset > kOffsetMost || count_ == kBatchSamplesMost) return false;
  put_varint(out_, sample.endpoint);
  out_ += static_cast<char>(sample.marks);
  out_ += static_cast<char>(offset | (sample.view == View::server ? 0x80U : 0U));
  const Sample defaults;
  uint32_t mask = 0;
  for (uint8_t field = 0; field < kFields; ++field)
    if (get(sample, field) != get(defaults, field)) mask |= 1U << field;
  put_varint(out_, mask);
  for (uint8_t field = 0; field < kFields; ++field)
    if ((mask & 1U << field) != 0) put_varint(out_, get(sample, field));
  ++count_;
  return true;
}

void BatchWriter::finish() {
  std::string count;
  store(count, count_);
  out_.replace(begin_ + 20, count.size(), count);
}

}  // namespace weir::fleet
