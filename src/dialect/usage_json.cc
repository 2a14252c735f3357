#include "dialect/usage_json.h"

#include <algorithm>
#include <initializer_list>
#include <optional>

namespace weir::dialect {
namespace {

using Names = std::initializer_list<std::string_view>;

// No call consumes a trillion tokens; a larger number is an error of the server.
constexpr int64_t kTokensMax = 1'000'000'000'000;

std::optional<int64_t> find_count(json::Value object, Names names) {
  for (std::string_view name : names) {
    const std::optional<int64_t> count = object[name].as_int64();
    if (count && *count >= 0 && *count <= kTokensMax) return count;
  }
  return std::nullopt;
}

int64_t count_of(json::Value object, Names names) {
  return find_count(object, names).value_or(0);
}

json::Value object_of(json::Value parent, Names names) {
  for (std::string_view name : names) {
    if (const json::Value value = parent[name]; value.is_object()) return value;
  }
  return {};
}

// Splits `total` into classes in the order given: each takes what it claims as far as there is
// still something left, and the rest stays. The classes then sum to the total, whatever a server
// claims.
int64_t take(int64_t& total, int64_t claim) {
  const int64_t taken = std::min(total, claim);
  total -= taken;
  return taken;
}

int64_t tokens_of_modality(json::Value details, std::string_view modality) {
  int64_t sum = 0;
  for (const json::Value entry : details.elements()) {
    if (!entry["modality"].equals(modality)) continue;
    sum += count_of(entry, {"tokenCount", "token_count"});
  }
  return std::min(sum, kTokensMax);
}

json::Value array_of(json::Value parent, Names names) {
  for (std::string_view name : names) {
    if (const json::Value value = parent[name]; value.is_array()) return value;
  }
  return {};
}

// The five-minute/one-hour split; a part of the total that nothing is said about is five minutes.
void split_cache_writes(Usage& usage, json::Value object) {
  const json::Value split = object["cache_creation"];
  const int64_t hour = count_of(split, {"ephemeral_1h_input_tokens"});
  const int64_t minutes = count_of(split, {"ephemeral_5m_input_tokens"});
  const int64_t total = count_of(object, {"cache_creation_input_tokens"});
  usage.cache_write_1h += hour;
  usage.cache_write_5m += std::max(minutes, total - hour);
}

void add_anthropic_counts(Usage& usage, json::Value object) {
  usage.input += count_of(object, {"input_tokens"});
  usage.cache_read += count_of(object, {"cache_read_input_tokens"});
  split_cache_writes(usage, object);
  const int64_t output = count_of(object, {"output_tokens"});
  usage.output += output;
  usage.reasoning +=
      std::min(output, count_of(object["output_tokens_details"], {"thinking_tokens"}));
}

}  // namespace

std::string canonical_service_tier(std::string_view name) {
  std::string lower(name);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  if (lower == "standard" || lower == "on_demand") return "default";
  if (lower == "on_demand_priority") return "priority";
  if (lower == "on_demand_flex") return "flex";
  if (lower == "provisioned_throughput") return "provisioned";
  return lower;
}

void add_service_tier(Usage& usage, json::Value value) {
  if (const auto name = value.as_string(); name && !name->empty()) {
    usage.service_tier = canonical_service_tier(*name);
  }
}

Usage usage_of_openai(json::Value object) {
  Usage usage;
  if (!object.is_object()) return usage;
  const auto prompt = find_count(object, {"prompt_tokens", "input_tokens"});
  const auto completion = find_count(object, {"completion_tokens", "output_tokens"});
  const auto total = find_count(object, {"total_tokens"});
  usage.reported = prompt || completion || total;

  const json::Value in = object_of(object, {"prompt_tokens_details", "input_tokens_details"});
  const json::Value out = object_of(object, {"completion_tokens_details", "output_tokens_details"});

  // Some embedding servers tell only the total.
  int64_t input = prompt.value_or(std::max<int64_t>(total.value_or(0) - completion.value_or(0), 0));
  int64_t cached = count_of(in, {"cached_tokens"});
  if (cached == 0) {
    cached = count_of(object, {"prompt_cache_hit_tokens", "num_cached_tokens", "cached_tokens"});
  }
  usage.cache_read = take(input, cached);
  usage.cache_write_5m =
      take(input, count_of(in, {"cache_write_tokens", "cache_creation_input_tokens"}));
  usage.input_audio = take(input, count_of(in, {"audio_tokens"}));
  usage.input = input;

  int64_t output = completion.value_or(0);
  int64_t reasoning = count_of(out, {"reasoning_tokens"});
  if (reasoning == 0) reasoning = count_of(object, {"reasoning_tokens"});
  const int64_t sum = prompt.value_or(0) + output + reasoning;
  if (reasoning > output || (reasoning > 0 && total && *total == sum)) output += reasoning;
  usage.output_audio = take(output, count_of(out, {"audio_tokens"}));
  usage.output = output;
  usage.reasoning = std::min(reasoning, output);

  usage.tool_calls = count_of(object, {"num_server_side_tools_used"});
  if (usage.tool_calls == 0) {
    usage.tool_calls = count_of(object["server_tool_use"], {"web_search_requests"});
  }
  add_service_tier(usage, object["service_tier"]);
  return usage;
}

Usage usage_of_openai_body(json::Value body) {
  Usage usage = usage_of_openai(body["usage"]);
  if (!usage.reported) usage = usage_of_openai(body["x_groq"]["usage"]);
  for (const json::Value choice : body["choices"].elements()) {
    if (!usage.reported) usage = usage_of_openai(choice["usage"]);
  }
  if (usage.reported) add_service_tier(usage, body["service_tier"]);
  return usage;
}

Usage usage_of_openai_response(json::Value response) {
  Usage usage = usage_of_openai(response["usage"]);
  if (!usage.reported) return usage;
  add_service_tier(usage, response["service_tier"]);
  if (usage.tool_calls != 0) return usage;
  for (const json::Value item : response["output"].elements()) {
    const json::Value type = item["type"];
    if (type.equals("file_search_call")) ++usage.tool_calls;
    if (!type.equals("web_search_call")) continue;
    // Opening a page and searching in it are steps of a search that has been billed already.
    const json::Value action = item["action"]["type"];
    if (!action.equals("open_page") && !action.equals("find_in_page")) ++usage.tool_calls;
  }
  return usage;
}

Usage usage_of_anthropic(json::Value object) {
  Usage usage;
  merge_usage_of_anthropic(usage, object);
  return usage;
}

void merge_usage_of_anthropic(Usage& known, json::Value object) {
  if (!object.is_object()) return;
  Usage newer;
  newer.reported =
      find_count(object, {"input_tokens"}) || find_count(object, {"output_tokens"}).has_value();
  add_anthropic_counts(newer, object);
  for (const json::Value iteration : object["iterations"].elements()) {
    if (iteration["type"].equals("compaction")) add_anthropic_counts(newer, iteration);
  }
  if (!object["cache_creation"].is_object()) {
    const int64_t writes = newer.cache_write_5m + newer.cache_write_1h;
    newer.cache_write_1h = std::min(known.cache_write_1h, writes);
    newer.cache_write_5m = writes - newer.cache_write_1h;
  }
  newer.tool_calls = count_of(object["server_tool_use"], {"web_search_requests"});
  add_service_tier(newer, object["service_tier"]);
  known.merge(newer);
}

Usage usage_of_gemini(json::Value object) {
  Usage usage;
  if (!object.is_object()) return usage;
  const auto prompt = find_count(object, {"promptTokenCount", "prompt_token_count"});
  const auto candidates = find_count(object, {"candidatesTokenCount", "candidates_token_count",
                                              "responseTokenCount", "response_token_count"});
  const int64_t thoughts = count_of(object, {"thoughtsTokenCount", "thoughts_token_count"});
  const bool total = find_count(object, {"totalTokenCount", "total_token_count"}).has_value();
  usage.reported = prompt || candidates || total;

  int64_t input = prompt.value_or(0);
  usage.cache_read =
      take(input, count_of(object, {"cachedContentTokenCount", "cached_content_token_count"}));
  const json::Value in = array_of(object, {"promptTokensDetails", "prompt_tokens_details"});
  const json::Value cached = array_of(object, {"cacheTokensDetails", "cache_tokens_details"});
  const int64_t audio = tokens_of_modality(in, "AUDIO") - tokens_of_modality(cached, "AUDIO");
  usage.input_audio = take(input, std::max<int64_t>(audio, 0));
  usage.input =
      input + count_of(object, {"toolUsePromptTokenCount", "tool_use_prompt_token_count"});

  int64_t output = candidates.value_or(0);
  const json::Value out = array_of(
      object, {"candidatesTokensDetails", "candidates_tokens_details", "responseTokensDetails"});
  usage.output_image = take(output, tokens_of_modality(out, "IMAGE"));
  usage.output_audio = take(output, tokens_of_modality(out, "AUDIO"));
  usage.output = output + thoughts;
  usage.reasoning = thoughts;

  add_service_tier(usage, object["trafficType"]);
  add_service_tier(usage, object["serviceTier"]);
  return usage;
}

Usage usage_of_gemini_body(json::Value body) {
  Usage usage;
  for (const json::Value element : body.elements()) {
    replace_usage(usage, usage_of_gemini(object_of(element, {"usageMetadata", "usage_metadata"})));
  }
  if (!body.is_object()) return usage;
  usage = usage_of_gemini(object_of(body, {"usageMetadata", "usage_metadata"}));
  if (usage.reported) return usage;
  // Text embeddings by Vertex :predict count each instance.
  for (const json::Value prediction : body["predictions"].elements()) {
    const auto tokens = find_count(prediction["embeddings"]["statistics"], {"token_count"});
    if (!tokens) continue;
    usage.input += *tokens;
    usage.reported = true;
  }
  return usage;
}

Usage usage_of_converse_body(json::Value body) {
  Usage usage;
  const json::Value object = body["usage"];
  if (!object.is_object()) return usage;
  const auto input = find_count(object, {"inputTokens"});
  const auto output = find_count(object, {"outputTokens"});
  usage.reported = input || output;
  usage.input = input.value_or(0);
  usage.output = output.value_or(0);
  // The second spelling is of early servers.
  usage.cache_read = count_of(object, {"cacheReadInputTokens", "cacheReadInputTokenCount"});
  const int64_t written = count_of(object, {"cacheWriteInputTokens", "cacheWriteInputTokenCount"});
  for (const json::Value detail : object["cacheDetails"].elements()) {
    if (detail["ttl"].equals("1h")) usage.cache_write_1h += count_of(detail, {"inputTokens"});
  }
  usage.cache_write_1h = std::min(usage.cache_write_1h, written);
  usage.cache_write_5m = written - usage.cache_write_1h;
  add_service_tier(usage, body["serviceTier"]["type"]);
  return usage;
}

void replace_usage(Usage& known, const Usage& newer) {
  if (!newer.reported) return;
  const Usage before = known;
  known = newer;
  if (newer.total_input() == 0) {
    known.input = before.input;
    known.cache_read = before.cache_read;
    known.cache_write_5m = before.cache_write_5m;
    known.cache_write_1h = before.cache_write_1h;
    known.input_audio = before.input_audio;
    known.input_image = before.input_image;
  }
  if (newer.total_output() == 0) {
    known.output = before.output;
    known.output_audio = before.output_audio;
    known.output_image = before.output_image;
    known.reasoning = before.reasoning;
  }
  if (newer.tool_calls == 0) known.tool_calls = before.tool_calls;
  if (newer.service_tier.empty()) known.service_tier = before.service_tier;
}

}  // namespace weir::dialect
