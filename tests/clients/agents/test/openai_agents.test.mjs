// OpenAI's agents for JavaScript, over chat and over responses, whole and streamed; and going on
// from an answer by its id.
import assert from "node:assert/strict";
import {
  Agent, OpenAIChatCompletionsModel, OpenAIResponsesModel, run, setTracingDisabled, tool,
} from "@openai/agents";
import OpenAI from "openai";

import { pairs } from "../lib/conversation.mjs";
import { CopyTask } from "../lib/copy_task.mjs";
import { key, modelsFor, World } from "../lib/world.mjs";

setTracingDisabled(true);
const models = { chat: OpenAIChatCompletionsModel, responses: OpenAIResponsesModel };
const modes = ["whole", "stream"];

// With the id of the answer before: who has no such API is sent all that led to it, by Weir.
async function goesOn(route, agent, previousResponseId) {
  const answer = "Good night, harbor.";
  await route.script([{ match: "Say good night", reply: { text: answer } }]);
  const result = await run(agent, "Say good night.", { previousResponseId });
  assert.equal(result.finalOutput, answer);
  const last = (await route.conversations(4)).at(-1);
  assert.deepEqual(last.users.at(-1), "Say good night.");
  if (route.upstream === "responses") {
    assert.equal(last.body.previous_response_id, previousResponseId);
  } else {
    assert.equal(pairs(last).length, 3);
  }
}

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
    if (client === "responses") await goesOn(route, agent, result.lastResponseId);
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
