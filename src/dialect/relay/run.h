// Test support: runs bytes, cut into pieces, through a relay meter.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "dialect/relay/meter.h"

namespace weir::dialect::relay {

// What a meter let through and learned.
struct Outcome {
  std::string out;
  Usage usage;
  bool has_content = false;
  bool complete = false;
  bool complete_before_end = false;
  bool error = false;
  StopReason stop = StopReason::unset;
  int64_t generated_bytes = 0;
  bool operator==(const Outcome&) const = default;
};

inline Outcome run(Dialect dialect, const std::vector<std::string_view>& pieces,
                   const RelayMeterOptions& options = {}) {
  const auto meter = make_relay_meter(dialect, options);
  Outcome outcome;
  std::vector<std::string_view> views;
  for (const std::string_view piece : pieces) {
    // A copy per call, so that a view kept too long is a use after free under the sanitizer.
    const std::string owned(piece);
    views.clear();
    EXPECT_TRUE(meter->feed(owned, views));
    for (const std::string_view view : views) outcome.out.append(view);
  }
  outcome.complete_before_end = meter->complete();
  views.clear();
  meter->finish(views);
  for (const std::string_view view : views) outcome.out.append(view);
  outcome.usage = meter->usage();
  outcome.has_content = meter->has_content();
  outcome.complete = meter->complete();
  outcome.error = meter->error().has_value();
  outcome.stop = meter->stop();
  outcome.generated_bytes = meter->generated_bytes();
  return outcome;
}

inline Outcome run_whole(Dialect dialect, std::string_view bytes,
                         const RelayMeterOptions& options = {}) {
  return run(dialect, {bytes}, options);
}

inline std::vector<std::string_view> cut(std::string_view bytes, size_t size) {
  std::vector<std::string_view> pieces;
  for (size_t at = 0; at < bytes.size(); at += size) pieces.push_back(bytes.substr(at, size));
  return pieces;
}

inline std::string join(const std::vector<std::string>& events) {
  std::string bytes;
  for (const std::string& event : events) bytes += event;
  return bytes;
}

}  // namespace weir::dialect::relay
