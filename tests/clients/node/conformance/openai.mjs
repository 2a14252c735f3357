// npm openai: chat completions over every route, and what else the SDK asks for on OpenAI's own.
import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI, { AzureOpenAI } from "openai";

import { amber, both, harbors, picture, report, scenes, weather } from "../lib/scene.mjs";

export const makeOpenAI = ({ url, key }) =>
  new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0, timeout: 20_000 });

const user = (content) => ({ role: "user", content });
const used = ({ usage }) => ({ input: usage.prompt_tokens, output: usage.completion_tokens });
const tool = ({ name, description, parameters }) =>
  ({ type: "function", function: { name, description, parameters } });
const runnable = (spec, seen) => ({
  type: "function",
  function: {
    name: spec.name,
    description: spec.description,
    parameters: spec.parameters,
    parse: JSON.parse,
    function: (values) => {
      seen.push({ name: spec.name, values });
      return spec.result;
    },
  },
});
const schema = {
  type: "json_schema",
  json_schema: { name: report.name, schema: report.schema, strict: true },
};

async function collect(stream) {
  const all = { text: "", chunks: 0, usage: undefined, finish: undefined };
  for await (const chunk of stream) {
    ++all.chunks;
    if (chunk.usage) all.usage = chunk.usage;
    const [choice] = chunk.choices;
    all.text += choice?.delta.content ?? "";
    all.finish = choice?.finish_reason ?? all.finish;
  }
  return all;
}

export function chatScenes(world, client = "openai", make = makeOpenAI) {
  const scene = scenes(world, client, make);

  scene("text, whole", async (openai, { model }) => {
    const reply = await openai.chat.completions.create(
      { model: model.name, messages: [user(amber.ask)] });
    assert.equal(reply.object, "chat.completion");
    assert.equal(reply.choices[0].message.content, amber.answer);
    assert.equal(reply.choices[0].message.role, "assistant");
    assert.equal(reply.choices[0].finish_reason, "stop");
    assert.equal(reply.usage.total_tokens,
      reply.usage.prompt_tokens + reply.usage.completion_tokens);
    return [used(reply)];
  });

  scene("text, streamed, with usage", async (openai, { model }) => {
    const all = await collect(await openai.chat.completions.create({
      model: model.name, messages: [user(amber.ask)],
      stream: true, stream_options: { include_usage: true },
    }));
    assert.equal(all.text, amber.answer);
    assert.equal(all.finish, "stop");
    assert.ok(all.chunks > 3);
    return [used(all)];
  });

  scene("text, streamed, no usage asked for", async (openai, { model }) => {
    const all = await collect(await openai.chat.completions.create(
      { model: model.name, messages: [user(amber.ask)], stream: true }));
    assert.equal(all.text, amber.answer);
    assert.equal(all.finish, "stop");
    assert.equal(all.usage, undefined, "usage that the client did not ask for");
    return [null];
  });

  scene("several turns", async (openai, context) => {
    const reply = await openai.chat.completions.create({
      model: context.model.name,
      messages: [
        { role: "system", content: "You are a lighthouse keeper." },
        user("My boat is the Petrel."),
        { role: "assistant", content: "A fine boat." },
        user(amber.ask),
      ],
    });
    assert.equal(reply.choices[0].message.content, amber.answer);
    await context.upstreamGot("lighthouse keeper", "Petrel", "A fine boat.");
    return [used(reply)];
  });

  scene("a tool, called and answered", async (openai, context) => {
    const messages = [user(weather.ask)];
    const base = { model: context.model.name, tools: [tool(weather)] };
    const first = await openai.chat.completions.create({ ...base, messages });
    const { message, finish_reason: finish } = first.choices[0];
    assert.equal(finish, "tool_calls");
    assert.equal(message.tool_calls.length, 1);
    const [call] = message.tool_calls;
    assert.equal(call.type, "function");
    assert.equal(call.function.name, weather.name);
    assert.deepEqual(JSON.parse(call.function.arguments), weather.arguments);
    assert.ok(call.id);
    messages.push(message, { role: "tool", tool_call_id: call.id, content: weather.result });
    const second = await openai.chat.completions.create({ ...base, messages });
    assert.match(second.choices[0].message.content, /7 degrees/);
    assert.equal(second.choices[0].finish_reason, "stop");
    return [used(first), used(second)];
  });

  scene("two tools at once, streamed, run by the SDK", async (openai, context) => {
    const seen = [];
    const runner = openai.chat.completions.runTools({
      model: context.model.name, messages: [user(both.ask)], stream: true,
      stream_options: { include_usage: true },
      tools: [runnable(weather, seen), runnable(harbors, seen)],
    });
    const text = await runner.finalContent();
    assert.deepEqual(seen, [
      { name: weather.name, values: weather.arguments },
      { name: harbors.name, values: harbors.arguments },
    ]);
    assert.match(text, /7 degrees.*Bergen/s);
    return runner.allChatCompletions().map(used);
  });

  scene("a tool without arguments, run by the SDK", async (openai, context) => {
    const seen = [];
    const runner = openai.chat.completions.runTools({
      model: context.model.name, messages: [user(harbors.ask)], tools: [runnable(harbors, seen)],
    });
    assert.match(await runner.finalContent(), /Bergen/);
    assert.deepEqual(seen, [{ name: harbors.name, values: {} }]);
    return runner.allChatCompletions().map(used);
  });

  scene("output by a JSON schema", async (openai, { model }) => {
    const reply = await openai.chat.completions.parse(
      { model: model.name, messages: [user(report.ask)], response_format: schema });
    assert.deepEqual(JSON.parse(reply.choices[0].message.content), report.value);
    return [used(reply)];
  });

  scene("output by a JSON schema, streamed", async (openai, { model }) => {
    const stream = openai.chat.completions.stream({
      model: model.name, messages: [user(report.ask)], response_format: schema,
      stream_options: { include_usage: true },
    });
    const reply = await stream.finalChatCompletion();
    assert.deepEqual(JSON.parse(reply.choices[0].message.content), report.value);
    return [used(reply)];
  });

  scene("an image in the prompt", async (openai, context) => {
    const reply = await openai.chat.completions.create({
      model: context.model.name,
      messages: [user([
        { type: "text", text: picture.ask },
        { type: "image_url",
          image_url: { url: `data:${picture.type};base64,${picture.base64}`, detail: "low" } },
      ])],
    });
    assert.equal(reply.choices[0].message.content, amber.answer);
    await context.upstreamGot(picture.base64);
    return [used(reply)];
  });

  // What follows needs an upstream that obeys limits, which the independent mock does not.
  if (world.upstream.independent) return;

  scene("an answer cut at max_tokens", async (openai, { model }) => {
    const reply = await openai.chat.completions.create(
      { model: model.name, messages: [user(amber.ask)], max_tokens: 3 });
    assert.equal(reply.choices[0].finish_reason, "length");
    assert.equal(reply.usage.completion_tokens, 3);
    return [used(reply)];
    // OpenAI's Responses take no limit below 16.
  }, { only: ({ name }) => name !== "via-responses-only" });

  scene("a tool that must be called", async (openai, { model }) => {
    const reply = await openai.chat.completions.create({
      model: model.name, messages: [user("Go on.")], tools: [tool(weather), tool(harbors)],
      tool_choice: { type: "function", function: { name: harbors.name } },
    });
    assert.equal(reply.choices[0].message.tool_calls[0].function.name, harbors.name);
    return [used(reply)];
  });
}

// OpenAI's responses, of providers that have them and of others, and its elder completions.
export function openaiSurface(world) {
  const native = {
    only: ({ name }) => ["via-openai", "via-azure-v1", "via-azure-classic"].includes(name),
  };
  const scene = scenes(world, "openai", makeOpenAI);
  const told = ({ usage }) => ({ input: usage.input_tokens, output: usage.output_tokens });

  scene("responses, whole", async (openai, { model }) => {
    const reply = await openai.responses.create({ model: model.name, input: amber.ask });
    assert.equal(reply.status, "completed");
    assert.equal(reply.output_text, amber.answer);
    return [told(reply)];
  });

  scene("responses, streamed", async (openai, { model }) => {
    let text = "";
    let last;
    for await (const event of await openai.responses.create(
      { model: model.name, input: amber.ask, stream: true })) {
      if (event.type === "response.output_text.delta") text += event.delta;
      last = event;
    }
    assert.equal(text, amber.answer);
    assert.equal(last.type, "response.completed");
    return [told(last.response)];
  });

  scene("responses, a tool and its result", async (openai, { model }) => {
    const tools = [{ type: "function", strict: true, name: weather.name,
      description: weather.description, parameters: weather.parameters }];
    const input = [user(weather.ask)];
    const first = await openai.responses.create({ model: model.name, tools, input });
    const call = first.output.find(({ type }) => type === "function_call");
    assert.equal(call.name, weather.name);
    assert.deepEqual(JSON.parse(call.arguments), weather.arguments);
    input.push(...first.output,
      { type: "function_call_output", call_id: call.call_id, output: weather.result });
    const second = await openai.responses.create({ model: model.name, tools, input });
    assert.match(second.output_text, /7 degrees/);
    return [told(first), told(second)];
  });

  scene("responses, parsed and continued", async (openai, { model }) => {
    const text = { format: { type: "json_schema", name: report.name, strict: true,
      schema: report.schema } };
    const input = [user(report.ask)];
    const first = await openai.responses.parse({ model: model.name, text, input, store: false,
      include: ["reasoning.encrypted_content"] });
    assert.deepEqual(first.output_parsed, report.value);
    input.push(...first.output, user(amber.ask));
    const second = await openai.responses.create({ model: model.name, input, store: false });
    assert.equal(second.output_text, amber.answer);
    return [told(first), told(second)];
  });

  scene("responses, an image and a JSON schema, streamed", async (openai, context) => {
    const stream = openai.responses.stream({
      model: context.model.name,
      input: [user([
        { type: "input_text", text: report.ask },
        { type: "input_image", image_url: `data:${picture.type};base64,${picture.base64}` },
      ])],
      text: { format: { type: "json_schema", name: report.name, schema: report.schema } },
    });
    const reply = await stream.finalResponse();
    assert.deepEqual(JSON.parse(reply.output_text), report.value);
    await context.upstreamGot(picture.base64);
    return [told(reply)];
  });

  if (world.upstream.independent) return;

  scene("completions, whole and streamed", async (openai, { model }) => {
    const whole = await openai.completions.create({ model: model.name, prompt: amber.ask });
    assert.equal(whole.choices[0].text, amber.answer);
    let text = "";
    let usage;
    for await (const chunk of await openai.completions.create({
      model: model.name, prompt: amber.ask, stream: true,
      stream_options: { include_usage: true },
    })) {
      text += chunk.choices[0]?.text ?? "";
      usage = chunk.usage ?? usage;
    }
    assert.equal(text, amber.answer);
    return [used(whole), used({ usage })];
  }, native);
}

export function embeddings(world) {
  const wanted = ["embed-openai",
    ...(world.upstream.independent ? [] : ["embed-gemini", "embed-titan", "embed-cohere"])];
  for (const name of wanted) {
    test(`openai -> ${name}: embeddings`, { timeout: 30_000 }, async () => {
      const context = await world.context({ name });
      const openai = makeOpenAI(context);
      // The SDK asks for base64 unless told otherwise, and turns it into numbers again.
      const one = await openai.embeddings.create({ model: name, input: "harbor" });
      const two = await openai.embeddings.create(
        { model: name, input: ["harbor", "amber"], encoding_format: "float" });
      assert.equal(one.data.length, 1);
      assert.equal(two.data.length, 2);
      assert.deepEqual(two.data.map(({ index }) => index), [0, 1]);
      const rows = await context.rows(2);
      for (const row of rows) assert.equal(row.outcome, "ok", JSON.stringify(row));
      // The mock has one vector for everything that is asked for at once.
      if (world.upstream.independent) return;
      const close = (a, b) => a.length === b.length && a.every((x, i) => Math.abs(x - b[i]) < 1e-6);
      assert.ok(close([...one.data[0].embedding], two.data[0].embedding));
      assert.ok(!close(two.data[0].embedding, two.data[1].embedding));
      rows.forEach((row, i) => {
        // Google's API does not tell what an embedding used.
        const { prompt_tokens: told } = [one, two][i].usage;
        if (name !== "embed-gemini") assert.equal(row.usage.input, told, JSON.stringify(row));
        assert.ok(row.usage.input > 0);
        assert.equal(row.cost_state, name === "embed-gemini" ? "estimated" : "final");
      });
    });
  }
  if (world.upstream.independent) return;
  for (const [name, count] of [["embed-titan", 40], ["embed-cohere", 200]]) {
    test(`openai -> ${name}: ${count} texts`, { timeout: 30_000 }, async () => {
      const context = await world.context({ name });
      const openai = makeOpenAI(context);
      const input = Array.from({ length: count }, (_, i) => `text ${i % 7}`);
      const { data } = await openai.embeddings.create({ model: name, input, dimensions: 256 });
      assert.equal(data.length, count);
      data.forEach(({ index, embedding }, i) => {
        assert.equal(index, i);
        assert.deepEqual([...embedding], [...data[i % 7].embedding]);
      });
      assert.equal((await context.rows(1))[0].attempts.length, 1);
    });
  }
}

// The SDK's own Azure client, against Weir's Azure paths.
export function azureClient(world) {
  chatScenes({ ...asWorld(world), models: world.models.filter(({ name }) => name === "via-openai" ||
    name === "via-azure-classic" || name === "via-anthropic") }, "openai (Azure client)",
  ({ url, key, model }) => new AzureOpenAI({
    endpoint: url, apiKey: key, apiVersion: "2024-10-21", deployment: model.name, maxRetries: 0,
  }));
}

// The same world with other models; its methods stay what they are.
function asWorld(world) {
  return { upstream: world.upstream, context: (model, spec) => world.context(model, spec) };
}
