// OpenAI's agents for JavaScript, over chat and over responses, whole and streamed.
import assert from "node:assert/strict";
import {
  Agent, OpenAIChatCompletionsModel, OpenAIResponsesModel, run, setTracingDisabled, tool,
} from "@openai/agents";
import OpenAI from "openai";

import { CopyTask } from "../lib/copy_task.mjs";
import { key, modelsFor, World } from "../lib/world.mjs";

setTracingDisabled(true);
const models = { chat: OpenAIChatCompletionsModel, responses: OpenAIResponsesModel };
const modes = ["whole", "stream"];

async function copies(route) {
  const [, client, mode] = route.model.split("-");
  const task = new CopyTask();
  await task.script(route);
  const openai = new OpenAI({ baseURL: `${route.url}/v1`, apiKey: key, maxRetries: 0 });
  const agent = new Agent({
    name: "copyist",
    instructions: task.system,
    model: new models[client](openai, route.model),
    tools: task.tools.map((spec) => tool({
      name: spec.name,
      description: spec.description,
      parameters: spec.parameters,
      strict: false,
      execute: async (values) => spec.run(values),
      errorFunction: (_, error) => String(error),
    })),
  });
  if (mode === "whole") {
    const result = await run(agent, task.prompt);
    await task.check(route, result.finalOutput);
    return;
  }
  const result = await run(agent, task.prompt, { stream: true });
  let pieces = 0;
  for await (const { type, data } of result) {
    if (type === "raw_model_stream_event" && data.type === "output_text_delta") ++pieces;
  }
  await result.completed;
  assert.ok(pieces > 5, `${pieces} pieces`);
  await task.check(route, result.finalOutput);
}

const world = await World.start(modelsFor(modes.flatMap((mode) =>
  Object.keys(models).map((client) => `agents-${client}-${mode}`))));
world.tests({ agents: copies });
