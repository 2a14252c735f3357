// npm @anthropic-ai/sdk.
import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";

const budgets = { low: 2048, medium: 8192, high: 16384 };

function blockOf({ text, image, result }) {
  if (image) {
    return { type: "image", source: image.url ? { type: "url", url: image.url }
      : { type: "base64", media_type: image.type, data: image.data } };
  }
  if (result) {
    return { type: "tool_result", tool_use_id: result.id, content: result.text,
      ...(result.error && { is_error: true }) };
  }
  return { type: "text", text };
}

const messageOf = ({ role, parts }) => ({ role, content: parts.map(blockOf) });

const chosen = (choice) => (choice && { tool_choice: choice.name
  ? { type: "tool", name: choice.name } : { type: choice } });

function request(question, model) {
  const { system, turns, tools, choice, format, effort, max, temperature } = question;
  return {
    model,
    system,
    messages: turns.map(messageOf),
    max_tokens: max,
    ...(temperature && { temperature }),
    ...(tools.length && { tools: tools.map(({ name, description, schema }) => (
      { name, description, input_schema: schema })) }),
    ...chosen(choice),
    ...(format && { output_config: { format: { type: "json_schema", schema: format.schema } } }),
    ...(effort && { thinking: { type: "enabled", budget_tokens: budgets[effort] } }),
  };
}

function follow(before, native, turn, choice) {
  return { ...before, ...chosen(choice), messages: [...before.messages,
    { role: "assistant", content: native }, messageOf(turn)] };
}

async function streamed(client, body, { signal, onText }) {
  const stream = client.messages.stream(body, { signal });
  const types = [];
  let open;
  stream.on("streamEvent", (event) => {
    types.push(event.type);
    if (event.type === "content_block_start") {
      assert.equal(open, undefined, "one block is closed before the next is opened");
      open = event.index;
    } else if (event.type === "content_block_stop") {
      assert.equal(open, event.index);
      open = undefined;
    }
  });
  if (onText) stream.on("text", (_, snapshot) => onText(snapshot));
  const message = await stream.finalMessage();
  assert.equal(types[0], "message_start");
  assert.equal(types.at(-1), "message_stop");
  return message;
}

async function ask({ url, key }, body, options) {
  const client = new Anthropic({ apiKey: key, baseURL: url, maxRetries: 0 });
  const message = options.stream ? await streamed(client, body, options)
    : await client.messages.create(body, { signal: options.signal });
  assert.equal(message.type, "message");
  const { content, usage } = message;
  const of = (type) => content.filter((block) => block.type === type);
  const cached = usage.cache_read_input_tokens ?? 0;
  return {
    text: of("text").map((block) => block.text).join(""),
    reasoning: of("thinking").map((block) => block.thinking).join(""),
    calls: of("tool_use").map(({ id, name, input }) => ({ id, name, args: input })),
    finish: message.stop_reason,
    usage: {
      input: usage.input_tokens + cached + (usage.cache_creation_input_tokens ?? 0),
      cached,
      output: usage.output_tokens,
      reasoning: usage.output_tokens_details?.thinking_tokens ?? 0,
    },
    native: content,
  };
}

function failure(error) {
  assert.ok(error instanceof Anthropic.APIError, `${error?.stack}`);
  const told = error.error?.error;
  return { status: error.status, type: told?.type, name: error.constructor.name,
    retryAfter: error.headers?.get("retry-after"), message: told?.message };
}

export const messages = {
  name: "messages",
  dialect: "anthropic_messages",
  sdk: "@anthropic-ai/sdk",
  says: { resultErrors: true },
  request,
  follow,
  ask,
  finishes: { stop: "end_turn", length: "max_tokens", calls: "tool_use" },
  failure,
  invalid: { status: 400, type: "invalid_request_error", name: "BadRequestError" },
  limited: { status: 429, type: "rate_limit_error", name: "RateLimitError" },
};
