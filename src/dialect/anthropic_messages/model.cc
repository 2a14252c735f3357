#include <array>
#include <optional>

#include "dialect/anthropic_messages/anthropic_messages.h"

namespace weir::dialect::anthropic_messages {
namespace {

struct Version {
  std::string_view family;
  int number = 0;  // 4.5 = 405
};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// A number of one or two digits at the front of `text`; a date such as 20250929 is none.
std::optional<int> take_number(std::string_view& text) {
  size_t digits = 0;
  while (digits < text.size() && is_digit(text[digits])) ++digits;
  if (digits == 0 || digits > 2) return std::nullopt;
  int number = 0;
  for (size_t i = 0; i < digits; ++i) number = number * 10 + (text[i] - '0');
  text.remove_prefix(digits);
  return number;
}

int take_version(std::string_view& text) {
  const std::optional<int> major = take_number(text);
  if (!major) return 0;
  int version = *major * 100;
  if (text.starts_with('-') || text.starts_with('.')) {
    std::string_view rest = text.substr(1);
    if (const std::optional<int> minor = take_number(rest)) {
      version += *minor;
      text = rest;
    }
  }
  return version;
}

// "claude-opus-4-6", "claude-3-7-sonnet-20250219", "us.anthropic.claude-sonnet-4-5-...-v1:0",
// "claude-opus-4-1@20250805", "anthropic/claude-sonnet-5".
std::optional<Version> parse(std::string_view model) {
  constexpr std::string_view kClaude = "claude-";
  const size_t at = model.find(kClaude);
  if (at == std::string_view::npos) return std::nullopt;
  std::string_view text = model.substr(at + kClaude.size());
  Version version;
  version.number = take_version(text);
  if (version.number != 0 && text.starts_with('-')) text.remove_prefix(1);
  constexpr std::array<std::string_view, 5> kFamilies = {"opus", "sonnet", "haiku", "fable",
                                                         "mythos"};
  for (const std::string_view family : kFamilies) {
    if (!text.starts_with(family)) continue;
    version.family = family;
    text.remove_prefix(family.size());
    if (version.number == 0 && text.starts_with('-')) {
      text.remove_prefix(1);
      version.number = take_version(text);
    }
    return version;
  }
  return std::nullopt;
}

}  // namespace

ModelTraits traits_of(std::string_view model) {
  ModelTraits traits;
  const std::optional<Version> version = parse(model);
  if (!version) return traits;
  const int number = version->number;
  const bool opus = version->family == "opus";
  const bool sonnet = version->family == "sonnet";
  const bool haiku = version->family == "haiku";
  const bool story = !opus && !sonnet && !haiku;  // Fable and Mythos began after all the changes

  traits.structured_output = story || number >= 405 || (opus && number >= 401);
  traits.one_sampling = number >= 405 || (opus && number >= 401);
  traits.adaptive_thinking = story || (haiku ? number >= 505 : number >= 406);
  traits.xhigh_effort = story || (opus ? number >= 407 : number >= 500);
  traits.no_sampling = story || (opus ? number >= 407 : haiku ? number >= 505 : number >= 500);
  traits.no_forced_tool = (sonnet || opus) ? number >= 505 : (story && number >= 501);
  if (sonnet && number >= 505) traits.thinking_off = ModelTraits::Off::between_tools;
  if (story || (opus && number >= 505)) traits.thinking_off = ModelTraits::Off::low_effort;
  return traits;
}

}  // namespace weir::dialect::anthropic_messages
