#include "observe/exposition.h"

#include <fmt/format.h>

#include <iterator>

namespace weir::observe {
namespace {

void append_escaped(std::string& out, std::string_view value) {
  for (const char c : value) {
    switch (c) {
      case '\\':
        out += "\\\\";
        break;
      case '"':
        out += "\\\"";
        break;
      case '\n':
        out += "\\n";
        break;
      default:
        out += c;
    }
  }
}

}  // namespace

void Exposition::family(std::string_view name, std::string_view type, std::string_view help) {
  fmt::format_to(std::back_inserter(text_), "# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
}

void Exposition::begin(std::string_view name, std::string_view suffix, Labels labels,
                       std::string_view le) {
  text_ += name;
  text_ += suffix;
  char separator = '{';
  const auto add = [&](std::string_view key, std::string_view value) {
    text_ += separator;
    separator = ',';
    text_ += key;
    text_ += "=\"";
    append_escaped(text_, value);
    text_ += '"';
  };
  for (const auto& [key, value] : labels) add(key, value);
  if (!le.empty()) add("le", le);
  if (separator == ',') text_ += '}';
  text_ += ' ';
}

void Exposition::sample(std::string_view name, Labels labels, uint64_t value) {
  begin(name, "", labels, "");
  fmt::format_to(std::back_inserter(text_), "{}\n", value);
}

void Exposition::sample(std::string_view name, Labels labels, double value) {
  begin(name, "", labels, "");
  fmt::format_to(std::back_inserter(text_), "{}\n", value);
}

void Exposition::histogram(std::string_view name, Labels labels, const Histogram& histogram) {
  uint64_t total = 0;
  for (const uint64_t count : histogram.counts()) total += count;
  if (total == 0) return;
  uint64_t below = 0;
  for (size_t i = 0; i < Histogram::kBuckets; ++i) {
    below += histogram.counts()[i];
    const std::string bound =
        i < Histogram::kBounds.size() ? fmt::format("{}", Histogram::kBounds[i]) : "+Inf";
    begin(name, "_bucket", labels, bound);
    fmt::format_to(std::back_inserter(text_), "{}\n", below);
  }
  begin(name, "_sum", labels, "");
  fmt::format_to(std::back_inserter(text_), "{}\n", histogram.sum_seconds());
  begin(name, "_count", labels, "");
  fmt::format_to(std::back_inserter(text_), "{}\n", total);
}

}  // namespace weir::observe
