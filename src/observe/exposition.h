// Prometheus text exposition (format version 0.0.4): appends families and samples to a string.
// Label values are escaped. Plain value; one thread.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "observe/histogram.h"

namespace weir::observe {

using Label = std::pair<std::string_view, std::string_view>;
using Labels = std::initializer_list<Label>;

class Exposition {
 public:
  // A family's head; its samples follow. `type` is "counter", "gauge" or "histogram".
  void family(std::string_view name, std::string_view type, std::string_view help);
  void sample(std::string_view name, Labels labels, uint64_t value);
  void sample(std::string_view name, Labels labels, double value);
  // _bucket, _sum and _count of a family of type histogram; nothing when it is empty.
  void histogram(std::string_view name, Labels labels, const Histogram& histogram);

  const std::string& text() const { return text_; }
  std::string take() { return std::move(text_); }

 private:
  void begin(std::string_view name, std::string_view suffix, Labels labels, std::string_view le);
  std::string text_;
};

}  // namespace weir::observe
