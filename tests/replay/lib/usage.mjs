// What a recording says that it consumed, in Weir's one record: the mapping that docs/dialects.md
// and src/dialect/usage.h promise, written down a second time and apart from the program's own.

const zero = () => ({
  input: 0, cache_read: 0, cache_write_5m: 0, cache_write_1h: 0, input_audio: 0, input_image: 0,
  output: 0, output_audio: 0, output_image: 0, reasoning: 0, tool_calls: 0, service_tier: "",
});

const sideIn = ["input", "cache_read", "cache_write_5m", "cache_write_1h", "input_audio",
  "input_image"];
const sideOut = ["output", "output_audio", "output_image", "reasoning"];
const sum = (usage, names) => names.reduce((total, name) => total + usage[name], 0);
const count = (...values) => values.find((value) => Number.isInteger(value) && value >= 0) ?? 0;
const tiers = { standard: "default", on_demand: "default", on_demand_priority: "priority",
  on_demand_flex: "flex", provisioned_throughput: "provisioned" };

function tier(name) {
  const lower = typeof name === "string" ? name.toLowerCase() : "";
  return tiers[lower] ?? lower;
}

export const totalInput = (usage) => sum(usage, sideIn);
export const totalOutput = (usage) => sum(usage, ["output", "output_audio", "output_image"]);

// The prompt's count holds cached and audio tokens, the answer's count holds reasoning; where the
// total says that reasoning comes on top (xAI), it is added.
function ofOpenai(object) {
  if (object === null || typeof object !== "object") return undefined;
  const usage = zero();
  const inside = object.prompt_tokens_details ?? object.input_tokens_details ?? {};
  const made = object.completion_tokens_details ?? object.output_tokens_details ?? {};
  const answered = count(object.completion_tokens, object.output_tokens);
  const asked = count(object.prompt_tokens, object.input_tokens,
    Math.max(0, (object.total_tokens ?? 0) - answered));
  usage.cache_read = count(inside.cached_tokens) || count(object.prompt_cache_hit_tokens) ||
    count(object.num_cached_tokens) || count(object.cached_tokens);
  usage.cache_write_5m = count(inside.cache_write_tokens, inside.cache_creation_input_tokens);
  usage.input_audio = count(inside.audio_tokens);
  usage.input = asked - usage.cache_read - usage.cache_write_5m - usage.input_audio;
  usage.reasoning = count(made.reasoning_tokens) || count(object.reasoning_tokens);
  usage.output_audio = count(made.audio_tokens);
  const onTop = usage.reasoning > answered ||
    (usage.reasoning > 0 && object.total_tokens === asked + answered + usage.reasoning);
  usage.output = answered + (onTop ? usage.reasoning : 0) - usage.output_audio;
  usage.tool_calls = count(object.num_server_side_tools_used) ||
    count(object.server_tool_use?.web_search_requests);
  usage.service_tier = tier(object.service_tier);
  return usage;
}

function ofOpenaiBody(body) {
  const usage = ofOpenai(body.usage) ?? ofOpenai(body.x_groq?.usage) ??
    (body.choices ?? []).map((choice) => ofOpenai(choice.usage)).find(Boolean);
  if (usage && body.service_tier) usage.service_tier = tier(body.service_tier);
  return usage;
}

// Web and file searches are billed apiece; opening a page and searching in it are no searches.
function ofResponse(response) {
  const usage = ofOpenaiBody(response);
  if (!usage || usage.tool_calls > 0) return usage;
  const free = ["open_page", "find_in_page"];
  usage.tool_calls = (response.output ?? []).filter(({ type, action }) =>
    type === "file_search_call" ||
    (type === "web_search_call" && !free.includes(action?.type))).length;
  return usage;
}

// Anthropic counts cached tokens beside the input; compaction is billed beside the top level.
function addAnthropic(usage, object) {
  usage.input += count(object.input_tokens);
  usage.cache_read += count(object.cache_read_input_tokens);
  const written = count(object.cache_creation_input_tokens);
  const hour = count(object.cache_creation?.ephemeral_1h_input_tokens);
  usage.cache_write_1h += hour;
  usage.cache_write_5m +=
    Math.max(count(object.cache_creation?.ephemeral_5m_input_tokens), written - hour);
  usage.output += count(object.output_tokens);
  usage.reasoning += count(object.output_tokens_details?.thinking_tokens);
}

function ofAnthropic(object, known) {
  if (object === null || typeof object !== "object") return known;
  const usage = zero();
  addAnthropic(usage, object);
  for (const iteration of object.iterations ?? []) {
    if (iteration.type === "compaction") addAnthropic(usage, iteration);
  }
  // message_delta tells cache writes without the split that message_start had.
  if (!object.cache_creation && known) {
    const written = usage.cache_write_5m + usage.cache_write_1h;
    usage.cache_write_1h = Math.min(known.cache_write_1h, written);
    usage.cache_write_5m = written - usage.cache_write_1h;
  }
  usage.tool_calls = count(object.server_tool_use?.web_search_requests);
  usage.service_tier = tier(object.service_tier);
  const merged = known ?? zero();
  for (const [name, value] of Object.entries(usage)) if (value) merged[name] = value;
  return merged;
}

const modality = (details, name) => (details ?? [])
  .filter((entry) => entry.modality === name)
  .reduce((total, entry) => total + count(entry.tokenCount), 0);

// Gemini's prompt count holds cached tokens; thoughts and tool-use prompts come on top.
function ofGemini(object) {
  const told = ["promptTokenCount", "candidatesTokenCount", "totalTokenCount"];
  if (!object || !told.some((name) => name in object)) return undefined;
  const usage = zero();
  usage.cache_read = count(object.cachedContentTokenCount);
  usage.input_audio = Math.max(0, modality(object.promptTokensDetails, "AUDIO") -
    modality(object.cacheTokensDetails, "AUDIO"));
  usage.input = count(object.promptTokenCount) - usage.cache_read - usage.input_audio +
    count(object.toolUsePromptTokenCount);
  usage.output_image = modality(object.candidatesTokensDetails, "IMAGE");
  usage.output_audio = modality(object.candidatesTokensDetails, "AUDIO");
  usage.reasoning = count(object.thoughtsTokenCount);
  usage.output = count(object.candidatesTokenCount) - usage.output_image - usage.output_audio +
    usage.reasoning;
  usage.service_tier = tier(object.serviceTier) || tier(object.trafficType);
  return usage;
}

// Bedrock counts cached tokens beside the input. Recordings have an early spelling, too.
function ofConverse(object, serviceTier) {
  if (!object) return undefined;
  const usage = zero();
  const written = count(object.cacheWriteInputTokens, object.cacheWriteInputTokenCount);
  const hour = (object.cacheDetails ?? []).filter(({ ttl }) => ttl === "1h")
    .reduce((total, { inputTokens }) => total + inputTokens, 0);
  usage.input = count(object.inputTokens);
  usage.cache_read = count(object.cacheReadInputTokens, object.cacheReadInputTokenCount);
  usage.cache_write_1h = hour;
  usage.cache_write_5m = written - hour;
  usage.output = count(object.outputTokens);
  usage.service_tier = tier(serviceTier?.type);
  return usage;
}

// Whole usage objects, cumulative: the later replaces the earlier, but zeros replace nothing.
function newest(known, usage) {
  if (!known || !usage) return usage ?? known;
  for (const side of [sideIn, sideOut]) {
    if (sum(usage, side) === 0) for (const name of side) usage[name] = known[name];
  }
  usage.tool_calls ||= known.tool_calls;
  usage.service_tier ||= known.service_tier;
  return usage;
}

const readers = {
  openai_chat: (known, value) => newest(known, ofOpenaiBody(value)),
  openai_completions: (known, value) => newest(known, ofOpenaiBody(value)),
  openai_embeddings: (known, value) => newest(known, ofOpenaiBody(value)),
  openai_responses: (known, value) => newest(known, ofResponse(value.response ?? value)),
  anthropic_messages: (known, value) =>
    ofAnthropic(value.message?.usage ?? value.usage ?? null, known),
  bedrock_converse: (known, { usage, serviceTier, metadata }) =>
    ofConverse(usage ?? metadata?.usage, serviceTier ?? metadata?.serviceTier) ?? known,
  gemini: (known, value) => newest(known, ofGemini(value.usageMetadata)),
};

// The usage after these bodies or events (parsed); undefined where nothing is told.
export function usageOf(dialect, values) {
  const read = readers[dialect];
  return read ? values.reduce((known, value) => read(known, value), undefined) : undefined;
}
