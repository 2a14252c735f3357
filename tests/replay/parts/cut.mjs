// The provider's stream breaks off after some of its events: the client is told an error in its own
// dialect and never gets the end that a success has, whichever way the connection went; the ledger
// says truncated, or error where nothing had been sent yet.
import assert from "node:assert/strict";

import { pieces } from "../../lib/pieces.mjs";
import { accountFor, clientKey } from "../lib/accounts.mjs";
import { answering, answerOf, translatable } from "../lib/answers.mjs";
import { checkError, isTerminator, isWhole, requestFor, tellsError } from "../lib/clients.mjs";
import { callSdk, sdkNames } from "../lib/sdks.mjs";
import { arrayBytes, eventsOf, readEvents, streamBytes, streamType } from "../lib/wire.mjs";
import { isBroken } from "./translate.mjs";

const mayEnd = new RegExp('finish_?reason":\\s*"|\\[DONE\\]|message_?stop|' +
  'response\\.(in)?completed?"|blockReason', "i");

// The number of events after which the answer is whole.
function wholeAfter(dialect, events, closed) {
  for (let count = 1; count <= events.length; ++count) {
    if (!mayEnd.test(events[count - 1])) continue;
    if (isWhole(dialect, events.slice(0, count), closed)) return count;
  }
  return events.length;
}

// Where to cut: early, in the middle and right before the end. "orderly" ends as HTTP has it, "cut"
// closes without that, "reset" loses the connection, "torn" closes inside an event.
function cutsOf(recording) {
  const events = eventsOf(recording);
  const cuts = [];
  const seen = new Set();
  const add = (count, end, torn = false) => {
    const last = wholeAfter(recording.dialect, events, end === "orderly") - 1;
    const at = Math.max(0, Math.min(count, last));
    const label = `after ${at} of ${events.length} events, ${torn ? "torn" : end}`;
    if (seen.has(label)) return;
    seen.add(label);
    cuts.push({ at, end, torn, label });
  };
  add(0, "cut");
  add(1, "orderly");
  add(2, "cut");
  add(Math.floor(events.length / 2), "orderly");
  add(Math.floor(events.length / 2), "cut", true);
  add(events.length - 2, "reset");
  add(events.length - 1, "orderly");
  add(events.length - 1, "cut");
  return cuts;
}

function planFor(upstream, recording, cut) {
  const { dialect } = recording;
  const events = eventsOf(recording);
  let bytes = streamBytes(dialect, events.slice(0, cut.at));
  if (cut.torn) {
    // Up to a comma: whatever stands behind it is missing.
    const next = streamBytes(dialect, [events[cut.at]]);
    const half = next.subarray(0, Math.floor(next.length / 2));
    bytes = Buffer.concat([bytes, half]);
  }
  return upstream.plan(
    { type: streamType(dialect), pieces: pieces(bytes, "odd"), end: cut.end });
}

// Whether the events that arrived hold something that the client must have been shown.
function says(recording, cut) {
  if (cut.end === "reset" || !answering.includes(recording.dialect)) return false;
  const { text, calls } = answerOf({ ...recording, lines: recording.lines.slice(0, cut.at) });
  return text !== "" || calls.length > 0;
}

function checkRow(row, reply) {
  const outcome = reply.status === 200 ? "truncated" : "error";
  assert.equal(row.outcome, outcome);
  assert.equal(row.status, reply.status);
  assert.match(row.error_code, /./);
}

async function cutRaw({ upstream, gateway }, recording, account, client, cut) {
  const plan = planFor(upstream, recording, cut);
  const { target, ...request } = requestFor(client, account, plan.prompt, { stream: true });
  const reply = await gateway.post(target, request);
  const text = reply.body.toString();
  if (reply.status === 200) {
    const { events, rest } = readEvents(text);
    assert.equal(rest, "", "what stands behind the last blank line");
    for (const { data } of events) {
      assert.ok(!isTerminator(client, data), `the end of a success: ${data.slice(0, 200)}`);
      JSON.parse(data);
    }
    const last = events.at(-1);
    assert.ok(tellsError(client, last.data), `no error: ${last.data.slice(0, 200)}`);
    checkError(client, JSON.parse(last.data));
    if (["anthropic_messages", "openai_responses"].includes(client)) {
      assert.equal(last.event, "error");
    }
    let before = events.slice(0, -1).map(({ data }) => data);
    // Codex reads of failures from response.failed alone, so Weir says both.
    if (events.at(-2)?.event === "response.failed") {
      const { response } = JSON.parse(before.at(-1));
      assert.equal(response.status, "failed");
      assert.equal(response.id, JSON.parse(before[0]).response.id);
      before = before.slice(0, -1);
    }
    if (client === recording.dialect) {
      const sent = eventsOf(recording).slice(0, cut.at);
      if (cut.end === "reset") assert.deepEqual(before, sent.slice(0, before.length));
      else assert.deepEqual(before, sent.filter((data) => before.includes(data)));
    }
    assert.ok(!isWhole(client, before, false), "the events before the error are a whole answer");
  } else {
    assert.equal(reply.status, 502, text.slice(0, 300));
    assert.ok(!says(recording, cut), "a text that arrived was not shown");
    checkError(client, JSON.parse(text));
  }
  return { id: reply.headers["x-weir-request-id"], verify: (row) => checkRow(row, reply) };
}

// Gemini's stream as an array has no place behind an element but another one: the error is one.
async function cutArray({ upstream, gateway }, recording, account) {
  const bytes = arrayBytes(recording.lines.slice(0, -1)).subarray(0, -3);
  const plan = upstream.plan(
    { type: "application/json", pieces: pieces(bytes, "odd"), end: "cut" });
  const { target, ...request } = requestFor("gemini", account, plan.prompt,
    { stream: true, array: true });
  const reply = await gateway.post(target, request);
  assert.equal(reply.status, 200);
  const elements = JSON.parse(reply.body);
  const sent = recording.lines.slice(0, -1).map((line) => JSON.parse(line));
  assert.deepEqual(elements.slice(0, -1), sent);
  checkError("gemini", elements.at(-1));
  return { id: reply.headers["x-weir-request-id"], verify: (row) => checkRow(row, reply) };
}

async function cutSdk({ upstream, gateway }, recording, account, client, cut) {
  const plan = planFor(upstream, recording, cut);
  const { answer, error, head } = await callSdk(client,
    { url: gateway.url, key: clientKey, model: account, prompt: plan.prompt, stream: true });
  assert.equal(answer, undefined, "the SDK takes it for an answer");
  const id = head.headers.get("x-weir-request-id");
  // The SDK of Responses gives up and hangs up at events that it does not know.
  if (/Unhandled response stream event/.test(error.message)) {
    return { id, verify: (row) => assert.match(row.outcome, /^(truncated|aborted)$/) };
  }
  assert.match(error.message, /upstream|ended early|connection|Deployment/);
  return { id, verify: (row) => checkRow(row, head) };
}

// `orderly`: only streams that end as HTTP has it.
export function addCuts(checks, world, recordings, { orderly = false } = {}) {
  const wanted = ({ end }) => !orderly || end === "orderly";
  const streams = recordings.flatMap((recording) => recording.turns)
    .filter((recording) => recording.streamed && !isBroken(recording));
  for (const recording of streams) {
    const { name, dialect } = recording;
    const clients = answering.includes(dialect) ? translatable : [dialect];
    for (const client of clients) {
      const account = accountFor(recording, client);
      for (const cut of cutsOf(recording).filter(wanted)) {
        checks.add(`cut ${name} to ${client}, ${cut.label}`,
          () => cutRaw(world, recording, account, client, cut));
      }
      if (!translatable.includes(client)) continue;
      for (const cut of cutsOf(recording).slice(3, 5).filter(wanted)) {
        checks.add(`cut ${name} to ${sdkNames[client]}, ${cut.label}`,
          () => cutSdk(world, recording, account, client, cut));
      }
    }
    if (!orderly && dialect === "gemini" && recording.lines.length > 1) {
      checks.add(`cut ${name}, one array`,
        () => cutArray(world, recording, accountFor(recording, "gemini")));
    }
  }
}
