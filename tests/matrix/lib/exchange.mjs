// A cell that is a conversation: what the provider was sent and what the client saw, step by step,
// against the scene.
import assert from "node:assert/strict";

import { withHead } from "../../lib/heads.mjs";
import { tidy } from "./forms.mjs";
import { expectedDropped } from "./losses.mjs";
import { scenes } from "./scenes.mjs";
import { clientKey } from "./world.mjs";

// The answers of a scene in the provider's own bytes.
export function replyOf({ provider, stream, upstreamModel }, answer, step) {
  const context = { model: upstreamModel, step };
  return stream
    ? { type: provider.type, bytes: Buffer.concat([...provider.events(answer, context)]) }
    : { type: "application/json",
      bytes: Buffer.from(JSON.stringify(provider.whole(answer, context))) };
}

// What the model said, as the provider must be told of it in the next call.
function assistantTurn({ provider, client }, { thinking, text, calls = [] }, step) {
  const parts = [];
  if (thinking && (provider.says.signatures || provider.dialect === client.dialect)) {
    parts.push({ thinking: { text: thinking, signature: provider.signatureOf?.(step) } });
  }
  if (text) parts.push({ text });
  for (const [i, { name, args }] of calls.entries()) {
    parts.push({ call: { id: provider.callId?.(step, i), name, args } });
  }
  return { role: "assistant", parts };
}

function userTurn(provider, client, turn, step) {
  const parts = turn.parts.map((part, i) => {
    if (!part.result) return part;
    const { name, text, error } = part.result;
    return { result: { id: provider.callId?.(step, i), text,
      ...(provider.says.resultNames && { name }),
      error: error && Boolean(client.says.resultErrors && provider.says.resultErrors) } };
  });
  return { ...turn, parts };
}

export function checkHead({ provider, stream, upstreamModel }, request) {
  assert.equal(request.method, "POST");
  assert.equal(request.url, provider.path(upstreamModel, stream));
  for (const [name, value] of Object.entries(provider.headers())) {
    assert.match(request.headers[name] ?? "", new RegExp(`^${value}$`), name);
  }
  provider.checkHead?.(request);
  assert.ok(!JSON.stringify(request).includes(clientKey), "the client's key stays here");
}

function checkSent(cell, request, question) {
  checkHead(cell, request);
  const { provider, client, upstreamModel, stream } = cell;
  const wanted = provider.expected({ ...question, model: upstreamModel }, client.name);
  const sent = tidy(provider.read(JSON.parse(request.body)));
  // Some APIs say `stream: false`, others nothing.
  if ("stream" in wanted) assert.equal(sent.stream ?? false, stream, "stream");
  delete sent.stream;
  delete wanted.stream;
  assert.deepEqual(sent, tidy(wanted), "what the provider was sent");
}

function checkSeen({ provider, client }, seen, answer, step) {
  const calls = answer.calls ?? [];
  const ids = seen.calls.map(({ id }) => id);
  // Google's own API has no ids, and its answers pass as they are.
  if (provider.callId || client.dialect !== provider.dialect) {
    assert.equal(new Set(ids).size, ids.length, "each call has its own id");
    for (const id of ids) assert.match(id, /^[\w-]+$/, "the id of a call");
  }
  if (provider.callId) assert.deepEqual(ids, calls.map((_, i) => provider.callId(step, i)));
  const { native, ...told } = seen;
  assert.ok(native);
  assert.deepEqual({ ...told, calls: told.calls.map(({ name, args }) => ({ name, args })) }, {
    text: answer.text ?? "",
    reasoning: answer.thinking ?? "",
    calls,
    finish: client.finishes[answer.finish],
    usage: provider.says.noReasoningTokens ? { ...answer.usage, reasoning: 0 } : answer.usage,
  }, "what the client saw");
}

export function checkRow(cell, row, { outcome = "ok", status = 200, usage }) {
  assert.equal(row.outcome, outcome, `the ledger's outcome (error ${row.error_code})`);
  assert.equal(row.status, status, "the ledger's status");
  assert.equal(row.dialect, cell.client.dialect);
  assert.equal(row.provider_model, cell.upstreamModel);
  assert.equal(row.streamed, cell.stream);
  if (!usage) return;
  const { input, cache_read: cached, output, reasoning } = row.usage;
  assert.deepEqual({ input: input + cached, cached, output, reasoning },
    cell.provider.says.noReasoningTokens ? { ...usage, reasoning: 0 } : usage,
    "the ledger's usage");
}

// { id, verify(row) } for each step.
export async function exchange({ upstream, gateway }, cell) {
  const { provider, client, stream, model } = cell;
  const { steps: all, ...start } = scenes[cell.feature];
  const steps = all.filter(({ byAddress }) => !byAddress || !provider.says.bytesOnly);
  const plan = upstream.plan(steps.map(({ answer }, step) => replyOf(cell, answer, step)));
  const question = { ...start, system: `${start.system}\n${plan.mark}` };
  let request = client.request(question, model);
  let sent = { ...question, format: question.format && { schema: question.format.schema } };
  let last;
  const rows = [];
  for (const [step, { say, choice, answer }] of steps.entries()) {
    if (say) {
      const turn = say(last);
      request = client.follow(request, last.native, turn, choice);
      sent = { ...sent, choice: choice ?? sent.choice,
        turns: [...sent.turns, assistantTurn(cell, steps[step - 1].answer, step - 1),
          userTurn(provider, client, turn, step - 1)] };
    }
    const { answer: seen, error, head } = await withHead(() =>
      client.ask({ url: gateway.url, key: clientKey }, request, { stream }));
    if (plan.requests.length > step) checkSent(cell, plan.requests[step], sent);
    if (error) throw error;
    checkSeen(cell, seen, answer, step);
    assert.deepEqual((head.headers.get("x-weir-dropped") ?? "").split(", ").filter(Boolean),
      expectedDropped(cell, step), "x-weir-dropped");
    rows.push({ id: head.headers.get("x-weir-request-id"),
      verify: (row) => checkRow(cell, row, { usage: answer.usage }) });
    last = seen;
  }
  assert.equal(plan.requests.length, steps.length);
  return rows;
}
