#include "reconcile/statement.h"

#include <fmt/format.h>

#include "base/text.h"
#include "ledger/scale.h"

namespace weir::reconcile {

namespace {

using ledger::UsageClass;

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace

std::optional<Source> source_of(std::string_view text) {
  if (text == "openai") return Source::openai;
  if (text == "anthropic") return Source::anthropic;
  if (text == "gcp") return Source::gcp;
  if (text == "focus" || text == "azure") return Source::focus;
  return std::nullopt;
}

std::optional<Money> dollars(std::string_view amount, int exponent, std::string_view currency,
                             const ReadOptions& options, Statement& into) {
  const auto nano = ledger::scaled_decimal(amount, exponent + 9, true);
  if (!nano) {
    ++into.left_out["with an amount that is no number"];
    return std::nullopt;
  }
  const std::string code = to_lower(currency);
  if (code.empty() || code == "usd") return Money::from_nano(*nano);
  for (const auto& [name, per_usd] : options.nano_per_usd) {
    if (to_lower(name) != code || per_usd <= 0) continue;
    __extension__ using Wide = __int128;
    const Wide in_usd = static_cast<Wide>(*nano) * 1'000'000'000 / per_usd;
    if (in_usd > INT64_MAX || in_usd < INT64_MIN) {
      ++into.left_out["with an amount that is too large"];
      return std::nullopt;
    }
    return Money::from_nano(static_cast<int64_t>(in_usd));
  }
  ++into.left_out[fmt::format("in {}, which has no rate", code)];
  return std::nullopt;
}

std::optional<UsageClass> meter_of(std::string_view name) {
  const std::string text = to_lower(name);
  const bool output =
      has(text, "output") || has(text, "outp") || has(text, "completion") || has(text, "response");
  const bool input = has(text, "input") || has(text, "inp") || has(text, "prompt");
  const bool cache = has(text, "cache") || has(text, "cchd") || has(text, "cachd");
  const bool written = has(text, "write") || has(text, "creation") || has(text, "storage");
  if (cache && written) {
    return has(text, "1h") || has(text, "1 h") || has(text, "hour") ? UsageClass::cache_write_1h
                                                                    : UsageClass::cache_write_5m;
  }
  if (cache) return UsageClass::cache_read;
  const bool audio = has(text, "audio") || has(text, "aud ") || has(text, "-aud");
  const bool image = has(text, "image") || has(text, "img");
  if (output) {
    return audio ? UsageClass::output_audio : image ? UsageClass::output_image : UsageClass::output;
  }
  if (input) {
    return audio ? UsageClass::input_audio : image ? UsageClass::input_image : UsageClass::input;
  }
  return std::nullopt;
}

std::string tier_of(std::string_view name) {
  const std::string text = to_lower(name);
  for (const std::string_view tier : {"batch", "flex", "priority"}) {
    if (has(text, tier)) return std::string(tier);
  }
  return {};
}

Result<void> read_statement(std::string_view text, const ReadOptions& options, Statement& into) {
  if (text.size() > Statement::kTextMax) {
    return fail(ErrorCode::limit_exceeded, "the export is larger than 256 MiB");
  }
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  const size_t before = into.lines.size() + into.left_out.size();
  switch (options.source) {
    case Source::openai:
      WEIR_CHECK_OK(read_openai(text, options, into));
      break;
    case Source::anthropic:
      WEIR_CHECK_OK(read_anthropic(text, options, into));
      break;
    case Source::gcp:
      WEIR_CHECK_OK(read_gcp(text, options, into));
      break;
    case Source::focus:
      WEIR_CHECK_OK(read_focus(text, options, into));
      break;
  }
  if (into.lines.size() > Statement::kLinesMax) {
    return fail(ErrorCode::limit_exceeded, "the export has more than 2,000,000 lines");
  }
  if (into.lines.size() + into.left_out.size() == before) {
    return fail(ErrorCode::invalid_argument, "the export has no line");
  }
  return {};
}

}  // namespace weir::reconcile
