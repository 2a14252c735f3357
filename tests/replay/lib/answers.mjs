// What an answer says, whatever API it came from: { text, reasoning, images, calls: [{name, args}],
// finish } with finish one of stop, length, tool_calls, filter, other. Readers of recordings,
// written apart from the program's own, and what a client of another API can be told of it.
import { totalInput, totalOutput, usageOf } from "./usage.mjs";

export const translatable = ["openai_chat", "openai_responses", "anthropic_messages", "gemini"];
// APIs that answer, but that no client speaks to Weir.
export const answering = [...translatable, "bedrock_converse"];

const finishes = {
  openai_chat: {
    stop: "stop", eos: "stop", length: "length", max_tokens: "length", model_length: "length",
    tool_calls: "tool_calls", function_call: "tool_calls", content_filter: "filter",
  },
  openai_responses: {
    completed: "stop", max_output_tokens: "length", content_filter: "filter",
  },
  anthropic_messages: {
    end_turn: "stop", stop_sequence: "stop", pause_turn: "stop", max_tokens: "length",
    model_context_window_exceeded: "length", tool_use: "tool_calls", refusal: "filter",
  },
  bedrock_converse: {
    end_turn: "stop", stop_sequence: "stop", max_tokens: "length", tool_use: "tool_calls",
    model_context_window_exceeded: "length", guardrail_intervened: "filter",
    content_filtered: "filter",
  },
  gemini: {
    STOP: "stop", MAX_TOKENS: "length", SAFETY: "filter", RECITATION: "filter", LANGUAGE: "filter",
    BLOCKLIST: "filter", PROHIBITED_CONTENT: "filter", SPII: "filter", MODEL_ARMOR: "filter",
    IMAGE_SAFETY: "filter", IMAGE_PROHIBITED_CONTENT: "filter", IMAGE_RECITATION: "filter",
  },
};

export function finishOf(dialect, reason, calls) {
  const known = reason ? finishes[dialect][reason] ?? "other" : "stop";
  // Gemini has no word for it, and some servers of OpenAI's API forget theirs.
  if (known === "stop" && calls.length > 0 && dialect !== "anthropic_messages") return "tool_calls";
  return known;
}

// Arguments as a value; what is no JSON stays what it is.
export function argumentsOf(text) {
  if (typeof text !== "string") return text ?? {};
  if (text.trim() === "") return {};
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

const empty = () => ({ text: "", reasoning: "", images: 0, calls: [], finish: "" });

// --- OpenAI chat ---

// Content is a text, or Mistral's list of texts and thoughts.
function addContent(answer, content) {
  if (typeof content === "string") answer.text += content;
  if (!Array.isArray(content)) return;
  for (const part of content) {
    if (part.type !== "thinking") {
      answer.text += part.text ?? "";
    } else if (typeof part.thinking === "string") {
      answer.reasoning += part.thinking;
    } else {
      for (const piece of part.thinking ?? []) answer.reasoning += piece.text ?? "";
    }
  }
}

function addMessage(answer, message) {
  answer.reasoning += message.reasoning_content || message.reasoning || "";
  addContent(answer, message.content);
  answer.text += message.refusal ?? "";
  answer.text += message.audio?.transcript ?? "";
  answer.images += message.images?.length ?? 0;
}

function openaiWhole(body) {
  const answer = empty();
  const { message, finish_reason: reason } = body.choices[0];
  addMessage(answer, message);
  for (const call of message.tool_calls ?? []) {
    answer.calls.push({ name: call.function.name, args: argumentsOf(call.function.arguments) });
  }
  answer.finish = finishOf("openai_chat", reason, answer.calls);
  return answer;
}

function openaiStream(chunks) {
  const answer = empty();
  const calls = [];
  let reason;
  for (const chunk of chunks) {
    for (const choice of chunk.choices ?? []) {
      if ((choice.index ?? 0) !== 0) continue;
      const delta = choice.delta ?? {};
      addMessage(answer, delta);
      for (const piece of delta.tool_calls ?? []) {
        const named = piece.id && piece.function?.name;
        let call = calls.findLast((known) => known.index === piece.index);
        if (call && named && call.id && call.id !== piece.id) call = undefined;
        if (!call) calls.push(call = { index: piece.index, id: "", name: "", text: "" });
        call.id ||= piece.id ?? "";
        call.name ||= piece.function?.name ?? "";
        const text = piece.function?.arguments ?? "";
        call.text += typeof text === "string" ? text : JSON.stringify(text);
      }
      reason = choice.finish_reason ?? reason;
    }
  }
  answer.calls = calls.map(({ name, text }) => ({ name, args: argumentsOf(text) }));
  answer.finish = finishOf("openai_chat", reason, answer.calls);
  return answer;
}

// --- OpenAI Responses ---

// Tools that the client runs under a type of its own: where their arguments stand.
const clientTools = {
  local_shell_call: ["local_shell", "action"],
  shell_call: ["shell", "action"],
  apply_patch_call: ["apply_patch", "operation"],
};
const texts = (parts) => (parts ?? []).map(({ text }) => text).filter(Boolean).join("\n\n");

// What OpenAI and xAI run themselves has no counterpart.
function addItem(answer, item) {
  const named = (name) => (item.namespace ? `${item.namespace}__${name}` : name);
  const tool = clientTools[item.type];
  if (item.type === "message") {
    for (const part of item.content) answer.text += part.text ?? part.refusal ?? "";
  } else if (item.type === "reasoning") {
    answer.reasoning += texts(item.content) || texts(item.summary);
  } else if (item.type === "function_call") {
    answer.calls.push({ name: named(item.name), args: argumentsOf(item.arguments) });
  } else if (item.type === "custom_tool_call" && !item.call_id.startsWith("xs_call")) {
    answer.calls.push({ name: named(item.name), args: { input: item.input } });
  } else if (tool && !item.environment?.type?.startsWith("container")) {
    answer.calls.push({ name: tool[0], args: item[tool[1]] });
  } else if (item.type === "image_generation_call" && item.result) {
    ++answer.images;
  }
}

function responseWhole(body) {
  const answer = empty();
  for (const item of body.output) addItem(answer, item);
  answer.finish = finishOf("openai_responses", body.incomplete_details?.reason ?? "completed",
    answer.calls);
  return answer;
}

function responseStream(events) {
  const items = [];
  let last = {};
  for (const event of events) {
    const item = items[event.output_index];
    if (event.type === "response.output_item.done") {
      // Deltas have been shown: the whole item only adds to them.
      const said = item?.content[0].text ?? "";
      const whole = said === "" || event.item.content?.[0].text.startsWith(said);
      items[event.output_index] = whole ? event.item : item;
    } else if (event.type === "response.output_text.delta") {
      items[event.output_index] ??= { type: "message", content: [{ text: "" }] };
      items[event.output_index].content[0].text += event.delta;
    } else if (["response.completed", "response.incomplete"].includes(event.type)) {
      last = event.response;
    }
  }
  return responseWhole({ ...last, output: items.filter(Boolean) });
}

// --- Anthropic messages ---

// Blocks of the provider's own tools (server_tool_use, mcp_tool_use, results of searches, fetches
// and programs, compaction, container uploads) and citations have no counterpart elsewhere.
function anthropicWhole(body) {
  const answer = empty();
  for (const block of body.content ?? []) {
    if (block.type === "text") answer.text += block.text;
    if (block.type === "thinking") answer.reasoning += block.thinking;
    if (block.type === "tool_use") answer.calls.push({ name: block.name, args: block.input ?? {} });
  }
  answer.finish = finishOf("anthropic_messages", body.stop_reason, answer.calls);
  return answer;
}

function anthropicStream(events) {
  const blocks = new Map();
  let reason;
  for (const event of events) {
    if (event.type === "content_block_start") {
      blocks.set(event.index, { ...event.content_block, json: "" });
    }
    const block = blocks.get(event.index);
    const { delta } = event;
    if (delta?.type === "text_delta") block.text += delta.text;
    if (delta?.type === "thinking_delta") block.thinking += delta.thinking;
    if (delta?.type === "input_json_delta") block.json += delta.partial_json;
    if (event.type === "message_delta") reason = delta.stop_reason ?? reason;
  }
  const content = [...blocks.values()].map((block) => (
    block.json ? { ...block, input: argumentsOf(block.json) } : block));
  return anthropicWhole({ content, stop_reason: reason });
}

// --- Gemini ---

// "$.a.b[0]" as ["a", "b", 0].
function stepsOf(jsonPath) {
  return [...jsonPath.matchAll(/\.([^.[\]]+)|\[(\d+)\]|\['([^']*)'\]/g)]
    .map(([, name, index, quoted]) => (index === undefined ? name ?? quoted : Number(index)));
}

// One piece of arguments that come bit by bit: texts grow, everything else is set.
function setPiece(args, piece) {
  const steps = stepsOf(piece.jsonPath);
  let at = args;
  steps.slice(0, -1).forEach((step, i) => {
    at = at[step] ??= typeof steps[i + 1] === "number" ? [] : {};
  });
  const last = steps.at(-1);
  if ("stringValue" in piece) at[last] = (at[last] ?? "") + piece.stringValue;
  else if ("nullValue" in piece) at[last] = null;
  else at[last] = piece.numberValue ?? piece.boolValue;
}

// Programs that Google ran, their results and what the answer is grounded on have no counterpart.
function geminiStream(chunks) {
  const answer = empty();
  let reason;
  let open;
  for (const chunk of chunks) {
    if (chunk.promptFeedback?.blockReason && !chunk.candidates?.length) reason = "SAFETY";
    for (const candidate of chunk.candidates ?? []) {
      if ((candidate.index ?? 0) !== 0) continue;
      for (const part of candidate.content?.parts ?? []) {
        if (typeof part.text === "string") {
          answer[part.thought ? "reasoning" : "text"] += part.text;
        }
        if (part.inlineData?.mimeType?.startsWith("image/")) ++answer.images;
        const call = part.functionCall;
        if (!call) continue;
        if (call.name) answer.calls.push(open = { name: call.name, args: {} });
        if (call.args) Object.assign(open.args, call.args);
        for (const piece of call.partialArgs ?? []) setPiece(open.args, piece);
      }
      reason = candidate.finishReason || reason;
    }
  }
  answer.finish = finishOf("gemini", reason, answer.calls);
  return answer;
}

// --- Bedrock Converse ---

function converseWhole(body) {
  const answer = empty();
  for (const { text, toolUse, reasoningContent } of body.output.message.content) {
    answer.text += text ?? "";
    answer.reasoning += reasoningContent?.reasoningText?.text ?? "";
    if (toolUse) answer.calls.push({ name: toolUse.name, args: toolUse.input ?? {} });
  }
  answer.finish = finishOf("bedrock_converse", body.stopReason, answer.calls);
  return answer;
}

// A recorded event is {NAME: PAYLOAD}.
function converseStream(events) {
  const answer = empty();
  const calls = new Map();
  let reason;
  for (const { contentBlockStart, contentBlockDelta, messageStop } of events) {
    const use = contentBlockStart?.start?.toolUse;
    if (use) calls.set(contentBlockStart.contentBlockIndex, { name: use.name, text: "" });
    const delta = contentBlockDelta?.delta ?? {};
    answer.text += delta.text ?? "";
    answer.reasoning += delta.reasoningContent?.text ?? "";
    if (delta.toolUse) calls.get(contentBlockDelta.contentBlockIndex).text += delta.toolUse.input;
    reason = messageStop?.stopReason ?? reason;
  }
  answer.calls = [...calls.values()].map(({ name, text }) => ({ name, args: argumentsOf(text) }));
  answer.finish = finishOf("bedrock_converse", reason, answer.calls);
  return answer;
}

const readers = {
  bedrock_converse: { whole: converseWhole, stream: converseStream },
  openai_chat: { whole: openaiWhole, stream: openaiStream },
  openai_responses: { whole: responseWhole, stream: responseStream },
  anthropic_messages: { whole: anthropicWhole, stream: anthropicStream },
  gemini: { whole: (body) => geminiStream([body]), stream: geminiStream },
};

export function answerOf({ dialect, streamed, lines }) {
  const values = lines.map((line) => JSON.parse(line));
  const read = readers[dialect];
  return { ...(streamed ? read.stream(values) : read.whole(values[0])),
    usage: usageOf(dialect, values) };
}

// What a client of `client` is told of it, in the same form. The one place that says what gets
// lost between APIs:
// - how an answer ended: a word that the other API lacks becomes its nearest one ("other" is "stop"
//   but for Gemini), and Gemini's STOP stands for calls, too;
// - pictures: Anthropic's answers have none;
// - cache writes: only Anthropic's API tells them; reasoning is told by all.
export function expectedFor(client, answer) {
  const told = structuredClone(answer);
  if (client === "anthropic_messages") told.images = 0;
  if (told.finish === "other" && client !== "gemini") told.finish = "stop";
  if (told.finish === "tool_calls" && told.calls.length === 0) told.finish = "stop";
  if (told.finish === "stop" && told.calls.length > 0 && client === "gemini") {
    told.finish = "tool_calls";
  }
  told.usage = answer.usage && {
    input: totalInput(answer.usage),
    cached: answer.usage.cache_read,
    written: client === "anthropic_messages"
      ? answer.usage.cache_write_5m + answer.usage.cache_write_1h : 0,
    output: totalOutput(answer.usage),
    reasoning: answer.usage.reasoning,
  };
  return told;
}
