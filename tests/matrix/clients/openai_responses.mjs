// npm openai, Responses. The state is the client's: store is false, and what came goes back.
import assert from "node:assert/strict";
import OpenAI from "openai";

import { addressOf, openaiFailure } from "./openai_chat.mjs";

const choices = { auto: "auto", any: "required" };

function content(role, parts) {
  const type = role === "assistant" ? "output_text" : "input_text";
  return parts.map(({ text, image }) => (image
    ? { type: "input_image", detail: "auto", image_url: addressOf(image) } : { type, text }));
}

function itemsOf({ role, parts }) {
  if (parts[0].result) {
    return parts.map(({ result: { id, text } }) => (
      { type: "function_call_output", call_id: id, output: text }));
  }
  return [{ role, content: content(role, parts) }];
}

const chosen = (choice) => (choice && { tool_choice: choice.name
  ? { type: "function", name: choice.name } : choices[choice] });

function request(question, model) {
  const { system, turns, tools, choice, format, effort, max, temperature } = question;
  return {
    model,
    instructions: system,
    input: turns.flatMap(itemsOf),
    store: false,
    max_output_tokens: max,
    ...(temperature && { temperature }),
    ...(tools.length && { tools: tools.map(({ name, description, schema }) => (
      { type: "function", name, description, parameters: schema, strict: false })) }),
    ...chosen(choice),
    ...(format && { text: { format: { type: "json_schema", name: format.name,
      schema: format.schema, strict: true } } }),
    ...(effort && { reasoning: { effort, summary: "auto" },
      include: ["reasoning.encrypted_content"] }),
  };
}

function follow(before, native, turn, choice) {
  return { ...before, ...chosen(choice), input: [...before.input, ...native, ...itemsOf(turn)] };
}

// What the events say step by step must be what the last one says as a whole.
class Ladder {
  items = [];
  sequence = 0;
  text = "";

  take(event) {
    assert.equal(event.sequence_number, this.sequence++, "sequence_number");
    const item = this.items[event.output_index];
    if (event.item_id) assert.equal(event.item_id, item.id, event.type);
    switch (event.type) {
      case "response.output_item.added":
        assert.equal(event.output_index, this.items.length, "output_index");
        this.items.push({ id: event.item.id, type: event.item.type, said: "" });
        break;
      case "response.output_text.delta":
        this.text += event.delta;
        item.said += event.delta;
        break;
      case "response.reasoning_summary_text.delta":
      case "response.reasoning_text.delta":
      case "response.function_call_arguments.delta":
        item.said += event.delta;
        break;
      case "response.output_text.done":
        assert.equal(event.text, item.said);
        break;
      case "response.function_call_arguments.done":
        assert.equal(event.arguments, item.said);
        break;
      case "response.output_item.done":
        item.done = event.item;
        break;
      default:
        break;
    }
  }

  check(response) {
    assert.deepEqual(response.output, this.items.map(({ done }) => done), "the final output");
    for (const { done, said } of this.items) {
      const texts = done.type === "reasoning" ? [...(done.content ?? []), ...done.summary]
        : done.content;
      assert.equal(texts?.map(({ text }) => text).join("") ?? done.arguments, said);
    }
  }
}

const last = ["response.completed", "response.incomplete"];

async function streamed(client, body, { signal, onText }) {
  const ladder = new Ladder();
  let response;
  const stream = client.responses.stream(body, { signal });
  for await (const event of stream) {
    assert.equal(response, undefined, "nothing behind the end");
    ladder.take(event);
    if (event.type === "response.output_text.delta") onText?.(ladder.text);
    if (event.type === "error") {
      throw new OpenAI.APIError(undefined, event, event.message, undefined);
    }
    if (event.type === "response.failed") {
      throw new OpenAI.APIError(undefined, event.response.error, event.response.error.message,
        undefined);
    }
    if (last.includes(event.type)) ({ response } = event);
  }
  ladder.check(response);
  // The SDK's own reading of the stream, which is stricter about the order of events.
  assert.equal((await stream.finalResponse()).output_text, ladder.text);
  return response;
}

async function ask({ url, key }, body, options) {
  const client = new OpenAI({ apiKey: key, baseURL: `${url}/v1`, maxRetries: 0 });
  const response = options.stream ? await streamed(client, body, options)
    : await client.responses.create(body, { signal: options.signal });
  assert.equal(response.object, "response");
  const { output, usage } = response;
  const of = (type) => output.filter((item) => item.type === type);
  return {
    text: of("message").flatMap((item) => item.content).map((part) => part.text).join(""),
    reasoning: of("reasoning").flatMap((item) => [...(item.content ?? []), ...item.summary])
      .map((part) => part.text).join(""),
    calls: of("function_call").map((item) => (
      { id: item.call_id, name: item.name, args: JSON.parse(item.arguments) })),
    finish: response.incomplete_details?.reason ?? response.status,
    usage: {
      input: usage.input_tokens,
      cached: usage.input_tokens_details.cached_tokens,
      output: usage.output_tokens,
      reasoning: usage.output_tokens_details.reasoning_tokens,
    },
    native: output,
  };
}

export const responses = {
  name: "responses",
  dialect: "openai_responses",
  sdk: "openai",
  says: { resultErrors: false },
  request,
  follow,
  ask,
  finishes: { stop: "completed", length: "max_output_tokens", calls: "completed" },
  failure: openaiFailure,
  invalid: { status: 400, type: "invalid_request_error", name: "BadRequestError" },
  limited: { status: 429, name: "RateLimitError" },
};
