// What the SDKs ask for besides conversations: lists of models, files and batches, images, speech,
// transcriptions, moderations, stored responses; and what they read from headers.
import assert from "node:assert/strict";
import { test } from "node:test";
import { toFile } from "openai";

import { until } from "../lib/programs.mjs";
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

// What a batch cost stands in the ledger once, at half the price, however often it is fetched.
async function batchRow(context, { model, input, output }) {
  const of = (rows) => rows.filter(({ endpoint }) => endpoint === "batch");
  await until("the batch's row", async () => of(await context.rows(1)).length > 0);
  const [row, ...others] = of(await context.rows(1));
  assert.equal(others.length, 0);
  const { usage: u } = row;
  assert.equal(row.provider_model, model);
  assert.equal(u.service_tier, "batch");
  assert.equal(u.input + u.cache_read + u.cache_write_5m + u.cache_write_1h, input);
  assert.equal(u.output, output);
  assert.equal(row.cost_state, "final");
  assert.equal(row.cost_nano_usd, u.input * 500 + u.cache_read * 250 + u.cache_write_5m * 1500 +
    u.output * 1000);
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
    assert.ok((await namesOf(openai.batches.list(), ({ id }) => id)).includes(batch.id));
    const results = await (await openai.files.content(batch.output_file_id)).text();
    const [one, ...others] = results.trim().split("\n").map((text) => JSON.parse(text));
    assert.equal(others.length, 0);
    assert.equal(one.custom_id, line.custom_id);
    assert.ok(one.response.body.choices[0].message.content.length > 10);
    await openai.files.content(batch.output_file_id);
    const { prompt_tokens: input, completion_tokens: output } = one.response.body.usage;
    await batchRow(at, { model: "gpt-sim", input, output });
    assert.equal((await openai.files.delete(file.id)).deleted, true);
  });

  test("openai: a file is used, and a stored response deleted", limit, async () => {
    const at = await context();
    const openai = makeOpenAI(at);
    const file = await openai.files.create(
      { file: await toFile(Buffer.from("%PDF-1.4 a page"), "page.pdf"), purpose: "user_data" });
    const content =
      [{ type: "input_file", file_id: file.id }, { type: "input_text", text: amber.ask }];
    const made = await openai.responses.create(
      { model: model.name, input: [{ role: "user", content }] });
    assert.equal(made.output_text, amber.answer);
    await at.upstreamGot(file.id, amber.ask);
    assert.equal((await openai.files.retrieve(file.id)).filename, "page.pdf");
    await openai.responses.delete(made.id);
    await assert.rejects(openai.responses.retrieve(made.id), { status: 404 });
    await assert.rejects(openai.files.retrieve("file-of-nobody"), { status: 404 });
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

export function anthropicFiles(world) {
  const model = world.model("via-anthropic");

  test("anthropic: a file goes up, comes back and is used", limit, async () => {
    const at = await world.context(model, { models: [model.name] });
    const { files, messages } = makeAnthropic(at).beta;
    const bytes = Buffer.alloc(300_000, "a line of a document\n");
    const file = await files.upload({ file: await toFile(bytes, "lines.txt") });
    assert.equal(file.size_bytes, bytes.length);
    const content = await (await files.download(file.id)).arrayBuffer();
    assert.ok(Buffer.from(content).equals(bytes), "the bytes differ");
    assert.equal((await files.retrieveMetadata(file.id)).filename, "lines.txt");
    assert.ok((await namesOf(files.list(), ({ id }) => id)).includes(file.id));
    const said = await messages.create({ model: model.name, max_tokens: 50,
      betas: ["files-api-2025-04-14"], messages: [{ role: "user", content: [
        { type: "document", source: { type: "file", file_id: file.id } },
        { type: "text", text: amber.ask }] }] });
    assert.equal(said.content[0].text, amber.answer);
    await at.upstreamGot(file.id, amber.ask);
    assert.equal((await files.delete(file.id)).type, "file_deleted");
    await assert.rejects(files.retrieveMetadata(file.id), { status: 404 });
  });

  test("anthropic: a batch", limit, async () => {
    const at = await world.context(model, { models: [model.name] });
    const { batches } = makeAnthropic(at).messages;
    const params = { model: model.name, max_tokens: 50,
      messages: [{ role: "user", content: amber.ask }] };
    const made = await batches.create({ requests: [
      { custom_id: "one", params }, { custom_id: "two", params }] });
    assert.equal((await batches.retrieve(made.id)).processing_status, "ended");
    assert.ok((await namesOf(batches.list(), ({ id }) => id)).includes(made.id));
    const used = { input: 0, output: 0 };
    for (let i = 0; i < 2; ++i) {
      const results = [];
      for await (const one of await batches.results(made.id)) results.push(one);
      assert.deepEqual(results.map((one) => one.custom_id), ["one", "two"]);
      for (const { result: { type, message } } of results) {
        assert.equal(type, "succeeded");
        assert.ok(message.content[0].text.length > 10);
        if (i > 0) continue;
        const { usage: u } = message;
        used.input += u.input_tokens + u.cache_read_input_tokens + u.cache_creation_input_tokens;
        used.output += u.output_tokens;
      }
    }
    await batchRow(at, { model: "claude-sim", ...used });
    assert.equal((await batches.delete(made.id)).type, "message_batch_deleted");
    await assert.rejects(batches.retrieve(made.id), { status: 404 });
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
