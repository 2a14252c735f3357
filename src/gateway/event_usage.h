// EventUsage: what a stream of events that Weir only passes on tells of its usage: speech,
// transcripts and images, whose last events have a `usage`. Reads along, line by line; one that
// cannot be read is passed over. One answer. Limits: kLineBytesMax of one line (an image in base64
// is one), longer ones are passed over.
#pragma once

#include <string>
#include <string_view>

#include "base/json/document.h"
#include "dialect/usage.h"

namespace weir::gateway {

class EventUsage {
 public:
  static constexpr size_t kLineBytesMax = 16 << 20;

  // Tells `usage`, which outlives this.
  explicit EventUsage(dialect::Usage& usage) : usage_(usage) {}
  void feed(std::string_view bytes);

 private:
  void take(std::string_view line);

  dialect::Usage& usage_;
  std::string line_;
  bool skipping_ = false;
  json::Document document_;
};

}  // namespace weir::gateway
