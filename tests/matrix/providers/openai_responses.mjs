// OpenAI's Responses API, as a provider. https://platform.openai.com/docs/api-reference/responses
import assert from "node:assert/strict";

import { fragments, imageAt, mergeTurns, only, sse } from "../lib/forms.mjs";
import { piecesOf } from "../lib/scenes.mjs";
import { openaiChat } from "./openai_chat.mjs";

const models = { plain: "gpt-4o", thinking: "gpt-5-mini" };
const createdAt = 1763820000;

export const callId = (step, i) => `call_Rs7${step}kWp${i}YtBd2`;
const signatureOf = (step) => `gAAAAABpPMlc${step}HEv5_ozHwP5Gxz5ZLE7A8Aw7GK94sa1-WHqXLr==`;

function itemsOf(answer, step) {
  const items = [];
  if (answer.thinking) {
    items.push({ id: `rs_0f35${step}`, type: "reasoning", encrypted_content: signatureOf(step),
      summary: [{ type: "summary_text", text: answer.thinking }] });
  }
  if (answer.text) {
    items.push({ id: `msg_0f35${step}`, type: "message", status: "completed", role: "assistant",
      content: [{ type: "output_text", annotations: [], logprobs: [], text: answer.text }] });
  }
  for (const [i, { name, args }] of (answer.calls ?? []).entries()) {
    items.push({ id: `fc_0f35${step}${i}`, type: "function_call", status: "completed",
      arguments: JSON.stringify(args), call_id: callId(step, i), name });
  }
  return items;
}

const response = ({ model, step }, more) => ({
  id: `resp_0f35ed53${step}`, object: "response", created_at: createdAt, status: "in_progress",
  background: false, error: null, incomplete_details: null, instructions: null,
  max_output_tokens: null, max_tool_calls: null, model: `${model}-2025-08-07`, output: [],
  parallel_tool_calls: true, previous_response_id: null, prompt_cache_key: null,
  reasoning: { effort: null, summary: null }, safety_identifier: null, service_tier: "default",
  store: false, temperature: 1, text: { format: { type: "text" }, verbosity: "medium" },
  tool_choice: "auto", tools: [], top_logprobs: 0, top_p: 1, truncation: "disabled", usage: null,
  user: null, metadata: {}, ...more,
});

function whole(answer, context) {
  const { input, cached, output, reasoning } = answer.usage;
  const cut = answer.finish === "length";
  return response(context, {
    status: cut ? "incomplete" : "completed",
    incomplete_details: cut ? { reason: "max_output_tokens" } : null,
    output: itemsOf(answer, context.step),
    usage: { input_tokens: input, input_tokens_details: { cached_tokens: cached },
      output_tokens: output, output_tokens_details: { reasoning_tokens: reasoning },
      total_tokens: input + output },
  });
}

// The steps of one item between its `added` and its `done`: [type, members].
function* stepsOf(item) {
  if (item.type === "reasoning") {
    const [part] = item.summary;
    const at = { summary_index: 0 };
    yield ["reasoning_summary_part.added", { ...at, part: { ...part, text: "" } }];
    for (const delta of piecesOf(part.text)) {
      yield ["reasoning_summary_text.delta", { ...at, delta, obfuscation: "x2" }];
    }
    yield ["reasoning_summary_text.done", { ...at, text: part.text }];
    yield ["reasoning_summary_part.done", { ...at, part }];
  } else if (item.type === "message") {
    const [part] = item.content;
    const at = { content_index: 0 };
    yield ["content_part.added", { ...at, part: { ...part, text: "" } }];
    for (const delta of piecesOf(part.text)) {
      yield ["output_text.delta", { ...at, delta, logprobs: [], obfuscation: "x2" }];
    }
    yield ["output_text.done", { ...at, text: part.text, logprobs: [] }];
    yield ["content_part.done", { ...at, part }];
  } else {
    for (const delta of fragments(item.arguments)) {
      yield ["function_call_arguments.delta", { delta, obfuscation: "x2" }];
    }
    yield ["function_call_arguments.done", { arguments: item.arguments }];
  }
}

const opened = {
  reasoning: { summary: [] },
  message: { status: "in_progress", content: [] },
  function_call: { status: "in_progress", arguments: "" },
};

function* events(answer, context) {
  let sequence = 0;
  const event = (name, members) => sse({ type: `response.${name}`, sequence_number: sequence++,
    ...members }, { event: `response.${name}` });
  yield event("created", { response: response(context, {}) });
  yield event("in_progress", { response: response(context, {}) });
  for (const [index, item] of itemsOf(answer, context.step).entries()) {
    const at = { output_index: index };
    yield event("output_item.added", { ...at, item: { ...item, ...opened[item.type] } });
    for (const [name, members] of stepsOf(item)) {
      yield event(name, { item_id: item.id, ...at, ...members });
    }
    yield event("output_item.done", { ...at, item });
  }
  const last = whole(answer, context);
  yield event(last.status, { response: last });
}

function readContent(content, where) {
  if (typeof content === "string") return [{ text: content }];
  return content.map((part) => {
    if (part.type === "input_image") {
      return { image: imageAt(only(part, where, "type", "image_url", "detail").image_url) };
    }
    assert.ok(["input_text", "output_text"].includes(part.type), `${where}: ${part.type}`);
    return { text: only(part, where, "type", "text", "annotations", "logprobs").text };
  });
}

function readItem(item, i) {
  const where = `input[${i}]`;
  switch (item.type ?? "message") {
    case "message":
      only(item, where, "type", "role", "content", "id", "status");
      return { role: item.role, parts: readContent(item.content, where) };
    case "reasoning": {
      only(item, where, "type", "id", "summary", "encrypted_content", "content", "status");
      const text = item.summary.map((part) => part.text).join("");
      return { role: "assistant",
        parts: [{ thinking: { text, signature: item.encrypted_content } }] };
    }
    case "function_call":
      only(item, where, "type", "id", "call_id", "name", "arguments", "status");
      return { role: "assistant", parts: [{ call: { id: item.call_id, name: item.name,
        args: JSON.parse(item.arguments) } }] };
    case "function_call_output": {
      only(item, where, "type", "id", "call_id", "output", "status");
      const [{ text }, ...more] = readContent(item.output, where);
      assert.equal(more.length, 0);
      return { role: "user", parts: [{ result: { id: item.call_id, text, error: false } }] };
    }
    default:
      return assert.fail(`${where}: ${item.type}`);
  }
}

const choices = { auto: "auto", none: "none", required: "any" };

function read(body) {
  only(body, "the body", "model", "instructions", "input", "tools", "tool_choice", "reasoning",
    "max_output_tokens", "temperature", "text", "include", "store", "stream");
  const items = [...body.input];
  let system = body.instructions;
  if (["system", "developer"].includes(items[0].role)) {
    assert.equal(system, undefined, "instructions are said once");
    system = readContent(items.shift().content, "input[0]").map(({ text }) => text).join("\n");
  }
  const format = body.text?.format;
  if (format) {
    only(format, "text.format", "type", "name", "schema", "strict");
    assert.equal(format.type, "json_schema");
    assert.match(format.name, /^[\w-]{1,64}$/);
  }
  if (body.reasoning) {
    only(body.reasoning, "reasoning", "effort", "summary");
    // Without it there is nothing that could be sent back.
    assert.ok(body.include?.includes("reasoning.encrypted_content"), "include");
    assert.equal(body.store, false, "store");
  }
  const choice = body.tool_choice;
  return {
    model: body.model,
    stream: body.stream,
    system,
    turns: mergeTurns(items.map(readItem)),
    tools: (body.tools ?? []).map((tool) => {
      const { type, name, description, parameters: schema, strict } =
        only(tool, "tool", "type", "name", "description", "parameters", "strict");
      assert.equal(type, "function");
      // Its absence would mean true, which these schemas do not fit.
      assert.equal(strict, false, "strict");
      return { name, description, schema };
    }),
    choice: choice?.type === "function" ? { name: choice.name } : choices[choice],
    format: format && { schema: format.schema },
    effort: body.reasoning?.effort,
    max: body.max_output_tokens,
    temperature: body.temperature,
  };
}

export const openaiResponses = {
  name: "openai_responses",
  dialect: "openai_responses",
  models,
  account: "provider: openai, endpoint: \"${UPSTREAM}\", api_key: sk-up",
  deployment: "dialect: openai_responses",
  path: () => "/v1/responses",
  headers: () => ({ authorization: "Bearer sk-up" }),
  callId,
  signatureOf,
  type: "text/event-stream",
  whole,
  events,
  read,
  expected: (question) => question,
  says: { resultErrors: false, signatures: true },
  errors: {
    ...openaiChat.errors,
    event: (context, sequence) => [sse({ type: "response.failed", sequence_number: sequence,
      response: response(context, { status: "failed", error: { code: "server_error",
        message: "The server had an error at pier 7." } }) }, { event: "response.failed" })],
  },
};
