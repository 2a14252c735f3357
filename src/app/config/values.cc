#include "app/config/values.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <optional>

#include "base/date.h"

namespace weir::app {
namespace {

constexpr int64_t kDurationMaxMs = 100LL * 366 * 86'400'000;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

tl::unexpected<Error> expected(std::string_view what) {
  return fail(ErrorCode::invalid_argument, fmt::format("expected {}", what));
}

// Takes a run of digits off the front; nullopt where there is none or it does not fit.
std::optional<int64_t> take_number(std::string_view& text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || text.empty() || !is_digit(text.front())) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return number;
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

struct Unit {
  std::string_view name;
  int64_t size;
};
// Longest first where one begins another.
constexpr std::array<Unit, 5> kTimeUnits{
    {{"ms", 1}, {"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}}};
constexpr std::array<Unit, 7> kSizeUnits{{{"KiB", 1LL << 10},
                                          {"MiB", 1LL << 20},
                                          {"GiB", 1LL << 30},
                                          {"KB", 1'000},
                                          {"MB", 1'000'000},
                                          {"GB", 1'000'000'000},
                                          {"B", 1}}};

template <size_t N>
std::optional<int64_t> take_unit(std::string_view& text, const std::array<Unit, N>& units) {
  for (const Unit& unit : units) {
    if (!text.starts_with(unit.name)) continue;
    text.remove_prefix(unit.name.size());
    return unit.size;
  }
  return std::nullopt;
}

// A number with up to six decimals, as millionths.
std::optional<int64_t> take_millionths(std::string_view& text) {
  std::optional<int64_t> whole = take_number(text);
  if (!whole || *whole > 1'000'000'000'000) return std::nullopt;
  int64_t millionths = *whole * 1'000'000;
  if (!take(text, '.')) return millionths;
  if (text.empty() || !is_digit(text.front())) return std::nullopt;
  for (int64_t place = 100'000; !text.empty() && is_digit(text.front()); place /= 10) {
    if (place == 0) return std::nullopt;
    millionths += (text.front() - '0') * place;
    text.remove_prefix(1);
  }
  return millionths;
}

bool is_host(std::string_view host) {
  if (host.empty() || host.size() > 253) return false;
  for (const char c : host) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!letter && !is_digit(c) && c != '.' && c != '-' && c != '_') return false;
  }
  return true;
}

bool is_ip6(std::string_view host) {
  if (host.size() < 2 || host.size() > 45) return false;
  for (const char c : host) {
    const bool hex = is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    if (!hex && c != ':' && c != '.') return false;
  }
  return host.find(':') != std::string_view::npos;
}

std::optional<uint16_t> parse_port(std::string_view text) {
  const std::optional<int64_t> port = take_number(text);
  if (!port || !text.empty() || *port > 65'535) return std::nullopt;
  return static_cast<uint16_t>(*port);
}

struct HostPort {
  std::string_view host;
  std::string_view port;
};

// Splits "host:port" and "[v6]:port"; nullopt for brackets that do not close. No colon: no port.
std::optional<HostPort> split_host_port(std::string_view text) {
  if (take(text, '[')) {
    const size_t close = text.find(']');
    if (close == std::string_view::npos || !is_ip6(text.substr(0, close))) return std::nullopt;
    std::string_view rest = text.substr(close + 1);
    if (!rest.empty() && !take(rest, ':')) return std::nullopt;
    return HostPort{text.substr(0, close), rest};
  }
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) return HostPort{text, {}};
  return HostPort{text.substr(0, colon), text.substr(colon + 1)};
}

}  // namespace

Result<Milliseconds> parse_duration(std::string_view text) {
  constexpr std::string_view kWhat = "a time with its unit, such as 500ms, 2s, 10m, 1h30m or 7d";
  if (text.empty()) return expected(kWhat);
  int64_t total = 0;
  const bool decimal = text.find('.') != std::string_view::npos;
  while (!text.empty()) {
    const std::optional<int64_t> millionths = take_millionths(text);
    const std::optional<int64_t> unit = take_unit(text, kTimeUnits);
    if (!millionths || !unit) return expected(kWhat);
    if (decimal && !text.empty()) return expected(kWhat);
    const __int128 scaled = static_cast<__int128>(*millionths) * *unit;
    if (scaled % 1'000'000 != 0) return expected("a time of whole milliseconds");
    if (scaled / 1'000'000 > kDurationMaxMs - total) return expected("a time below 100 years");
    total += static_cast<int64_t>(scaled / 1'000'000);
  }
  return Milliseconds(total);
}

std::string format_duration(Milliseconds duration) {
  const int64_t ms = duration.count();
  if (ms == 0) return "0s";
  for (const std::string_view name : {"d", "h", "m", "s"}) {
    std::string_view unit_text = name;
    const int64_t unit = *take_unit(unit_text, kTimeUnits);
    if (ms % unit == 0) return fmt::format("{}{}", ms / unit, name);
  }
  return fmt::format("{}ms", ms);
}

Result<uint64_t> parse_size(std::string_view text) {
  constexpr std::string_view kWhat = "a size such as 64KiB, 100MiB or 1GB";
  const std::optional<int64_t> number = take_number(text);
  if (!number) return expected(kWhat);
  if (text.starts_with(' ')) text.remove_prefix(1);
  int64_t unit = 1;
  if (!text.empty()) {
    const std::optional<int64_t> named = take_unit(text, kSizeUnits);
    if (!named || !text.empty()) return expected(kWhat);
    unit = *named;
  }
  int64_t bytes = 0;
  if (__builtin_mul_overflow(*number, unit, &bytes)) return expected("a size below 8 EiB");
  return static_cast<uint64_t>(bytes);
}

std::string format_size(uint64_t bytes) {
  for (const auto& [name, size] : {std::pair<std::string_view, uint64_t>{"GiB", 1ULL << 30},
                                   {"MiB", 1ULL << 20},
                                   {"KiB", 1ULL << 10}}) {
    if (bytes >= size && bytes % size == 0) return fmt::format("{}{}", bytes / size, name);
  }
  return fmt::format("{}B", bytes);
}

Result<Percent> parse_percent(std::string_view text) {
  constexpr std::string_view kWhat = "a share such as 10% or 0.1, at most 100%";
  const std::optional<int64_t> millionths = take_millionths(text);
  if (!millionths) return expected(kWhat);
  const bool percent = take(text, '%');
  if (!text.empty()) return expected(kWhat);
  // A hundredth of a percent is 100 millionths of one, or 10,000 millionths of a percent.
  const int64_t step = percent ? 10'000 : 100;
  if (*millionths % step != 0) return expected("a share of at most two decimals of a percent");
  if (*millionths / step > 10'000) return expected(kWhat);
  return Percent{static_cast<uint32_t>(*millionths / step)};
}

std::string format_percent(Percent percent) {
  const uint32_t whole = percent.basis_points / 100;
  const uint32_t rest = percent.basis_points % 100;
  if (rest == 0) return fmt::format("{}%", whole);
  return rest % 10 == 0 ? fmt::format("{}.{}%", whole, rest / 10)
                        : fmt::format("{}.{:02}%", whole, rest);
}

Result<Moment> parse_moment(std::string_view text) {
  constexpr std::string_view kWhat =
      "a date such as 2026-05-01 or a time such as "
      "2026-05-01T12:00:00Z";
  const std::optional<int64_t> ms =
      parse_rfc3339(text.size() == 10 ? fmt::format("{}T00:00:00Z", text) : std::string(text));
  if (!ms || *ms < 0) return expected(kWhat);
  return Moment{*ms};
}

std::string format_moment(Moment moment) {
  std::string text = rfc3339(moment.wall_ms);
  if (text.ends_with("T00:00:00.000Z")) return text.substr(0, 10);
  if (text.ends_with(".000Z")) text.replace(text.size() - 5, 5, "Z");
  return text;
}

Result<ListenAddress> parse_listen(std::string_view text) {
  constexpr std::string_view kWhat =
      "an address and port such as 127.0.0.1:8080, [::1]:8080 or :8080 for every interface";
  const std::optional<HostPort> parts = split_host_port(text);
  if (!parts) return expected(kWhat);
  const std::optional<uint16_t> port = parse_port(parts->port);
  if (!port) return expected(kWhat);
  std::string_view host = parts->host;
  if (host == "*") host = {};
  if (!host.empty() && !is_host(host) && !is_ip6(host)) return expected(kWhat);
  return ListenAddress{std::string(host), *port};
}

Result<int64_t> parse_integer(std::string_view text) {
  std::string digits;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool between =
        i > 0 && i + 1 < text.size() && is_digit(text[i - 1]) && is_digit(text[i + 1]);
    if (text[i] == '_' && between) continue;
    digits.push_back(text[i]);
  }
  int64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size()) {
    return expected("a whole number");
  }
  return number;
}

Result<bool> parse_boolean(std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  return expected("true or false");
}

Result<Money> parse_dollars(std::string_view text) {
  Result<Money> money = Money::parse_usd(text);
  if (money) return money;
  return expected("an amount of dollars such as 0.15 with at most nine decimals");
}

Result<std::string> parse_url(std::string_view text) {
  constexpr std::string_view kWhat = "an address such as https://api.example.com/v1";
  std::string_view rest = text;
  if (rest.starts_with("https://")) {
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else {
    return expected(fmt::format("{}, beginning with https:// or http://", kWhat));
  }
  const size_t slash = rest.find('/');
  const std::string_view authority = rest.substr(0, slash);
  if (authority.find('@') != std::string_view::npos) {
    return expected("an address without a user or password in it");
  }
  const std::optional<HostPort> parts = split_host_port(authority);
  if (!parts || (!is_host(parts->host) && !is_ip6(parts->host))) return expected(kWhat);
  if (authority.ends_with(':')) return expected(kWhat);
  if (!parts->port.empty() && !parse_port(parts->port)) return expected("a port up to 65535");
  if (slash != std::string_view::npos) {
    for (const char c : rest.substr(slash)) {
      if (c == '?' || c == '#') return expected("an address without a query or fragment");
      if (c <= ' ' || c >= 0x7f || c == '"' || c == '\\') return expected(kWhat);
    }
  }
  while (text.ends_with('/')) text.remove_suffix(1);
  return std::string(text);
}

}  // namespace weir::app
