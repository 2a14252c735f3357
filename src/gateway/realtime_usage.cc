#include "gateway/realtime_usage.h"

#include <algorithm>

namespace weir::gateway {
namespace {

// Most is audio, as base64 in deltas: only these are read.
constexpr std::string_view kRead[] = {"response.done", "response.created",
                                      "input_audio_transcription.completed"};

bool is_wanted(std::string_view beginning) {
  // Without its type so far, the rest may tell.
  if (beginning.find("\"type\"") == beginning.npos) return true;
  return std::any_of(std::begin(kRead), std::end(kRead),
                     [&](std::string_view type) { return beginning.find(type) != beginning.npos; });
}

int64_t count(json::Value value) {
  constexpr int64_t kMost = int64_t{1} << 40;
  return std::clamp<int64_t>(value.as_int64().value_or(0), 0, kMost);
}

}  // namespace

dialect::Usage usage_of_realtime(json::Value usage) {
  dialect::Usage made;
  if (!usage.is_object()) return made;
  made.reported = true;
  const json::Value in = usage["input_token_details"];
  const json::Value cached = in["cached_tokens_details"];
  made.cache_read = count(in["cached_tokens"]);
  const int64_t cached_audio = count(cached["audio_tokens"]);
  const int64_t cached_image = count(cached["image_tokens"]);
  made.input_audio = std::max<int64_t>(count(in["audio_tokens"]) - cached_audio, 0);
  made.input_image = std::max<int64_t>(count(in["image_tokens"]) - cached_image, 0);
  made.input = std::max<int64_t>(
      count(usage["input_tokens"]) - made.cache_read - made.input_audio - made.input_image, 0);
  made.output_audio = count(usage["output_token_details"]["audio_tokens"]);
  made.output = std::max<int64_t>(count(usage["output_tokens"]) - made.output_audio, 0);
  return made;
}

RealtimeUsage::RealtimeUsage(dialect::Usage& usage)
    : usage_(usage), reader_(is_wanted, [this](std::string_view event) { take(event); }) {}

void RealtimeUsage::feed(std::string_view bytes) {
  reader_.feed(bytes);
  usage_.reported =
      done_ > 0 && done_ >= begun_ && !unsaid_ && !reader_.broken() && reader_.too_long() == 0;
}

void RealtimeUsage::take(std::string_view event) {
  if (!document_.parse(event, {.unique_keys_levels = 0})) return;
  const json::Value root = document_.root();
  const std::string type = root["type"].string_or("");
  if (type == "response.created") {
    ++begun_;
  } else if (type == "conversation.item.input_audio_transcription.completed") {
    unsaid_ = true;
  } else if (type == "response.done") {
    ++done_;
    const dialect::Usage used = usage_of_realtime(root["response"]["usage"]);
    if (!used.reported) unsaid_ = true;
    last_input_ = used.total_input();
    usage_.input += used.input;
    usage_.cache_read += used.cache_read;
    usage_.input_audio += used.input_audio;
    usage_.input_image += used.input_image;
    usage_.output += used.output;
    usage_.output_audio += used.output_audio;
  }
}

}  // namespace weir::gateway
