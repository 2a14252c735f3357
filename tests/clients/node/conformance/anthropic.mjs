// npm @anthropic-ai/sdk: messages over every route.
import assert from "node:assert/strict";
import { test } from "node:test";
import Anthropic from "@anthropic-ai/sdk";

import { amber, both, harbors, picture, report, scenes, weather } from "../lib/scene.mjs";

export const makeAnthropic = ({ url, key }) =>
  new Anthropic({ baseURL: url, apiKey: key, maxRetries: 0, timeout: 20_000 });

const user = (content) => ({ role: "user", content });
const used = ({ usage: u }) => ({
  input: u.input_tokens + (u.cache_read_input_tokens ?? 0) + (u.cache_creation_input_tokens ?? 0),
  output: u.output_tokens,
});
const textOf = ({ content }) =>
  content.filter(({ type }) => type === "text").map(({ text }) => text).join("");
const tool = ({ name, description, parameters }) =>
  ({ name, description, input_schema: parameters });
const runnable = (spec, seen) => ({
  type: "custom",
  ...tool(spec),
  parse: (values) => values,
  run: (values) => {
    seen.push({ name: spec.name, values });
    return spec.result;
  },
});
const format = { type: "json_schema", schema: report.schema };

export function messageScenes(world) {
  const scene = scenes(world, "anthropic", makeAnthropic);
  const base = ({ model }) => ({ model: model.name, max_tokens: 400 });

  scene("text, whole", async (anthropic, context) => {
    const reply = await anthropic.messages.create(
      { ...base(context), messages: [user(amber.ask)] });
    assert.equal(reply.type, "message");
    assert.equal(reply.role, "assistant");
    assert.equal(textOf(reply), amber.answer);
    assert.equal(reply.stop_reason, "end_turn");
    assert.ok(reply._request_id, "the SDK finds no request id");
    return [used(reply)];
  });

  scene("text, streamed", async (anthropic, context) => {
    const stream = anthropic.messages.stream({ ...base(context), messages: [user(amber.ask)] });
    let text = "";
    stream.on("text", (delta) => (text += delta));
    const reply = await stream.finalMessage();
    assert.equal(text, amber.answer);
    assert.equal(textOf(reply), amber.answer);
    assert.equal(reply.stop_reason, "end_turn");
    return [used(reply)];
  });

  scene("text, streamed, event by event", async (anthropic, context) => {
    const types = [];
    for await (const event of await anthropic.messages.create(
      { ...base(context), messages: [user(amber.ask)], stream: true })) {
      types.push(event.type);
    }
    assert.equal(types[0], "message_start");
    assert.equal(types.at(-1), "message_stop");
    assert.ok(types.indexOf("content_block_start") < types.indexOf("content_block_delta"));
    assert.ok(types.lastIndexOf("content_block_stop") < types.indexOf("message_delta"));
    return [null];
  });

  scene("several turns", async (anthropic, context) => {
    const reply = await anthropic.messages.create({
      ...base(context),
      system: "You are a lighthouse keeper.",
      messages: [
        user("My boat is the Petrel."),
        { role: "assistant", content: "A fine boat." },
        user(amber.ask),
      ],
    });
    assert.equal(textOf(reply), amber.answer);
    await context.upstreamGot("lighthouse keeper", "Petrel", "A fine boat.");
    return [used(reply)];
  });

  scene("a tool, called and answered", async (anthropic, context) => {
    const messages = [user(weather.ask)];
    const params = { ...base(context), tools: [tool(weather)] };
    const first = await anthropic.messages.create({ ...params, messages });
    assert.equal(first.stop_reason, "tool_use");
    const calls = first.content.filter(({ type }) => type === "tool_use");
    assert.equal(calls.length, 1);
    assert.equal(calls[0].name, weather.name);
    assert.deepEqual(calls[0].input, weather.arguments);
    messages.push({ role: "assistant", content: first.content }, user([
      { type: "tool_result", tool_use_id: calls[0].id, content: weather.result },
    ]));
    const second = await anthropic.messages.create({ ...params, messages });
    assert.match(textOf(second), /7 degrees/);
    assert.equal(second.stop_reason, "end_turn");
    return [used(first), used(second)];
  });

  scene("two tools at once, streamed", async (anthropic, context) => {
    const messages = [user(both.ask)];
    const params = { ...base(context), tools: [tool(weather), tool(harbors)] };
    const first = await anthropic.messages.stream({ ...params, messages }).finalMessage();
    assert.equal(first.stop_reason, "tool_use");
    const calls = first.content.filter(({ type }) => type === "tool_use");
    assert.deepEqual(calls.map(({ name, input }) => ({ name, input })), [
      { name: weather.name, input: weather.arguments },
      { name: harbors.name, input: {} },
    ]);
    messages.push({ role: "assistant", content: first.content }, user(calls.map(
      ({ id, name }) => ({
        type: "tool_result",
        tool_use_id: id,
        content: [{ type: "text", text: name === weather.name ? weather.result : harbors.result }],
      }))));
    const second = await anthropic.messages.stream({ ...params, messages }).finalMessage();
    assert.match(textOf(second), /7 degrees.*Bergen/s);
    return [used(first), used(second)];
  });

  scene("a tool without arguments, run by the SDK", async (anthropic, context) => {
    const seen = [];
    const turns = [];
    for await (const turn of anthropic.beta.messages.toolRunner({
      ...base(context), messages: [user(harbors.ask)], tools: [runnable(harbors, seen)],
    })) {
      turns.push(turn);
    }
    assert.deepEqual(seen, [{ name: harbors.name, values: {} }]);
    assert.match(textOf(turns.at(-1)), /Bergen/);
    // The runner wants the provider to keep its conversation. Weir says, in words that the SDK
    // knows, where none can, and the SDK goes on without; the independent mock takes no notice.
    return [{ refused: 400 }, ...turns.map(used)];
  }, { only: ({ dialect }) => !world.upstream.independent || dialect !== "anthropic" });

  scene("output by a JSON schema", async (anthropic, context) => {
    const reply = await anthropic.messages.create(
      { ...base(context), messages: [user(report.ask)], output_config: { format } });
    assert.deepEqual(JSON.parse(textOf(reply)), report.value);
    return [used(reply)];
  });

  scene("output by a JSON schema, streamed", async (anthropic, context) => {
    const reply = await anthropic.messages.stream(
      { ...base(context), messages: [user(report.ask)], output_config: { format } }).finalMessage();
    assert.deepEqual(JSON.parse(textOf(reply)), report.value);
    return [used(reply)];
  });

  scene("an image in the prompt", async (anthropic, context) => {
    const reply = await anthropic.messages.create({
      ...base(context),
      messages: [user([
        { type: "image",
          source: { type: "base64", media_type: picture.type, data: picture.base64 } },
        { type: "text", text: picture.ask },
      ])],
    });
    assert.equal(textOf(reply), amber.answer);
    await context.upstreamGot(picture.base64);
    return [used(reply)];
  });

  if (world.upstream.independent) return;

  scene("an answer cut at max_tokens", async (anthropic, { model }) => {
    const reply = await anthropic.messages.create(
      { model: model.name, max_tokens: 3, messages: [user(amber.ask)] });
    assert.equal(reply.stop_reason, "max_tokens");
    assert.equal(reply.usage.output_tokens, 3);
    return [used(reply)];
    // OpenAI's Responses take no limit below 16.
  }, { only: ({ name }) => name !== "via-responses-only" });

  const native = { only: ({ dialect }) => dialect === "anthropic" };

  scene("thinking, and its signature sent back", async (anthropic, context) => {
    const messages = [user(weather.ask)];
    const params = {
      ...base(context), max_tokens: 4000, tools: [tool(weather)],
      thinking: { type: "enabled", budget_tokens: 2000 },
    };
    const first = await anthropic.messages.stream({ ...params, messages }).finalMessage();
    const [thought] = first.content;
    assert.equal(thought.type, "thinking");
    assert.ok(thought.thinking && thought.signature);
    const call = first.content.find(({ type }) => type === "tool_use");
    messages.push({ role: "assistant", content: first.content }, user([
      { type: "tool_result", tool_use_id: call.id, content: weather.result },
    ]));
    const second = await anthropic.messages.create({ ...params, messages });
    assert.match(textOf(second), /7 degrees/);
    await context.upstreamGot(thought.signature);
    return [used(first), used(second)];
  }, native);

  scene("a prompt cache, written and read", async (anthropic, context) => {
    const ask = () => anthropic.messages.create({
      ...base(context),
      system: [{
        type: "text",
        text: `${context.keyId} ${"A long manual of the harbor. ".repeat(300)}`,
        cache_control: { type: "ephemeral" },
      }],
      messages: [user(amber.ask)],
    });
    const first = await ask();
    const second = await ask();
    assert.ok(first.usage.cache_creation_input_tokens > 1000);
    assert.equal(second.usage.cache_read_input_tokens, first.usage.cache_creation_input_tokens);
    return [
      { ...used(first), cached: 0 },
      { ...used(second), cached: second.usage.cache_read_input_tokens },
    ];
  }, native);
}

export function tokenCounts(world) {
  for (const model of world.models) {
    test(`anthropic -> ${model.name}: count_tokens`, { timeout: 30_000 }, async () => {
      const context = await world.context(model);
      const { input_tokens: count } = await makeAnthropic(context).messages.countTokens(
        { model: model.name, messages: [user("How many tokens is this, roughly speaking?")] });
      assert.ok(count > 3 && count < 40, `${count} tokens`);
    });
  }
}
