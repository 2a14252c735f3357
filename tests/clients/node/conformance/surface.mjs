// What the SDKs ask for besides conversations: lists of models, files and batches, images, speech,
// transcriptions, moderations, stored responses; and what they read from headers.
import assert from "node:assert/strict";
import { test } from "node:test";
import { toFile } from "openai";

import { amber } from "../lib/scene.mjs";
import { makeAnthropic } from "./anthropic.mjs";
import { makeGoogle } from "./google.mjs";
import { makeOpenAI } from "./openai.mjs";

const limit = { timeout: 30_000 };
const two = { models: ["via-openai", "via-gemini"] };

async function namesOf(pages, name) {
  const names = [];
  for await (const model of pages) names.push(name(model));
  return names.sort();
}

// All rows of the context are answers that went well.
async function wellKept(context, count) {
  for (const row of await context.rows(count)) {
    assert.equal(row.outcome, "ok", JSON.stringify(row));
    assert.equal(row.status, 200, JSON.stringify(row));
  }
}

export function modelLists(world) {
  const only = world.model("via-openai");

  test("openai: models", limit, async () => {
    const openai = makeOpenAI(await world.context(only, two));
    assert.deepEqual(await namesOf(openai.models.list(), ({ id }) => id), two.models.toSorted());
    const one = await openai.models.retrieve("via-gemini");
    assert.equal(one.object, "model");
    assert.equal(one.id, "via-gemini");
    await assert.rejects(openai.models.retrieve("via-anthropic"), { status: 404 });
  });

  test("anthropic: models", limit, async () => {
    const anthropic = makeAnthropic(await world.context(only, two));
    assert.deepEqual(await namesOf(anthropic.models.list(), ({ id }) => id),
      two.models.toSorted());
    const one = await anthropic.models.retrieve("via-openai");
    assert.equal(one.type, "model");
    await assert.rejects(anthropic.models.retrieve("via-anthropic"), { status: 404 });
  });

  test("google: models", limit, async () => {
    const google = makeGoogle(await world.context(only, two));
    const names = await namesOf(await google.models.list(), ({ name }) => name);
    assert.deepEqual(names, two.models.toSorted().map((name) => `models/${name}`));
    assert.equal((await google.models.get({ model: "via-openai" })).name, "models/via-openai");
    await assert.rejects(google.models.get({ model: "via-anthropic" }), { status: 404 });
  });
}

export function openaiFiles(world) {
  const model = world.model("via-openai");
  const context = () => world.context(model, { models: ["via-openai"] });

  test("openai: a file goes up and comes back byte by byte", limit, async () => {
    const at = await context();
    const openai = makeOpenAI(at);
    const bytes = Buffer.alloc(300_000, "a line of a training file\n");
    const file = await openai.files.create(
      { file: await toFile(bytes, "train.jsonl"), purpose: "batch" });
    assert.equal(file.bytes, bytes.length);
    const content = await openai.files.content(file.id);
    assert.ok(Buffer.from(await content.arrayBuffer()).equals(bytes), "the bytes differ");
    assert.ok((await namesOf(openai.files.list(), ({ id }) => id)).includes(file.id));
    assert.equal((await openai.files.delete(file.id)).deleted, true);
    await wellKept(at, 4);
  });

  // A batch's file may name any model, so that a key with a list of models may make none.
  test("openai: a batch", limit, async () => {
    const at = await world.context(model, {});
    const openai = makeOpenAI(at);
    const line = {
      custom_id: "one", method: "POST", url: "/v1/chat/completions",
      body: { model: "gpt-sim", messages: [{ role: "user", content: amber.ask }] },
    };
    const file = await openai.files.create(
      { file: await toFile(Buffer.from(JSON.stringify(line)), "batch.jsonl"), purpose: "batch" });
    const batch = await openai.batches.create({
      input_file_id: file.id, endpoint: "/v1/chat/completions", completion_window: "24h",
    });
    assert.equal(batch.object, "batch");
    assert.equal((await openai.batches.retrieve(batch.id)).id, batch.id);
    await wellKept(at, 3);
  });

  test("openai: a stored response is read again", limit, async () => {
    const at = await context();
    const openai = makeOpenAI(at);
    const made = await openai.responses.create({ model: model.name, input: amber.ask });
    const read = await openai.responses.retrieve(made.id);
    assert.equal(read.output_text, amber.answer);
    await wellKept(at, 2);
    const [first, second] = await at.rows(2);
    assert.equal(first.usage.output, made.usage.output_tokens);
    assert.equal(second.usage.output, 0, "what is only read again is not billed again");
    assert.equal(second.cost_nano_usd, 0);
  });
}

export function openaiMedia(world) {
  const model = world.model("via-openai");

  test("openai: a moderation", limit, async () => {
    const at = await world.context(model);
    const reply = await makeOpenAI(at).moderations.create(
      { model: model.name, input: "all is well" });
    assert.equal(reply.results.length, 1);
    await wellKept(at, 1);
  });

  test("openai: an image", limit, async () => {
    const at = await world.context(model);
    const reply = await makeOpenAI(at).images.generate(
      { model: model.name, prompt: "a harbor", response_format: "b64_json" });
    assert.ok(reply.data[0].b64_json.length > 10);
    await wellKept(at, 1);
  });

  test("openai: speech and its transcription", limit, async () => {
    const at = await world.context(model);
    const openai = makeOpenAI(at);
    const speech = await openai.audio.speech.create(
      { model: model.name, voice: "alloy", input: "Hello, harbor." });
    const sound = Buffer.from(await speech.arrayBuffer());
    assert.ok(sound.length > 0);
    const heard = await openai.audio.transcriptions.create(
      { model: model.name, file: await toFile(sound, "hello.mp3") });
    assert.equal(typeof heard.text, "string");
    await wellKept(at, 2);
  });
}

export function headers(world) {
  const model = world.model("via-anthropic");

  test("openai: Weir's headers and the limits of the key", limit, async () => {
    const at = await world.context(model, { limits: { rpm: 50, tpm: 100_000 } });
    const { data, response, request_id: id } = await makeOpenAI(at).chat.completions.create(
      { model: model.name, messages: [{ role: "user", content: amber.ask }] }).withResponse();
    const [row] = await at.rows(1);
    const header = (name) => response.headers.get(name);
    assert.equal(id, row.id);
    assert.equal(header("x-weir-request-id"), row.id);
    assert.equal(header("x-weir-deployment"), row.deployment);
    assert.equal(header("x-weir-cost-usd"), row.cost_usd);
    assert.equal(header("x-ratelimit-limit-requests"), "50");
    assert.equal(header("x-ratelimit-remaining-requests"), "49");
    assert.ok(Number(header("x-ratelimit-remaining-tokens")) < 100_000);
    assert.equal(data._request_id, row.id);
  });

  test("anthropic: the limits of the key in Anthropic's words", limit, async () => {
    const at = await world.context(model, { limits: { rpm: 50 } });
    const { response } = await makeAnthropic(at).messages.create({
      model: model.name, max_tokens: 50, messages: [{ role: "user", content: amber.ask }],
    }).withResponse();
    const [row] = await at.rows(1);
    assert.equal(response.headers.get("x-weir-request-id"), row.id);
    // The provider's own id is what its support asks for.
    assert.match(response.headers.get("request-id"), /^req_sim/);
    assert.equal(response.headers.get("anthropic-ratelimit-requests-limit"), "50");
  });
}
