#include "gateway/event_usage.h"

#include "dialect/usage_json.h"

namespace weir::gateway {

void EventUsage::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    const size_t end = bytes.find('\n');
    const std::string_view piece = bytes.substr(0, end);
    if (!skipping_ && line_.size() + piece.size() > kLineBytesMax) {
      skipping_ = true;
      line_.clear();
    }
    if (!skipping_ && (end == std::string_view::npos || !line_.empty())) line_ += piece;
    if (end == std::string_view::npos) return;
    if (!skipping_) take(line_.empty() ? piece : line_);
    bytes.remove_prefix(end + 1);
    skipping_ = false;
    line_.clear();
  }
}

void EventUsage::take(std::string_view line) {
  constexpr std::string_view kData = "data:";
  if (!line.starts_with(kData) || line.find("\"usage\"") == std::string_view::npos) return;
  line.remove_prefix(kData.size());
  if (!document_.parse(line, {.unique_keys_levels = 0})) return;
  const json::Value root = document_.root();
  dialect::Usage told = dialect::usage_of_openai(root["usage"]);
  if (!told.reported) return;
  // What it said is audio, and priced so; no detail says it.
  if (root["type"].equals("speech.audio.done")) {
    told.output_audio += told.output;
    told.output = 0;
  }
  usage_ = told;
}

}  // namespace weir::gateway
