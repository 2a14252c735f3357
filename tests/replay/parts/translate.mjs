// A client of another API than the provider's: the official SDK of the client reads the same text,
// tool calls, finish, usage and reasoning that the recording has, streamed and whole.
import assert from "node:assert/strict";

import { pieces } from "../../lib/pieces.mjs";
import { accountFor, accounts, checkRequest, clientKey } from "../lib/accounts.mjs";
import { answering, answerOf, argumentsOf, expectedFor, translatable } from "../lib/answers.mjs";
import { isWhole, requestFor, tellsError } from "../lib/clients.mjs";
import { callSdk, sdkNames } from "../lib/sdks.mjs";
import { eventsOf, readEvents, streamBytes, streamType } from "../lib/wire.mjs";
import { checkRow } from "./relay.mjs";

// Half of one message and then another one: no reader can tell what the answer was.
function isSpliced({ dialect, lines }) {
  if (dialect !== "anthropic_messages") return false;
  const ids = lines.map(argumentsOf).filter(({ type }) => type === "message_start")
    .map(({ message }) => message.id);
  return new Set(ids).size > 1;
}

export const isBroken = (recording) => recording.streamed && (isSpliced(recording) ||
  recording.lines.some((line) => tellsError(recording.dialect, line)) ||
  !isWhole(recording.dialect, eventsOf(recording), true));

function planFor(upstream, recording) {
  if (!recording.streamed) {
    return upstream.plan({ type: "application/json",
      pieces: pieces(Buffer.from(recording.text), "odd") });
  }
  return upstream.plan({ type: streamType(recording.dialect),
    pieces: pieces(streamBytes(recording.dialect, eventsOf(recording)), "odd") });
}

// What the SDK of the provider's own API makes of it, its failure on odd streams included, is the
// same through Weir as without it.
async function sameThrough({ upstream, gateway }, recording, account, stream) {
  const seen = [];
  for (const url of [upstream.plainUrl, gateway.url]) {
    const plan = planFor(upstream, recording);
    const { answer, error } = await callSdk(recording.dialect,
      { url, key: clientKey, model: account, prompt: plan.prompt, stream });
    seen.push(answer ?? `${error.constructor.name}: ${error.message}`);
  }
  assert.deepEqual(seen[1], seen[0]);
}

async function translate({ upstream, gateway }, recording, account, client, stream) {
  const plan = planFor(upstream, recording);
  const { dialect } = recording;
  const { answer, error, head } = await callSdk(client,
    { url: gateway.url, key: clientKey, model: account, prompt: plan.prompt, stream });
  const id = head.headers?.get("x-weir-request-id");
  checkSent(checkRequest(plan, account, dialect, stream), dialect, plan);
  if (isBroken(recording)) {
    assert.ok(error, "an error where the recording has one");
    return { id, verify: (row) => assert.match(row.outcome, /^(error|truncated)$/) };
  }
  if (error) throw error;
  const told = answerOf(recording);
  const expected = expectedFor(client, told);
  if (!told.usage) delete answer.usage;
  if (!told.usage) delete expected.usage;
  assert.deepEqual(answer, expected);
  return { id, verify: (row) => checkRow(row, {
    account, dialect: client, streamed: stream, status: 200, outcome: "ok", usage: told.usage }) };
}

// What no SDK asks for: Gemini's stream as one JSON array, and OpenAI's without the usage.
async function translateRaw({ upstream, gateway }, recording, account, client) {
  const plan = planFor(upstream, recording);
  const { target, ...request } = requestFor(client, account, plan.prompt,
    { stream: true, array: client === "gemini" });
  const reply = await gateway.post(target, request);
  const text = reply.body.toString();
  assert.equal(reply.status, 200, text.slice(0, 300));
  const expected = expectedFor(client, answerOf(recording));
  let lines;
  if (client === "gemini") {
    assert.match(reply.headers["content-type"], /^application\/json/);
    lines = JSON.parse(text).map((element) => JSON.stringify(element));
  } else {
    lines = readEvents(text).events.map(({ data }) => data);
    assert.equal(lines.pop(), "[DONE]");
    for (const line of lines) assert.ok(!JSON.parse(line).usage, line);
    delete expected.usage;
  }
  const answer = answerOf({ dialect: client, streamed: true, lines });
  if (!expected.usage) delete expected.usage;
  const { usage, ...rest } = expectedFor(client, answer);
  assert.deepEqual(expected.usage ? { ...rest, usage } : rest, expected);
  return { id: reply.headers["x-weir-request-id"],
    verify: (row) => assert.equal(row.outcome, "ok") };
}

// Embeddings between OpenAI's API, Google's and Amazon's: the same numbers.
async function embed({ upstream, gateway }, recording, account, client) {
  const plan = upstream.plan({ type: "application/json", pieces: [Buffer.from(recording.text)] });
  const { target, ...request } = requestFor(client, account, plan.prompt);
  const reply = await gateway.post(target, request);
  assert.equal(reply.status, 200, reply.body.toString());
  checkRequest(plan, account, recording.dialect, false);
  const vectors = {
    bedrock_titan: ({ embedding }) => [embedding],
    bedrock_nova: ({ embeddings }) => embeddings.map(({ embedding }) => embedding),
    bedrock_cohere: ({ embeddings }) => embeddings.float ?? embeddings,
    openai_embeddings: ({ data }) => data.map(({ embedding }) => embedding),
    gemini_embeddings: ({ embeddings }) => embeddings.map(({ values }) => values),
  };
  const sent = JSON.parse(recording.text);
  assert.deepEqual(vectors[client](JSON.parse(reply.body)), vectors[recording.dialect](sent));
  return { id: reply.headers["x-weir-request-id"],
    verify: (row) => assert.equal(row.outcome, "ok") };
}

// Reranking at Bedrock, for a client of Cohere's API: the same order and scores.
async function rerank({ upstream, gateway }, recording, account) {
  const plan = upstream.plan({ type: "application/json", pieces: [Buffer.from(recording.text)] });
  const documents = Array.from({ length: 6 }, (_, i) => `document ${i}`);
  const reply = await gateway.post("/v2/rerank", { body: JSON.stringify(
    { model: account, query: plan.prompt, documents, top_n: 2 }) });
  assert.equal(reply.status, 200, reply.body.toString());
  const body = checkRequest(plan, account, recording.dialect, false);
  if (body.sources) {
    assert.deepEqual(body.sources.map((source) => source.inlineDocumentSource.textDocument.text),
      documents);
    const { bedrockRerankingConfiguration: config } = body.rerankingConfiguration;
    assert.equal(config.numberOfResults, 2);
    assert.equal(config.modelConfiguration.modelArn,
      `arn:aws:bedrock:us-east-1::foundation-model/${accounts[account].upstream}`);
  } else {
    assert.deepEqual(body, { api_version: 2, query: plan.prompt, documents, top_n: 2 });
  }
  assert.deepEqual(JSON.parse(reply.body).results,
    JSON.parse(recording.text).results.map((result) => ({ index: result.index,
      relevance_score: result.relevanceScore ?? result.relevance_score })));
  return { id: reply.headers["x-weir-request-id"],
    verify: (row) => assert.equal(row.outcome, "ok") };
}

// The conversation in the provider's own form.
function checkSent(body, dialect, { prompt }) {
  const tool = { openai_chat: () => body.tools[0].function.name,
    openai_responses: () => body.tools[0].name,
    anthropic_messages: () => body.tools[0].name,
    bedrock_converse: () => body.toolConfig.tools[0].toolSpec.name,
    gemini: () => body.tools[0].functionDeclarations[0].name };
  assert.equal(tool[dialect](), "get_weather");
  const said = { openai_chat: () => body.messages.at(-1),
    openai_responses: () => body.input.at(-1), anthropic_messages: () => body.messages.at(-1),
    bedrock_converse: () => body.messages.at(-1), gemini: () => body.contents.at(-1) };
  assert.ok(JSON.stringify(said[dialect]()).includes(prompt), "the prompt");
  const system = { openai_chat: () => body.messages[0],
    openai_responses: () => body.instructions, anthropic_messages: () => body.system,
    bedrock_converse: () => body.system, gemini: () => body.systemInstruction };
  assert.ok(JSON.stringify(system[dialect]()).includes("from recordings"), "the system prompt");
}

function addEmbeddings(checks, world, recordings) {
  const clients = ["openai_embeddings", "gemini_embeddings"];
  const apis = [...clients, "bedrock_titan", "bedrock_nova", "bedrock_cohere"];
  for (const recording of recordings) {
    if (!apis.includes(recording.dialect)) continue;
    for (const client of clients.filter((api) => api !== recording.dialect)) {
      checks.add(`translate ${recording.name} to ${client}`,
        () => embed(world, recording, recording.accounts[0], client));
    }
  }
}

export function addTranslate(checks, world, recordings) {
  addEmbeddings(checks, world, recordings);
  for (const recording of recordings.filter(({ dialect }) => dialect === "bedrock_rerank")) {
    checks.add(`translate ${recording.name} to rerank`,
      () => rerank(world, recording, recording.accounts[0]));
  }
  const turns = recordings.flatMap((recording) => recording.turns)
    .filter(({ dialect, text, streamed }) => answering.includes(dialect) &&
      (streamed || !JSON.parse(text).error));
  for (const recording of turns) {
    const { name, dialect } = recording;
    for (const client of translatable) {
      const account = accountFor(recording, client);
      const label = `${name} to ${sdkNames[client]}`;
      if (client === dialect) {
        if (isBroken(recording)) continue;
        checks.add(`same through ${label}`,
          () => sameThrough(world, recording, account, recording.streamed));
        continue;
      }
      checks.add(`translate ${label}`,
        () => translate(world, recording, account, client, recording.streamed));
      if (recording.streamed && ["openai_chat", "gemini"].includes(client) &&
          !isBroken(recording)) {
        const what = client === "gemini" ? "an array" : "chat without usage";
        checks.add(`translate ${name} to ${what}`,
          () => translateRaw(world, recording, account, client));
      }
      if (recording.streamed) continue;
      // A provider that answers whole although a stream was asked for.
      checks.add(`translate ${label}, streamed`,
        () => translate(world, recording, account, client, true));
    }
  }
}
