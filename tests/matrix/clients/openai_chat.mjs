// npm openai, chat completions.
import assert from "node:assert/strict";
import OpenAI from "openai";

const choices = { auto: "auto", any: "required" };

export const addressOf = ({ type, data, url }) => url ?? `data:${type};base64,${data}`;

function content(parts) {
  if (parts.every((part) => "text" in part) && parts.length === 1) return parts[0].text;
  return parts.map(({ text, image }) => (image
    ? { type: "image_url", image_url: { url: addressOf(image) } }
    : { type: "text", text }));
}

export function messagesOf({ role, parts }) {
  if (parts[0].result) {
    return parts.map(({ result: { id, text } }) => (
      { role: "tool", tool_call_id: id, content: text }));
  }
  return [{ role, content: content(parts) }];
}

function request(question, model) {
  const { system, turns, tools, choice, format, effort, max, temperature } = question;
  return {
    model,
    messages: [{ role: "system", content: system }, ...turns.flatMap(messagesOf)],
    max_completion_tokens: max,
    ...(temperature && { temperature }),
    ...(tools.length && { tools: tools.map(({ name, description, schema }) => (
      { type: "function", function: { name, description, parameters: schema } })) }),
    ...chosen(choice),
    ...(format && { response_format: { type: "json_schema",
      json_schema: { name: format.name, schema: format.schema, strict: true } } }),
    ...(effort && { reasoning_effort: effort }),
  };
}

const chosen = (choice) => (choice && { tool_choice: choice.name
  ? { type: "function", function: { name: choice.name } } : choices[choice] });

// The conversation goes on as OpenAI's guides have it: the message as it came, then what follows.
function follow(before, native, turn, choice) {
  return { ...before, ...chosen(choice),
    messages: [...before.messages, native, ...messagesOf(turn)] };
}

// Deltas put together by the rules of the API: texts are joined, lists go by `index`.
function mergeDelta(into, delta) {
  for (const [key, value] of Object.entries(delta)) {
    if (Array.isArray(value)) {
      const list = (into[key] ??= []);
      for (const { index, ...entry } of value) mergeDelta(list[index] ??= {}, entry);
    } else if (value && typeof value === "object") {
      mergeDelta(into[key] ??= {}, value);
    } else if (["content", "reasoning_content", "arguments", "text"].includes(key) &&
        typeof value === "string") {
      into[key] = (into[key] ?? "") + value;
    } else {
      into[key] ??= value;
    }
  }
}

async function streamed(client, body, { signal, onText }) {
  const message = {};
  const seen = { finish: undefined, usage: undefined };
  const stream = await client.chat.completions.create(
    { ...body, stream: true, stream_options: { include_usage: true } }, { signal });
  for await (const chunk of stream) {
    assert.equal(chunk.object, "chat.completion.chunk");
    if (chunk.usage) {
      assert.equal(seen.usage, undefined, "usage is told once");
      assert.deepEqual(chunk.choices, []);
      seen.usage = chunk.usage;
      continue;
    }
    const [{ delta, finish_reason: reason }] = chunk.choices;
    assert.equal(seen.finish, undefined, "nothing behind the finish_reason");
    mergeDelta(message, delta);
    if (reason) seen.finish = reason;
    if (delta.content) onText?.(message.content);
  }
  return { message, ...seen };
}

async function ask({ url, key }, body, options) {
  const client = new OpenAI({ apiKey: key, baseURL: `${url}/v1`, maxRetries: 0 });
  let told;
  if (options.stream) {
    told = await streamed(client, body, options);
  } else {
    const completion = await client.chat.completions.create(body, { signal: options.signal });
    assert.equal(completion.object, "chat.completion");
    const [{ message, finish_reason: finish }] = completion.choices;
    told = { message, finish, usage: completion.usage };
  }
  const { message, finish, usage } = told;
  assert.equal(message.role, "assistant");
  return {
    text: message.content ?? "",
    reasoning: message.reasoning_content ?? "",
    calls: (message.tool_calls ?? []).map((call) => (
      { id: call.id, name: call.function.name, args: JSON.parse(call.function.arguments) })),
    finish,
    usage: {
      input: usage.prompt_tokens,
      cached: usage.prompt_tokens_details?.cached_tokens ?? 0,
      output: usage.completion_tokens,
      reasoning: usage.completion_tokens_details?.reasoning_tokens ?? 0,
    },
    native: message,
  };
}

export const openaiFailure = (error) => {
  assert.ok(error instanceof OpenAI.APIError, `${error?.stack}`);
  return { status: error.status, type: error.type, name: error.constructor.name,
    retryAfter: error.headers?.get("retry-after"), message: error.message };
};

export const chat = {
  name: "chat",
  dialect: "openai_chat",
  sdk: "openai",
  says: { resultErrors: false },
  request,
  follow,
  ask,
  finishes: { stop: "stop", length: "length", calls: "tool_calls" },
  failure: openaiFailure,
  invalid: { status: 400, type: "invalid_request_error", name: "BadRequestError" },
  limited: { status: 429, name: "RateLimitError" },
};
