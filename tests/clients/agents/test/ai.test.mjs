// The AI SDK's agent loop: generateText and streamText with tools until the model is done, with its
// providers for OpenAI (chat and responses), Anthropic and Google.
import assert from "node:assert/strict";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";

import { CopyTask } from "../lib/copy_task.mjs";
import { key, modelsFor, World } from "../lib/world.mjs";

const apiKey = key;
const clients = {
  chat: ({ url, model }) => createOpenAI({ baseURL: `${url}/v1`, apiKey }).chat(model),
  responses: ({ url, model }) => createOpenAI({ baseURL: `${url}/v1`, apiKey }).responses(model),
  anthropic: ({ url, model }) => createAnthropic({ baseURL: `${url}/v1`, apiKey })(model),
  google: ({ url, model }) => createGoogleGenerativeAI({ baseURL: `${url}/v1beta`, apiKey })(model),
};
const modes = ["whole", "stream"];

async function run(route) {
  const [, client, mode] = route.model.split("-");
  const task = new CopyTask();
  await task.script(route);
  const options = {
    model: clients[client](route),
    system: task.system,
    prompt: task.prompt,
    tools: Object.fromEntries(task.tools.map((spec) => [spec.name, tool({
      description: spec.description,
      inputSchema: jsonSchema(spec.parameters),
      execute: async (values) => spec.run(values),
    })])),
    stopWhen: stepCountIs(6),
    maxOutputTokens: 1000,
    maxRetries: 0,
  };
  let answer;
  if (mode === "whole") {
    const result = await generateText(options);
    assert.equal(result.finishReason, "stop");
    assert.equal(result.steps.length, 3);
    answer = result.text;
  } else {
    const wrong = [];
    const result = streamText({ ...options, onError: ({ error }) => wrong.push(error) });
    let pieces = 0;
    for await (const { type } of result.fullStream) if (type === "text-delta") ++pieces;
    assert.deepEqual(wrong, []);
    assert.equal((await result.steps).length, 3);
    assert.ok(pieces > 5, `${pieces} pieces`);
    answer = await result.text;
  }
  await task.check(route, answer, { signed: client === "google" });
}

const world = await World.start(modelsFor(modes.flatMap((mode) =>
  Object.keys(clients).map((client) => `ai-${client}-${mode}`))));
world.tests({ ai: run });
