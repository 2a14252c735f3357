// Anthropic's Messages API, as a provider. https://docs.claude.com/en/api/messages
import assert from "node:assert/strict";

import { fragments, mergeTurns, only, sse } from "../lib/forms.mjs";
import { piecesOf } from "../lib/scenes.mjs";

const model = "claude-sonnet-4-5";
const finishes = { stop: "end_turn", length: "max_tokens", calls: "tool_use" };

export const callId = (step, i) => `toolu_01Hb${step}RtQ${i}mLw9`;
const signatureOf = (step) => `EqQBCkYICxgCKkCw${step}+hB/9VC377Unbjdf7QAaIXsqocZKzI3WwWtX==`;

const inputUsage = ({ input, cached }) => ({
  input_tokens: input - cached,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: cached,
  cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
});

function blocksOf(answer, step) {
  const blocks = [];
  if (answer.thinking) {
    blocks.push({ type: "thinking", thinking: answer.thinking, signature: signatureOf(step) });
  }
  if (answer.text) blocks.push({ type: "text", text: answer.text });
  for (const [i, { name, args }] of (answer.calls ?? []).entries()) {
    blocks.push({ type: "tool_use", id: callId(step, i), name, input: args });
  }
  return blocks;
}

const detailsOf = ({ reasoning }) =>
  (reasoning ? { output_tokens_details: { thinking_tokens: reasoning } } : {});

function whole(answer, { step }) {
  return {
    model: `${model}-20250929`, id: `msg_01Kq${step}`, type: "message", role: "assistant",
    content: blocksOf(answer, step), stop_reason: finishes[answer.finish], stop_sequence: null,
    usage: { ...inputUsage(answer.usage), output_tokens: answer.usage.output,
      ...detailsOf(answer.usage), service_tier: "standard" },
  };
}

// The events of a stream as objects, which Amazon puts into frames of its own.
export function* eventData(answer, { step }) {
  yield { type: "message_start", message: { model: `${model}-20250929`,
    id: `msg_01Kq${step}`, type: "message", role: "assistant", content: [], stop_reason: null,
    stop_sequence: null, usage: { ...inputUsage(answer.usage), output_tokens: 1,
      service_tier: "standard" } } };
  for (const [index, block] of blocksOf(answer, step).entries()) {
    const delta = (value) => ({ type: "content_block_delta", index, delta: value });
    const start = (value) => ({ type: "content_block_start", index, content_block: value });
    if (block.type === "thinking") {
      yield start({ type: "thinking", thinking: "", signature: "" });
      for (const piece of piecesOf(block.thinking)) {
        yield delta({ type: "thinking_delta", thinking: piece });
      }
      yield delta({ type: "signature_delta", signature: block.signature });
    } else if (block.type === "text") {
      yield start({ type: "text", text: "" });
      yield { type: "ping" };
      for (const piece of piecesOf(block.text)) yield delta({ type: "text_delta", text: piece });
    } else {
      yield start({ ...block, input: {} });
      yield delta({ type: "input_json_delta", partial_json: "" });
      // A call without arguments has no fragment that says so.
      const text = JSON.stringify(block.input);
      for (const piece of text === "{}" ? [] : fragments(text)) {
        yield delta({ type: "input_json_delta", partial_json: piece });
      }
    }
    yield { type: "content_block_stop", index };
  }
  yield { type: "message_delta",
    delta: { stop_reason: finishes[answer.finish], stop_sequence: null },
    usage: { ...inputUsage(answer.usage), output_tokens: answer.usage.output,
      ...detailsOf(answer.usage) } };
  yield { type: "message_stop" };
}

function textOf(content) {
  if (typeof content === "string") return content;
  return content.map((part) => {
    assert.equal(part.type, "text");
    return only(part, "text", "type", "text").text;
  }).join("\n");
}

function readBlock(block) {
  switch (block.type) {
    case "text":
      return { text: only(block, "text", "type", "text", "citations").text };
    case "image":
      only(block, "image", "type", "source");
      if (block.source.type === "url") {
        return { image: { url: only(block.source, "source", "type", "url").url } };
      }
      only(block.source, "source", "type", "media_type", "data");
      assert.equal(block.source.type, "base64");
      return { image: { type: block.source.media_type, data: block.source.data } };
    case "thinking":
      only(block, "thinking", "type", "thinking", "signature");
      return { thinking: { text: block.thinking, signature: block.signature } };
    case "tool_use":
      only(block, "tool_use", "type", "id", "name", "input", "caller");
      return { call: { id: block.id, name: block.name, args: block.input } };
    case "tool_result":
      only(block, "tool_result", "type", "tool_use_id", "content", "is_error");
      return { result: { id: block.tool_use_id, text: textOf(block.content),
        error: block.is_error ?? false } };
    default:
      return assert.fail(`a block ${block.type}`);
  }
}

// Roles must alternate, results stand in front: what the API insists on.
function readTurn({ role, content }, i, all) {
  assert.equal(role, i % 2 === 0 ? "user" : "assistant", `messages[${i}].role`);
  const parts = typeof content === "string" ? [{ text: content }] : content.map(readBlock);
  const asked = i === 0 ? [] : [].concat(all[i - 1].content)
    .filter(({ type }) => type === "tool_use").map(({ id }) => id);
  const answered = parts.slice(0, asked.length).map(({ result }) => result?.id);
  assert.deepEqual(answered.sort(), asked.sort(), `messages[${i}]: the results of the calls`);
  return { role, parts };
}

function* events(answer, context) {
  for (const data of eventData(answer, context)) yield sse(data, { event: data.type });
}

const effortOf = { 2048: "low", 8192: "medium", 16384: "high" };

function read(body) {
  only(body, "the body", "model", "max_tokens", "system", "messages", "tools", "tool_choice",
    "temperature", "thinking", "output_config", "stream");
  if (body.thinking) {
    only(body.thinking, "thinking", "type", "budget_tokens");
    assert.equal(body.thinking.type, "enabled");
    assert.ok(body.thinking.budget_tokens < body.max_tokens);
  }
  const format = body.output_config?.format;
  if (format) {
    only(format, "format", "type", "schema");
    assert.equal(format.type, "json_schema");
  }
  const choice = body.tool_choice;
  if (choice) only(choice, "tool_choice", "type", "name");
  return {
    model: body.model,
    stream: body.stream,
    system: textOf(body.system),
    turns: mergeTurns(body.messages.map(readTurn)),
    tools: (body.tools ?? []).map((tool) => {
      const { name, description, input_schema: schema } =
        only(tool, "tool", "name", "description", "input_schema");
      return { name, description, schema };
    }),
    choice: choice?.type === "tool" ? { name: choice.name } : choice?.type,
    format: format && { schema: format.schema },
    effort: body.thinking && effortOf[body.thinking.budget_tokens],
    max: body.max_tokens,
    temperature: body.temperature,
  };
}

export const anthropicMessages = {
  name: "anthropic_messages",
  dialect: "anthropic_messages",
  models: { plain: model, thinking: model },
  account: "provider: anthropic, endpoint: \"${UPSTREAM}\", api_key: sk-up",
  path: () => "/v1/messages",
  // The version is the client's own where it speaks this API, too.
  headers: () => ({ "x-api-key": "sk-up", "anthropic-version": "20\\d\\d-\\d\\d-\\d\\d" }),
  callId,
  signatureOf,
  type: "text/event-stream",
  whole,
  events,
  read,
  expected: (question) => question,
  says: { resultErrors: true, signatures: true },
  errors: {
    invalid: { status: 400, body: { type: "error", request_id: "req_011C", error: {
      type: "invalid_request_error", message: "messages.0: pier 7 is closed." } } },
    limited: { status: 429, headers: { "retry-after": "7" }, body: { type: "error",
      request_id: "req_011C", error: { type: "rate_limit_error",
        message: "Rate limit reached for pier 7." } } },
    event: () => [sse({ type: "error", error: { type: "overloaded_error",
      message: "Overloaded at pier 7." } }, { event: "error" })],
  },
};
