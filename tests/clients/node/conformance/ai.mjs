// npm ai, the AI SDK, with its providers for OpenAI (chat and responses), Anthropic and Google.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import {
  embedMany, generateObject, generateText, jsonSchema, stepCountIs, streamObject, streamText, tool,
} from "ai";

import { amber, both, harbors, picture, report, scenes, weather } from "../lib/scene.mjs";

const openai = ({ url, key }) => createOpenAI({ baseURL: `${url}/v1`, apiKey: key });
export const makers = {
  chat: ({ model, ...at }) => openai(at).chat(model.name),
  responses: ({ model, ...at }) => openai(at).responses(model.name),
  anthropic: ({ model, url, key }) =>
    createAnthropic({ baseURL: `${url}/v1`, apiKey: key })(model.name),
  google: ({ model, url, key }) =>
    createGoogleGenerativeAI({ baseURL: `${url}/v1beta`, apiKey: key })(model.name),
};

const used = ({ inputTokens, outputTokens }) => ({ input: inputTokens, output: outputTokens });
const steps = (result) => result.steps.map(({ usage }) => used(usage));
const runnable = (spec, seen) => tool({
  description: spec.description,
  inputSchema: jsonSchema(spec.parameters),
  execute: async (values) => {
    seen.push({ name: spec.name, values });
    return spec.result;
  },
});
// Errors are the scene's business, not the console's.
const quiet = { maxRetries: 0, onError: () => {} };

function providerScenes(world, provider, only) {
  const client = `ai (${provider})`;
  const scene = (name, run, options = {}) =>
    scenes(world, client, (context) => makers[provider](context))(name, run, { only, ...options });

  scene("text, whole", async (model) => {
    const result = await generateText({ model, prompt: amber.ask, ...quiet });
    assert.equal(result.text, amber.answer);
    assert.equal(result.finishReason, "stop");
    return [used(result.usage)];
  });

  scene("text, streamed", async (model) => {
    const result = streamText({ model, prompt: amber.ask, ...quiet });
    let text = "";
    let pieces = 0;
    for await (const delta of result.textStream) {
      text += delta;
      ++pieces;
    }
    assert.equal(text, amber.answer);
    assert.ok(pieces > 1);
    assert.equal(await result.finishReason, "stop");
    return [used(await result.usage)];
  });

  scene("several turns", async (model, context) => {
    const result = await generateText({
      model,
      ...quiet,
      system: "You are a lighthouse keeper.",
      messages: [
        { role: "user", content: "My boat is the Petrel." },
        { role: "assistant", content: "A fine boat." },
        { role: "user", content: amber.ask },
      ],
    });
    assert.equal(result.text, amber.answer);
    await context.upstreamGot("lighthouse keeper", "Petrel", "A fine boat.");
    return [used(result.usage)];
  });

  // The mock ends Gemini's calls with FUNCTION_CALL, a word that is not Google's: relayed as it is,
  // it keeps this SDK from running the tools.
  const finished = world.upstream.independent && provider === "google"
    ? { only: ({ dialect }) => dialect !== "gemini" } : {};

  scene("a tool, called and answered", async (model) => {
    const seen = [];
    const result = await generateText({
      model, prompt: weather.ask, tools: { [weather.name]: runnable(weather, seen) },
      stopWhen: stepCountIs(3), ...quiet,
    });
    assert.deepEqual(seen, [{ name: weather.name, values: weather.arguments }]);
    assert.equal(result.steps[0].finishReason, "tool-calls");
    assert.match(result.text, /7 degrees/);
    return steps(result);
  }, finished);

  scene("two tools at once, streamed", async (model) => {
    const seen = [];
    const result = streamText({
      model, prompt: both.ask, stopWhen: stepCountIs(3), ...quiet,
      tools: { [weather.name]: runnable(weather, seen), [harbors.name]: runnable(harbors, seen) },
    });
    let text = "";
    for await (const delta of result.textStream) text += delta;
    assert.deepEqual(seen, [
      { name: weather.name, values: weather.arguments },
      { name: harbors.name, values: {} },
    ]);
    assert.match(text, /7 degrees.*Bergen/s);
    return (await result.steps).map(({ usage }) => used(usage));
  }, finished);

  // For a Claude that it does not know the SDK asks for a tool by the name of "json" instead, which
  // the independent mock has no answer for.
  const native = provider === "anthropic"
    ? { providerOptions: { anthropic: { structuredOutputMode: "outputFormat" } } } : {};

  scene("output by a JSON schema", async (model) => {
    const result = await generateObject({
      model, prompt: report.ask, schema: jsonSchema(report.schema), schemaName: report.name,
      maxRetries: 0, ...native,
    });
    assert.deepEqual(result.object, report.value);
    return [used(result.usage)];
  });

  scene("output by a JSON schema, streamed", async (model) => {
    const result = streamObject({
      model, prompt: report.ask, schema: jsonSchema(report.schema), schemaName: report.name,
      ...quiet, ...native,
    });
    let last;
    for await (const partial of result.partialObjectStream) last = partial;
    assert.deepEqual(last, report.value);
    assert.deepEqual(await result.object, report.value);
    return [used(await result.usage)];
  });

  if (provider === "anthropic" && !world.upstream.independent) {
    scene("output by a tool that stands for a schema", async (model) => {
      const result = await generateObject({
        model, prompt: report.ask, schema: jsonSchema(report.schema), maxRetries: 0,
        providerOptions: { anthropic: { structuredOutputMode: "jsonTool" } },
      });
      assert.deepEqual(result.object, report.value);
      return [used(result.usage)];
    });
  }

  scene("an image in the prompt", async (model, context) => {
    const result = await generateText({
      model,
      ...quiet,
      messages: [{ role: "user", content: [
        { type: "text", text: picture.ask },
        { type: "image", image: Buffer.from(picture.base64, "base64"), mediaType: picture.type },
      ] }],
    });
    assert.equal(result.text, amber.answer);
    await context.upstreamGot(picture.base64);
    return [used(result.usage)];
  });
}

export function aiScenes(world) {
  providerScenes(world, "chat", () => true);
  providerScenes(world, "anthropic", () => true);
  providerScenes(world, "google", () => true);
  providerScenes(world, "responses", () => true);
}

export function aiEmbeddings(world) {
  const ways = {
    openai: ({ url, key, model }) => openai({ url, key }).textEmbeddingModel(model.name),
    google: ({ url, key, model }) => createGoogleGenerativeAI(
      { baseURL: `${url}/v1beta`, apiKey: key }).textEmbeddingModel(model.name),
  };
  for (const [way, make] of Object.entries(ways)) {
    for (const name of ["embed-openai", "embed-gemini"]) {
      test(`ai (${way}) -> ${name}: embeddings`, { timeout: 30_000 }, async () => {
        const context = await world.context({ name });
        const result = await embedMany(
          { model: make(context), values: ["harbor", "amber"], maxRetries: 0 });
        assert.equal(result.embeddings.length, 2);
        assert.notDeepEqual(result.embeddings[0], result.embeddings[1]);
        const [row] = await context.rows(1);
        assert.equal(row.outcome, "ok", JSON.stringify(row));
      });
    }
  }
}
