// OpenAI's chat completions, as a provider: what it answers, and what a request must look like.
// https://platform.openai.com/docs/api-reference/chat
import assert from "node:assert/strict";

import { fragments, imageAt, mergeTurns, only, sse } from "../lib/forms.mjs";
import { piecesOf } from "../lib/scenes.mjs";

const models = { plain: "gpt-4o", thinking: "gpt-5-mini" };
const created = 1763820000;
const finishes = { stop: "stop", length: "length", calls: "tool_calls" };

export const callId = (step, i) => `call_Zk3${step}vHq${i}WmTn8`;

const usageOf = ({ input, cached, output, reasoning }) => ({
  prompt_tokens: input,
  completion_tokens: output,
  total_tokens: input + output,
  prompt_tokens_details: { cached_tokens: cached, audio_tokens: 0 },
  completion_tokens_details: { reasoning_tokens: reasoning, audio_tokens: 0,
    accepted_prediction_tokens: 0, rejected_prediction_tokens: 0 },
});

function whole(answer, { model, step }) {
  const calls = answer.calls?.map(({ name, args }, i) => ({
    id: callId(step, i), type: "function", function: { name, arguments: JSON.stringify(args) } }));
  const message = { role: "assistant", content: answer.text ?? null, refusal: null,
    annotations: [] };
  // As DeepSeek and those after it have it; OpenAI itself keeps the thoughts.
  if (answer.thinking) message.reasoning_content = answer.thinking;
  if (calls) message.tool_calls = calls;
  return {
    id: `chatcmpl-Cm${step}x`, object: "chat.completion", created, model: `${model}-2025-08-07`,
    choices: [{ index: 0, message, logprobs: null, finish_reason: finishes[answer.finish] }],
    usage: usageOf(answer.usage), service_tier: "default", system_fingerprint: "fp_e819e3438b",
  };
}

function* events(answer, { model, step }) {
  const chunk = (choices, usage = null) => sse({ id: `chatcmpl-Cm${step}x`,
    object: "chat.completion.chunk", created, model: `${model}-2025-08-07`,
    service_tier: "default", system_fingerprint: "fp_e819e3438b", choices, usage,
    obfuscation: "q7" });
  const delta = (value, reason = null) =>
    chunk([{ index: 0, delta: value, logprobs: null, finish_reason: reason }]);
  yield delta({ role: "assistant", content: answer.text === undefined ? null : "",
    refusal: null });
  for (const piece of answer.thinking ? piecesOf(answer.thinking) : []) {
    yield delta({ reasoning_content: piece });
  }
  for (const piece of answer.text ? piecesOf(answer.text) : []) yield delta({ content: piece });
  for (const [index, { name, args }] of (answer.calls ?? []).entries()) {
    yield delta({ tool_calls: [{ index, id: callId(step, index), type: "function",
      function: { name, arguments: "" } }] });
    for (const piece of fragments(JSON.stringify(args))) {
      yield delta({ tool_calls: [{ index, function: { arguments: piece } }] });
    }
  }
  yield delta({}, finishes[answer.finish]);
  yield chunk([], usageOf(answer.usage));
  yield sse("[DONE]");
}

function readContent(content, where) {
  if (typeof content === "string") return [{ text: content }];
  return content.map((part, i) => {
    const at = `${where}[${i}]`;
    if (part.type === "text") return { text: only(part, at, "type", "text").text };
    only(part, at, "type", "image_url");
    const { url, detail = "auto" } = only(part.image_url, at, "url", "detail");
    assert.equal(detail, "auto");
    return { image: imageAt(url) };
  });
}

function readMessage(message, i) {
  const where = `messages[${i}]`;
  if (message.role === "tool") {
    only(message, where, "role", "tool_call_id", "content");
    const [{ text }, ...more] = readContent(message.content, where);
    assert.equal(more.length, 0);
    return { role: "user",
      parts: [{ result: { id: message.tool_call_id, text, error: false } }] };
  }
  if (message.role === "user") {
    only(message, where, "role", "content");
    return { role: "user", parts: readContent(message.content, where) };
  }
  assert.equal(message.role, "assistant");
  only(message, where, "role", "content", "tool_calls", "refusal", "annotations",
    "reasoning_content");
  const parts = message.reasoning_content ? [{ thinking: { text: message.reasoning_content } }]
    : [];
  parts.push(...(message.content ? readContent(message.content, where) : []));
  for (const call of message.tool_calls ?? []) {
    only(call, where, "id", "type", "function");
    assert.equal(call.type, "function");
    only(call.function, where, "name", "arguments");
    parts.push({ call: { id: call.id, name: call.function.name,
      args: JSON.parse(call.function.arguments) } });
  }
  return { role: "assistant", parts };
}

const choices = { auto: "auto", none: "none", required: "any" };

function read(body) {
  only(body, "the body", "model", "messages", "tools", "tool_choice", "max_completion_tokens",
    "max_tokens", "temperature", "response_format", "reasoning_effort", "stream",
    "stream_options");
  const [first, ...rest] = body.messages;
  assert.equal(first.role, "system");
  if (body.stream) assert.deepEqual(body.stream_options, { include_usage: true });
  const format = body.response_format;
  if (format) {
    only(format, "response_format", "type", "json_schema");
    assert.equal(format.type, "json_schema");
    only(format.json_schema, "json_schema", "name", "schema", "strict");
    assert.match(format.json_schema.name, /^[\w-]{1,64}$/);
  }
  const choice = body.tool_choice;
  return {
    model: body.model,
    stream: body.stream,
    system: readContent(first.content, "messages[0]").map(({ text }) => text).join("\n"),
    turns: mergeTurns(rest.map(readMessage)),
    tools: (body.tools ?? []).map((tool) => {
      assert.equal(tool.type, "function");
      const { name, description, parameters: schema } =
        only(tool.function, "tool", "name", "description", "parameters", "strict");
      return { name, description, schema };
    }),
    choice: choice?.function ? { name: choice.function.name } : choices[choice],
    format: format && { schema: format.json_schema.schema },
    effort: body.reasoning_effort,
    max: body.max_completion_tokens,
    temperature: body.temperature,
  };
}

export const openaiChat = {
  name: "openai_chat",
  dialect: "openai_chat",
  models,
  account: "provider: openai, endpoint: \"${UPSTREAM}\", api_key: sk-up",
  // OpenAI has Responses, too; many servers have not.
  deployment: "dialect: openai_chat",
  path: () => "/v1/chat/completions",
  headers: () => ({ authorization: "Bearer sk-up" }),
  callId,
  type: "text/event-stream",
  whole,
  events,
  read,
  expected: (question) => question,
  // Results have no mark for errors, and thoughts go back to this API from its own clients only.
  says: { resultErrors: false, signatures: false },
  errors: {
    invalid: { status: 400, body: { error: { message: "Invalid 'input': pier 7 is closed.",
      type: "invalid_request_error", param: "input", code: "invalid_value" } } },
    limited: { status: 429, headers: { "retry-after": "7" }, body: { error: {
      message: "Rate limit reached for pier 7.", type: "requests", param: null,
      code: "rate_limit_exceeded" } } },
    event: () => [sse({ error: { message: "The server had an error at pier 7.",
      type: "server_error", param: null, code: null } })],
  },
};
