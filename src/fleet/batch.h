// Batch: samples as compact bytes, some ten a sample. Little-endian; docs/fleet.md describes it for
// people who write a reporter.
//
//   header  "WFB1", u32 reporter, u64 numbers id, u32 base second, u32 count of samples
//   sample  varint endpoint number, u8 its tag, u8 (bit 7: the endpoint's own view; bits 0-6:
//           seconds after the base second), varint mask of the fields that follow, each a varint in
//           the order of kFields; a field that is left out has its default
//
// varint is LEB128 of at most 32 bits. Numbers come from the handshake (POST /v1/fleet/resolve).
// Reading is strict: a batch that does not end exactly behind its last sample, or has a field that
// does not fit, is broken at that sample; those before it are whole. Pure; any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "schedule/sample.h"

namespace weir::fleet {

inline constexpr std::string_view kBatchType = "application/vnd.weir.samples";
inline constexpr size_t kBatchHeaderBytes = 24;
inline constexpr uint32_t kBatchSamplesMost = 1'000'000;

struct BatchHeader {
  uint32_t reporter = 0;
  uint64_t numbers_id = 0;
  uint32_t base_second = 0;
  uint32_t count = 0;
};

class BatchReader {
 public:
  // invalid_argument: no batch, or of another version.
  static Result<BatchReader> open(std::string_view bytes);

  const BatchHeader& header() const { return header_; }
  // The next sample, its tag in `marks`, its reporter that of the header. False at the end, and
  // where the rest cannot be read: see broken().
  bool next(schedule::Sample& out);
  bool broken() const { return broken_; }
  uint32_t read() const { return read_; }

 private:
  bool byte(uint8_t& out);
  bool varint(uint32_t& out);

  BatchHeader header_;
  const uint8_t* at_ = nullptr;
  const uint8_t* end_ = nullptr;
  uint32_t read_ = 0;
  bool broken_ = false;
};

class BatchWriter {
 public:
  // Appends to `out`, which stays the caller's.
  BatchWriter(std::string& out, uint32_t reporter, uint64_t numbers_id, uint32_t base_second);
  // False where its second is not within 127 of the base: it was not added.
  bool add(const schedule::Sample& sample);
  // Writes the count into the header.
  void finish();

 private:
  std::string& out_;
  size_t begin_;
  uint32_t base_second_;
  uint32_t count_ = 0;
};

}  // namespace weir::fleet
