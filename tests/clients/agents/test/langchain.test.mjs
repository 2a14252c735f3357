// LangChain: its agent, whole and streamed, and structured output, with its models for OpenAI (chat
// and responses), Anthropic and Google.
import assert from "node:assert/strict";
import { ChatAnthropic } from "@langchain/anthropic";
import { ChatGoogleGenerativeAI } from "@langchain/google-genai";
import { ChatOpenAI } from "@langchain/openai";
import { createAgent, tool } from "langchain";

import { report } from "../../node/lib/scene.mjs";
import { CopyTask } from "../lib/copy_task.mjs";
import { key, modelsFor, World } from "../lib/world.mjs";

const openai = ({ url, model }, rest = {}) => new ChatOpenAI({ model, apiKey: key, maxRetries: 0,
  configuration: { baseURL: `${url}/v1` }, ...rest });
const clients = {
  chat: (route) => openai(route),
  responses: (route) => openai(route, { useResponsesApi: true }),
  anthropic: ({ url, model }) => new ChatAnthropic({ model, apiKey: key, maxRetries: 0,
    maxTokens: 1000, anthropicApiUrl: url }),
  google: ({ url, model }) => new ChatGoogleGenerativeAI({ model, apiKey: key, maxRetries: 0,
    baseUrl: url }),
};
const modes = ["whole", "stream", "object"];

async function copy(route, model, mode) {
  const task = new CopyTask();
  await task.script(route);
  const agent = createAgent({
    model,
    systemPrompt: task.system,
    tools: task.tools.map((spec) => tool(async (values) => {
      try {
        return spec.run(values);
      } catch (error) {
        return error.message;
      }
    }, { name: spec.name, description: spec.description, schema: spec.parameters })),
  });
  const input = { messages: [{ role: "user", content: task.prompt }] };
  if (mode === "whole") {
    const { messages } = await agent.invoke(input);
    await task.check(route, messages.at(-1).text);
    return;
  }
  let answer = "";
  let pieces = 0;
  let node;
  for await (const [chunk, place] of await agent.stream(input, { streamMode: "messages" })) {
    if (place.langgraph_node !== node) answer = "";
    node = place.langgraph_node;
    if (!chunk.text) continue;
    answer += chunk.text;
    ++pieces;
  }
  assert.ok(pieces > 5, `${pieces} pieces`);
  await task.check(route, answer);
}

async function structured(route, model) {
  const asker = model.withStructuredOutput(report.schema, { name: report.name });
  assert.deepEqual(await asker.invoke(report.ask), report.value);
  await route.conversations(1, { scripted: false });
}

async function run(route) {
  const [, client, mode] = route.model.split("-");
  const model = clients[client](route);
  await (mode === "object" ? structured(route, model) : copy(route, model, mode));
}

const world = await World.start(modelsFor(modes.flatMap((mode) =>
  Object.keys(clients).map((client) => `langchain-${client}-${mode}`))));
world.tests({ langchain: run });
