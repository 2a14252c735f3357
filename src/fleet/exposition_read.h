// Prometheus text exposition (format version 0.0.4), read: strictly, from untrusted bytes, a line
// at a time, without building a tree. Pure; any thread. Limits: kLabelsMost labels of a sample,
// kLineBytesMost of a line.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace weir::fleet {

struct ExposedSample {
  static constexpr size_t kLabelsMost = 64;

  std::string_view name;
  double value = 0;
  size_t labels = 0;
  std::array<std::pair<std::string_view, std::string_view>, kLabelsMost> label;  // escaped

  // The value of a label as it is written, escapes and all; nullopt where there is none.
  std::optional<std::string_view> find(std::string_view name) const;
};

class ExpositionReader {
 public:
  static constexpr size_t kLineBytesMost = 64 * 1024;

  explicit ExpositionReader(std::string_view text) : left_(text) {}
  // The next sample; its views live as long as the text. False at the end, and where a line is none
  // of the format: see broken().
  bool next(ExposedSample& out);
  bool broken() const { return broken_; }

 private:
  std::string_view left_;
  bool broken_ = false;
};

// One line that is no comment. False where it is no sample.
bool read_exposed_line(std::string_view line, ExposedSample& out);

}  // namespace weir::fleet
