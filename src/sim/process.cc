#include "sim/process.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <sstream>

namespace weir::sim {

uint64_t raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  // A privileged process may go beyond the hard limit; the kernel's own stays.
  constexpr rlim_t kMost = rlim_t{1} << 20;
  if (limit.rlim_max < kMost) {
    const rlimit more{kMost, kMost};
    if (::setrlimit(RLIMIT_NOFILE, &more) == 0) return kMost;
  }
  limit.rlim_cur = limit.rlim_max;
  static_cast<void>(::setrlimit(RLIMIT_NOFILE, &limit));
  static_cast<void>(::getrlimit(RLIMIT_NOFILE, &limit));
  return limit.rlim_cur;
}

Result<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  if (!file || !(text << file.rdbuf())) {
    return fail(ErrorCode::io_error, fmt::format("{}: {}", path, std::strerror(errno)));
  }
  return std::move(text).str();
}

Result<void> write_file(const std::string& path, std::string_view text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  if (!file || !(file << text) || !file.flush()) {
    return fail(ErrorCode::io_error, fmt::format("{}: {}", path, std::strerror(errno)));
  }
  return {};
}

std::optional<double> parse_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value >= 0)) {
    return std::nullopt;
  }
  return value;
}

Result<Nanoseconds> parse_duration(std::string_view text) {
  struct Unit {
    std::string_view name;
    double nanoseconds;
  };
  constexpr std::array kUnits = {Unit{"us", 1e3}, Unit{"ms", 1e6}, Unit{"s", 1e9}, Unit{"m", 60e9},
                                 Unit{"h", 3600e9}};
  constexpr double kMost = 9e18;
  std::string_view number = text;
  double scale = 1e9;
  for (const Unit& unit : kUnits) {
    if (!text.ends_with(unit.name)) continue;
    number = text.substr(0, text.size() - unit.name.size());
    scale = unit.nanoseconds;
    break;
  }
  const auto value = parse_number(number);
  if (!value || *value * scale > kMost) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("'{}' is no duration; expected one like 250ms, 20s or 1.5m", text));
  }
  return Nanoseconds(static_cast<int64_t>(*value * scale));
}

Result<double> parse_share(std::string_view text) {
  const bool percent = text.ends_with('%');
  const auto value = parse_number(percent ? text.substr(0, text.size() - 1) : text);
  const double share = value.value_or(-1) / (percent ? 100 : 1);
  if (share < 0 || share > 1) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("'{}' is no share; expected one like 5% or 0.05", text));
  }
  return share;
}

}  // namespace weir::sim
