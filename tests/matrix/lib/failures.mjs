// The cells of errors and of hanging up.
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";

import { withHead } from "../../lib/heads.mjs";
import { checkHead, checkRow, replyOf } from "./exchange.mjs";
import { scenes } from "./scenes.mjs";
import { clientKey, modelsOf } from "./world.mjs";

const answer = scenes.text.steps[0].answer;

function questionFor(plan) {
  const { system, steps, ...rest } = scenes.text;
  return { ...rest, system: `${system}\n${plan.mark}` };
}

async function refused({ upstream, gateway }, cell, kind) {
  const { client, provider, stream, model } = cell;
  const { status, headers, body } = provider.errors[kind];
  const plan = upstream.plan([{ status, headers, type: "application/json",
    bytes: Buffer.from(JSON.stringify(body)) }]);
  const { error, head } = await withHead(() => client.ask({ url: gateway.url, key: clientKey },
    client.request(questionFor(plan), model), { stream }));
  assert.equal(plan.requests.length, 1, "calls of the provider");
  checkHead(cell, plan.requests[0]);
  assert.ok(error, "an error");
  const { message, retryAfter, ...told } = client.failure(error);
  assert.match(message, /[Pp]ier 7/, "the provider's own words");
  const wanted = client[kind];
  if (!("type" in wanted)) delete told.type;
  assert.deepEqual(told, wanted);
  if (headers?.["retry-after"]) assert.equal(head.headers.get("retry-after"), "7", "retry-after");
  return { id: head.headers.get("x-weir-request-id"),
    verify: (row) => checkRow(cell, row, { outcome: "error", status }) };
}

// The answer has begun when the provider fails: its beginning and then an error, never an end.
async function brokenInside({ upstream, gateway }, cell) {
  const { client, provider } = cell;
  const [, model] = modelsOf(cell);
  const context = { model: cell.upstreamModel, step: 0 };
  const frames = [...provider.events(answer, context)].slice(0, -4);
  const plan = upstream.plan([{ type: provider.type,
    bytes: Buffer.concat([...frames, ...provider.errors.event(context, frames.length)]) }]);
  let seen = "";
  const { answer: whole, error, head } = await withHead(() =>
    client.ask({ url: gateway.url, key: clientKey }, client.request(questionFor(plan), model),
      { stream: true, onText: (text) => { seen = text; } }));
  assert.equal(whole, undefined, "no success");
  assert.equal(head.status, 200, "the answer had begun");
  const { message } = client.failure(error);
  assert.match(message, /[Pp]ier 7/, "the provider's own words");
  assert.ok(seen.length > 10 && answer.text.startsWith(seen), `the text before it: ${seen}`);
  return { id: head.headers.get("x-weir-request-id"),
    verify: (row) => checkRow(cell, row, { outcome: "error" }) };
}

export async function failures(world, cell) {
  const rows = [await refused(world, cell, "invalid"), await refused(world, cell, "limited")];
  if (cell.stream) rows.push(await brokenInside(world, cell));
  return rows;
}

const hangUpMs = 10_000;

const within = (what, promise) => Promise.race([promise, sleep(hangUpMs, undefined, { ref: false })
  .then(() => { throw new Error(`waited ${hangUpMs} ms in vain for ${what}`); })]);

// The client leaves: before the answer where it is to come whole, in the middle of a stream. The
// call upstream ends with it, and the ledger says what was used up to there, as an estimate.
export async function abort({ upstream, gateway }, cell) {
  const { client, provider, stream, model } = cell;
  const bytes = stream ? replyOf(cell, answer, 0).bytes : Buffer.alloc(0);
  const plan = upstream.plan([{ type: provider.type, hang: true,
    bytes: bytes.subarray(0, Math.floor(bytes.length / 2)) }]);
  const controller = new AbortController();
  const call = client.ask({ url: gateway.url, key: clientKey },
    client.request(questionFor(plan), model),
    { stream, signal: controller.signal, onText: () => controller.abort() });
  const ended = call.then(() => assert.fail("an answer that was not to come"), (error) => error);
  await within("the provider's call", plan.arrived);
  if (!stream) controller.abort();
  await within("the end of the client's call", ended);
  assert.ok(controller.signal.aborted, `${(await ended).stack}`);
  await within("the end of the provider's call", plan.closed);
  checkHead(cell, plan.requests[0]);
  const [row] = await gateway.until("the ledger's row", hangUpMs, async () => {
    const { requests } = await gateway.admin(`/api/v1/requests?model=${model}`);
    return requests.length > 0 && requests;
  });
  assert.equal(row.outcome, "aborted");
  assert.equal(row.cost_state, "estimated");
  assert.ok(row.usage.input > 0, "tokens of the prompt");
  assert.equal(row.usage.output > 0, stream, "tokens of the answer");
  return [];
}
