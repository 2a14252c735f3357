// A client and a provider that speak the same API: bodies equal byte for byte, streams equal value
// for value however they are framed and cut into pieces, and the ledger says what the recording
// says.
import assert from "node:assert/strict";

import { pieces } from "../../lib/pieces.mjs";
import { accounts, checkRequest, costOf } from "../lib/accounts.mjs";
import {
  checkError, isTerminator, isWhole, probe, requestFor, tellsError,
} from "../lib/clients.mjs";
import { usageOf } from "../lib/usage.mjs";
import { arrayBytes, eventName, eventsOf, readEvents, streamBytes } from "../lib/wire.mjs";

const bytesMost = 4_000;  // a longer stream is not sent byte by byte

function parsedAll(texts) {
  return texts.filter((text) => text !== "[DONE]").map((text) => JSON.parse(text));
}

export function checkRow(row, { account, dialect, streamed, status, outcome, usage }) {
  const { provider, upstream } = accounts[account];
  assert.equal(row.outcome, outcome, `the ledger's outcome (error ${row.error_code})`);
  assert.equal(row.status, status, "the ledger's status");
  assert.equal(row.model, account);
  assert.equal(row.provider, provider);
  assert.equal(row.provider_model, upstream);
  assert.equal(row.dialect, dialect);
  assert.equal(row.streamed, streamed);
  if (!usage) return;
  assert.deepEqual(row.usage, usage, "the ledger's usage");
  // Streamed, whole and translated: what was used has one price.
  assert.equal(row.cost_state, "final");
  assert.equal(BigInt(row.cost_nano_usd), costOf(usage), "the ledger's cost");
}

const ledgerDialects = {
  gemini_embedding: "gemini",
  gemini_embeddings: "gemini",
  images: "passthrough",
  rerank: "passthrough",
  transcription: "passthrough",
};
const ledgerDialect = (dialect) => ledgerDialects[dialect] ?? dialect;

// --- whole answers ---

// A recording of an error holds no status: one that fits what it says.
function statusOf(body) {
  const told = body?.error?.code ?? body?.error?.status;
  if (Number.isInteger(told) && told >= 400 && told < 600) return told;
  return body?.error && !body.object && !body.id ? 400 : 200;
}

async function whole({ upstream, gateway }, recording, account) {
  const { dialect, text } = recording;
  const body = JSON.parse(text);
  const status = statusOf(body);
  const plan = upstream.plan({
    status,
    type: "application/json",
    headers: { "x-vendor": "kept", "cf-ray": "dropped" },
    pieces: pieces(Buffer.from(text), "odd"),
  });
  const { target, ...request } = requestFor(dialect, account, plan.prompt);
  const reply = await gateway.post(target, request);
  checkRequest(plan, account, dialect, false);
  if (dialect !== "transcription") {
    assert.ok(plan.requests[0].body.includes(probe), "a member that Weir does not know");
  }
  if (status === 200) {
    assert.equal(reply.status, 200, reply.body.toString().slice(0, 400));
    assert.equal(reply.headers["x-vendor"], "kept");
    assert.equal(reply.headers["cf-ray"], undefined);
    assert.ok(reply.body.equals(Buffer.from(text)), "the body, byte for byte");
  } else {
    assert.ok(reply.status >= 400);
    const message = checkError(dialect, JSON.parse(reply.body));
    assert.ok(message.includes(body.error.message), "the error's message");
  }
  const usage = status === 200 ? usageOf(dialect, [body]) : undefined;
  return { id: reply.headers["x-weir-request-id"], verify: (row) => checkRow(row, {
    account, dialect: ledgerDialect(dialect), streamed: false, status: reply.status, usage,
    outcome: status === 200 ? "ok" : "error" }) };
}

// --- streams ---

const emptyChoices = (data) => {
  const { choices, usage } = data === "[DONE]" ? {} : JSON.parse(data);
  return Array.isArray(choices) && choices.length === 0 && Boolean(usage);
};

// What the client shall get of the events that the provider sent: all of them, but for the usage
// that Weir itself had asked for.
function expectedEvents(dialect, events, askedForUsage) {
  const strips = ["openai_chat", "openai_completions"].includes(dialect) && !askedForUsage;
  return strips ? events.filter((data) => !emptyChoices(data)) : events;
}

const named = (dialect, data) => ({ event: eventName(dialect, data), data });

// A stream in which the provider itself tells an error: everything before it arrives, then the
// error, and no success behind it.
function checkErrorStream(reply, recording, expected, array) {
  const { dialect } = recording;
  const at = expected.findIndex((data) => tellsError(dialect, data));
  const told = JSON.parse(expected[at]);
  const text = reply.body.toString();
  const words = (told.error ?? told.response?.error ?? told).message ?? told.x_groq?.error ?? "";
  if (reply.status !== 200) {
    // Nothing had been said yet: the status can still tell it.
    assert.ok(reply.status >= 400);
    assert.ok(checkError(dialect, JSON.parse(text)).includes(words), "the error's message");
    return "error";
  }
  if (array) {
    assert.deepEqual(JSON.parse(text), recording.lines.map((line) => JSON.parse(line)));
    return "error";
  }
  const { events } = readEvents(text);
  assert.deepEqual(events.slice(0, at + 1).map(({ data }) => data), expected.slice(0, at + 1));
  for (const { data } of events.slice(at + 1)) assert.ok(!isTerminator(dialect, data), data);
  return "error";
}

async function stream({ upstream, gateway }, recording, account, how) {
  const { dialect } = recording;
  const events = eventsOf(recording);
  const plan = upstream.plan({
    type: how.array ? "application/json" : "text/event-stream",
    pieces: pieces(how.array ? arrayBytes(recording.lines)
      : streamBytes(dialect, events, how.style), how.cut),
  });
  const { target, ...request } =
    requestFor(dialect, account, plan.prompt, { stream: true, ...how });
  const reply = await gateway.post(target, request);
  const expected = expectedEvents(dialect, events, how.usage);
  const text = reply.body.toString();
  let outcome = "ok";
  if (events.some((data) => tellsError(dialect, data))) {
    outcome = checkErrorStream(reply, recording, expected, how.array);
  } else if (!isWhole(dialect, events, true)) {
    outcome = reply.status === 200 ? "truncated" : "error";
    assert.ok(text.includes("error"), "a recording that breaks off");
  } else {
    assert.equal(reply.status, 200, text.slice(0, 400));
    assert.equal(reply.cut, false, "the end of the answer");
    if (how.array) {
      assert.ok(reply.body.equals(plan.pieces[0]), "the array, byte for byte");
    } else {
      const read = readEvents(text);
      assert.equal(read.rest, "");
      assert.deepEqual(read.events, expected.map((data) => named(dialect, data)));
    }
  }
  checkRequest(plan, account, dialect, true, how.array);
  const single = recording.turns.length < 2 && outcome === "ok";
  const usage = single ? usageOf(dialect, parsedAll(events)) : undefined;
  return { id: reply.headers["x-weir-request-id"], verify: (row) => checkRow(row, {
    account, dialect, streamed: true, status: reply.status, outcome, usage }) };
}

// How the provider frames a stream and the client asks for it.
function waysOf(recording) {
  const ways = [
    { label: "whole", style: "native", cut: "whole" },
    { label: "odd pieces", style: "native", cut: "odd" },
    { label: "LF", style: "lf", cut: "odd" },
    { label: "CRLF", style: "crlf", cut: "odd" },
    { label: "comments and BOM", style: "odd", cut: "odd" },
  ];
  const size = recording.lines.reduce((sum, line) => sum + line.length, 0);
  if (size < bytesMost) ways.push({ label: "bytes", style: "native", cut: "bytes" });
  if (["openai_chat", "openai_completions"].includes(recording.dialect)) {
    ways.push({ label: "usage asked for", style: "native", cut: "odd", usage: true });
  }
  if (recording.dialect === "gemini") {
    ways.push({ label: "one array", array: true, cut: "whole" });
  }
  return ways.map((way) => ({ ...way, dialect: recording.dialect }));
}

export function addRelay(checks, world, recordings) {
  for (const recording of recordings) {
    if (recording.dialect.startsWith("bedrock_")) continue;  // no client speaks it
    const [home, ...others] = recording.accounts;
    if (!recording.streamed) {
      for (const account of recording.accounts) {
        checks.add(`relay ${recording.name} by ${account}`,
          () => whole(world, recording, account));
      }
      continue;
    }
    const turns = recording.turns.length > 1 ? recording.turns.map((turn) => (
      { ...turn, turns: [turn] })) : [];
    const ways = waysOf(recording);
    for (const way of ways) {
      checks.add(`relay ${recording.name} by ${home}, ${way.label}`,
        () => stream(world, recording, home, way));
    }
    for (const account of others) {
      checks.add(`relay ${recording.name} by ${account}, ${ways[1].label}`,
        () => stream(world, recording, account, ways[1]));
    }
    for (const turn of turns) {
      checks.add(`relay ${turn.name} by ${home}`, () => stream(world, turn, home, ways[1]));
    }
  }
}
