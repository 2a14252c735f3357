#include "fleet/exposition_read.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

namespace weir::fleet {
namespace {

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

std::string_view skip_blanks(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  return text;
}

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

// A name off the front; `colons` where they may be in it. Empty: there is none.
std::string_view take_name(std::string_view& text, bool colons) {
  size_t size = 0;
  while (size < text.size()) {
    const char c = text[size];
    const bool digit = size > 0 && c >= '0' && c <= '9';
    if (!is_letter(c) && !digit && !(colons && c == ':')) break;
    ++size;
  }
  const std::string_view name = text.substr(0, size);
  text.remove_prefix(size);
  return name;
}

// The inside of a quoted value off the front; nullopt where it does not end or has a bad escape.
std::optional<std::string_view> take_quoted(std::string_view& text) {
  if (text.empty() || text.front() != '"') return std::nullopt;
  for (size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"') {
      const std::string_view value = text.substr(1, i - 1);
      text.remove_prefix(i + 1);
      return value;
    }
    if (text[i] != '\\') continue;
    ++i;
    if (i == text.size() || (text[i] != '\\' && text[i] != '"' && text[i] != 'n'))
      return std::nullopt;
  }
  return std::nullopt;
}

bool take_labels(std::string_view& text, ExposedSample& out) {
  text.remove_prefix(1);
  while (true) {
    text = skip_blanks(text);
    if (!text.empty() && text.front() == '}') break;
    const std::string_view name = take_name(text, false);
    text = skip_blanks(text);
    if (name.empty() || text.empty() || text.front() != '=') return false;
    text = skip_blanks(text.substr(1));
    const auto value = take_quoted(text);
    if (!value || out.labels == ExposedSample::kLabelsMost) return false;
    out.label[out.labels++] = {name, *value};
    text = skip_blanks(text);
    if (text.empty()) return false;
    if (text.front() == ',')
      text.remove_prefix(1);
    else if (text.front() != '}')
      return false;
  }
  text.remove_prefix(1);
  return true;
}

bool read_value(std::string_view text, double& out) {
  if (text == "+Inf" || text == "Inf") {
    out = std::numeric_limits<double>::infinity();
    return true;
  }
  if (text == "-Inf") {
    out = -std::numeric_limits<double>::infinity();
    return true;
  }
  if (text == "NaN") {
    out = std::numeric_limits<double>::quiet_NaN();
    return true;
  }
  if (text.starts_with('+')) text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size() && std::isfinite(out);
}

}  // namespace

std::optional<std::string_view> ExposedSample::find(std::string_view wanted) const {
  for (size_t i = 0; i < labels; ++i)
    if (label[i].first == wanted) return label[i].second;
  return std::nullopt;
}

bool read_exposed_line(std::string_view line, ExposedSample& out) {
  out.labels = 0;
  line = skip_blanks(line);
  out.name = take_name(line, true);
  if (out.name.empty()) return false;
  const bool blank = !line.empty() && is_blank(line.front());
  line = skip_blanks(line);
  if (!line.empty() && line.front() == '{') {
    if (!take_labels(line, out)) return false;
  } else if (!blank) {
    return false;
  }
  line = skip_blanks(line);
  const size_t end = std::min(line.find_first_of(" \t"), line.size());
  if (!read_value(line.substr(0, end), out.value)) return false;
  // A time may follow, in milliseconds.
  line = skip_blanks(line.substr(end));
  const size_t time_end = std::min(line.find_first_of(" \t"), line.size());
  const std::string_view time = line.substr(0, time_end);
  if (!skip_blanks(line.substr(time_end)).empty()) return false;
  double ignored = 0;
  return time.empty() || read_value(time, ignored);
}

bool ExpositionReader::next(ExposedSample& out) {
  while (!left_.empty() && !broken_) {
    const size_t end = std::min(left_.find('\n'), left_.size());
    std::string_view line = left_.substr(0, end);
    left_.remove_prefix(std::min(end + 1, left_.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    const std::string_view inside = skip_blanks(line);
    if (inside.empty() || inside.front() == '#') continue;
    if (line.size() <= kLineBytesMost && read_exposed_line(line, out)) return true;
    broken_ = true;
  }
  return false;
}

}  // namespace weir::fleet
