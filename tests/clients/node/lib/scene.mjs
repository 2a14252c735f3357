// A scene is one conversation of one client over one route. It ends with what the client was told
// it used, call by call, and that is held against Weir's ledger: tokens, cost, outcome, deployment.
import assert from "node:assert/strict";
import { test } from "node:test";

// Nano-dollars per token by class: weir.yaml prices every model of these suites alike.
const rates = {
  input: 1000, cache_read: 500, cache_write_5m: 3000, cache_write_1h: 4000, output: 2000,
};

function costOf(usage) {
  return Object.entries(rates).reduce((sum, [name, rate]) => sum + usage[name] * rate, 0);
}

// Calls as the SDK saw them: { input, output } with input of all classes, or null where the SDK
// does not say, or { refused: status }.
export async function checkRows(context, calls, expected = {}) {
  const rows = await context.rows(calls.length);
  const note = JSON.stringify(rows, null, 1);
  assert.equal(rows.length, calls.length, `one row per call: ${note}`);
  const { model } = context;
  calls.forEach((call, i) => {
    const row = rows[i];
    assert.equal(row.status, call?.refused ?? 200, note);
    assert.equal(row.outcome, call?.refused ? "error" : "ok", note);
    assert.equal(row.model_asked, model.name, note);
    assert.equal(row.account, expected.account ?? model.account, note);
    assert.equal(row.provider_model, expected.upstream ?? model.upstream, note);
    assert.equal(row.attempts.length, expected.attempts ?? 1, note);
    if (call === null || call.refused) return;
    const input = row.usage.input + row.usage.cache_read + row.usage.cache_write_5m +
      row.usage.cache_write_1h;
    assert.equal(input, call.input, `input tokens: ${note}`);
    assert.equal(row.usage.output, call.output, `output tokens: ${note}`);
    if (call.cached !== undefined) assert.equal(row.usage.cache_read, call.cached, note);
    assert.ok(call.input > 0, "a client that is told of no input tokens");
    assert.equal(row.cost_state, "final", note);
    assert.equal(row.cost_nano_usd, costOf(row.usage), note);
  });
  return rows;
}

// scenes(world, "openai", makeClient) gives scene(name, run, options): a test for each route.
// options.only: a test of a model, for routes that are meant.
export function scenes(world, client, makeClient) {
  return (name, run, { only = () => true } = {}) => {
    for (const model of world.models.filter(only)) {
      test(`${client} -> ${model.name}: ${name}`, { timeout: 30_000 }, async () => {
        const context = await world.context(model);
        const calls = await run(makeClient(context), context);
        assert.ok(calls.length > 0, "a scene tells what its calls used");
        await checkRows(context, calls);
      });
    }
  };
}

// What the scenes talk about. The simulator calls a tool when its name is mentioned, with the
// least arguments that the tool's schema accepts, and quotes the tool's result in the end.
// The schemas have no bounds, for some SDKs take them out where a provider does not know them.
export const amber = {
  ask: "Say amber, please.",
  answer: "Amber light falls on the quiet harbor tonight.",
};
export const weather = {
  ask: "How is the weather today?",
  name: "get_weather",
  description: "The weather in a city",
  parameters: {
    type: "object",
    properties: {
      city: { type: "string", enum: ["Oslo"] },
      days: { type: "integer" },
    },
    required: ["city", "days"],
    additionalProperties: false,
  },
  arguments: { city: "Oslo", days: 1 },
  result: "7 degrees",
};
export const harbors = {
  ask: "List the harbors.",
  name: "list_harbors",
  description: "All harbors there are",
  parameters: { type: "object", properties: {}, additionalProperties: false },
  arguments: {},
  result: "Bergen",
};
export const both = { ask: "How is the weather, and which harbors are there?" };

export const report = {
  ask: "Report on the city.",
  name: "city_report",
  schema: {
    type: "object",
    properties: {
      city: { type: "string", enum: ["Oslo"] },
      degrees: { type: "integer" },
      tags: { type: "array", items: { type: "string", enum: ["cold"] }, minItems: 1 },
    },
    required: ["city", "degrees", "tags"],
    additionalProperties: false,
  },
  value: { city: "Oslo", degrees: 1, tags: ["cold"] },
};
// A red square of 2 x 2 pixels.
export const picture = {
  ask: "Say amber of this picture.",
  type: "image/png",
  base64: "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAEElEQVR4nGP4" +
    "z8AARAwQCgAf7gP9i18U1AAAAABJRU5ErkJggg==",
};
