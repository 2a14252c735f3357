#include "dialect/usage_write.h"

namespace weir::dialect {

void write_usage_openai(json::Writer& w, const Usage& usage) {
  const int64_t written = usage.cache_write_5m + usage.cache_write_1h;
  w.begin_object();
  w.member("prompt_tokens", usage.total_input());
  w.member("completion_tokens", usage.total_output());
  w.member("total_tokens", usage.total_input() + usage.total_output());
  w.key("prompt_tokens_details").begin_object();
  w.member("cached_tokens", usage.cache_read);
  w.member("audio_tokens", usage.input_audio);
  // OpenRouter's member: OpenAI itself charges nothing for writing to its cache.
  if (written > 0) w.member("cache_write_tokens", written);
  w.end_object();
  w.key("completion_tokens_details").begin_object();
  w.member("reasoning_tokens", usage.reasoning);
  w.member("audio_tokens", usage.output_audio);
  w.end_object();
  w.end_object();
}

void write_usage_openai_responses(json::Writer& w, const Usage& usage) {
  const int64_t written = usage.cache_write_5m + usage.cache_write_1h;
  w.begin_object();
  w.member("input_tokens", usage.total_input());
  w.key("input_tokens_details").begin_object().member("cached_tokens", usage.cache_read);
  if (written > 0) w.member("cache_write_tokens", written);
  w.end_object();
  w.member("output_tokens", usage.total_output());
  w.key("output_tokens_details").begin_object();
  w.member("reasoning_tokens", usage.reasoning).end_object();
  w.member("total_tokens", usage.total_input() + usage.total_output());
  w.end_object();
}

void write_usage_anthropic(json::Writer& w, const Usage& usage) {
  w.begin_object();
  w.member("input_tokens", usage.input + usage.input_audio + usage.input_image);
  w.member("cache_creation_input_tokens", usage.cache_write_5m + usage.cache_write_1h);
  w.member("cache_read_input_tokens", usage.cache_read);
  w.key("cache_creation").begin_object();
  w.member("ephemeral_5m_input_tokens", usage.cache_write_5m);
  w.member("ephemeral_1h_input_tokens", usage.cache_write_1h);
  w.end_object();
  w.member("output_tokens", usage.total_output());
  if (usage.reasoning > 0) {
    w.key("output_tokens_details").begin_object();
    w.member("thinking_tokens", usage.reasoning).end_object();
  }
  if (usage.tool_calls > 0) {
    w.key("server_tool_use").begin_object();
    w.member("web_search_requests", usage.tool_calls).end_object();
  }
  // Anthropic's words are standard, priority and batch.
  const std::string& tier = usage.service_tier;
  if (tier == "priority" || tier == "batch") {
    w.member("service_tier", tier);
  } else if (!tier.empty()) {
    w.member("service_tier", "standard");
  }
  w.end_object();
}

}  // namespace weir::dialect
