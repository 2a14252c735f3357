// What a client sees when something goes wrong, and what the ledger says about it then: refusals by
// Weir, failures of the provider before and after the first byte, cancelling and timeouts.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { drivers } from "../lib/drivers.mjs";
import { until } from "../lib/programs.mjs";
import { amber } from "../lib/scene.mjs";

const limit = { timeout: 30_000 };

// The error that the promise is rejected with; not being rejected is the failure.
async function rejection(promise) {
  let value;
  try {
    value = await promise;
  } catch (error) {
    return error;
  }
  assert.fail(`expected an error, got ${JSON.stringify(value)}`);
}

async function textOf(pieces) {
  let text = "";
  for await (const piece of pieces) text += piece;
  return text;
}

// Refusals by Weir itself: no provider is asked.
export function refusals(world, client) {
  const { whole, stream, failure } = drivers[client];
  const model = world.model("via-openai");
  const refused = async (context, status, outcome, ask = amber.ask) => {
    const errors = [
      await rejection(whole(context, ask)),
      await rejection(textOf(stream(context, ask))),
    ];
    for (const error of errors) assert.equal(failure(error).status, status, `${error}`);
    if (!context.keyId) return errors;
    for (const row of await context.rows(2)) {
      assert.equal(row.status, status, JSON.stringify(row));
      assert.equal(row.outcome, outcome, JSON.stringify(row));
      assert.equal(row.cost_nano_usd, 0);
    }
    return errors;
  };

  test(`${client}: a key that nobody issued`, limit, async () => {
    const context = await world.context(model);
    await refused(Object.assign(context, { key: "sk-weir-nobody-issued-this", keyId: undefined }),
      401);
  });

  test(`${client}: a model that does not exist`, limit, async () => {
    const [error] = await refused(await world.context({ name: "no-such-model" }), 404, "denied");
    assert.match(failure(error).text, /no-such-model/);
  });

  test(`${client}: a model that the key may not use`, limit, async () => {
    await refused(await world.context(model, { models: ["via-gemini"] }), 404, "denied");
  });

  test(`${client}: more requests than the key may make`, limit, async () => {
    const context = await world.context(model, { limits: { rpm: 1 } });
    assert.equal(await whole(context, amber.ask), amber.answer);
    const told = failure(await rejection(whole(context, amber.ask)));
    assert.equal(told.status, 429);
    // Google's SDK does not show the headers.
    if (client !== "google") assert.ok(Number(told.retryAfter) >= 1, `${told.retryAfter}`);
    const [, row] = await context.rows(2);
    assert.equal(row.status, 429);
    assert.equal(row.outcome, "denied");
  });
}

// Failures of the provider, over every wire format behind Weir.
export function failures(world, client) {
  const { whole, stream, failure } = drivers[client];
  // What the provider answers, and what its client is told: a refused credential is Weir's
  // business and not the client's.
  const before = [
    ["400", 400], ["401", 503], ["404", 404], ["429", 429], ["500", 500], ["529", [503, 529]],
    ["stall", 504],
  ];
  const within = ["error-event", "close", "truncate", "midstall"];
  const routes = ["openai", "anthropic", "gemini"];

  for (const provider of routes) {
    for (const [fault, status] of before) {
      const name = `${provider}-${fault}`;
      const streamed = fault === "stall";
      test(`${client} -> ${name}${streamed ? ", streamed" : ""}`, limit, async () => {
        const context = await world.context({ name });
        const error = await rejection(
          streamed ? textOf(stream(context, amber.ask)) : whole(context, amber.ask));
        const told = failure(error);
        assert.ok([status].flat().includes(told.status), `${told.status}: ${told.text}`);
        assert.ok(!told.text.includes("sk-up"), "the provider's key is told");
        if (fault === "400") assert.match(told.text, /the simulator does not like this/);
        if (fault === "429" && client !== "google") {
          assert.ok(Math.abs(Number(told.retryAfter) - 7) <= 1, `retry-after ${told.retryAfter}`);
        }
        const [row] = await context.rows(1);
        assert.equal(row.status, told.status, JSON.stringify(row));
        assert.equal(row.outcome, "error", JSON.stringify(row));
        assert.equal(row.attempts.length, 1, JSON.stringify(row));
      });
    }

    test(`${client} -> ${provider}-stall, whole`, limit, async () => {
      const context = await world.context({ name: `${provider}-stall` });
      assert.equal(failure(await rejection(whole(context, amber.ask))).status, 504);
      const [row] = await context.rows(1);
      assert.equal(row.status, 504, JSON.stringify(row));
    });

    for (const fault of within) {
      const name = `${provider}-${fault}`;
      test(`${client} -> ${name}, streamed`, limit, async () => {
        const context = await world.context({ name });
        let text = "";
        const error = await rejection((async () => {
          for await (const piece of stream(context, amber.ask)) text += piece;
          return text;
        })());
        assert.ok(text.length > 0, "the client got nothing of what came before the failure");
        assert.doesNotMatch(`${error}`, /a stream without/, "the SDK took it for a success");
        const [row] = await context.rows(1);
        assert.ok(["truncated", "error"].includes(row.outcome), JSON.stringify(row));
      });
      // An error event has no place in an answer that comes as a whole.
      if (fault === "error-event" || fault === "midstall") continue;
      test(`${client} -> ${name}, whole`, limit, async () => {
        const context = await world.context({ name });
        assert.equal(failure(await rejection(whole(context, amber.ask))).status, 502);
        const [row] = await context.rows(1);
        assert.equal(row.status, 502, JSON.stringify(row));
        assert.equal(row.outcome, "error", JSON.stringify(row));
      });
    }
  }

  for (const [name, account] of [["failover", "anthropic"], ["failover-500", "gemini"]]) {
    test(`${client} -> ${name}: the next model answers`, limit, async () => {
      const context = await world.context({ name });
      assert.equal(await whole(context, amber.ask), amber.answer);
      assert.equal(await textOf(stream(context, amber.ask)), amber.answer);
      for (const row of await context.rows(2)) {
        assert.equal(row.outcome, "ok", JSON.stringify(row));
        assert.equal(row.account, account, JSON.stringify(row));
        assert.equal(row.attempts.length, 2, JSON.stringify(row));
        assert.equal(row.model_asked, name);
      }
    });
  }
}

// A client that goes away: the provider is let go, and what it made is in the ledger.
export function cancels(world, client) {
  const { whole, stream } = drivers[client];
  const routes = ["openai", "anthropic", "gemini"];
  let story = 0;
  const ask = () => `Tell story ${client} ${++story}.\n#sim tokens=300`;

  // The simulator's own word on the call with this prompt.
  const seenBySimulator = async (prompt) => {
    const mark = prompt.slice(0, prompt.indexOf("\n"));
    return until("the simulator's account of the call", async () =>
      (await world.upstream.calls()).find(({ request }) => request?.includes(mark)));
  };

  const aborted = async (context, prompt) => {
    const [row] = await context.rows(1);
    assert.equal(row.outcome, "aborted", JSON.stringify(row));
    const call = await seenBySimulator(prompt);
    assert.equal(call.outcome, "aborted", JSON.stringify(call));
    assert.ok(call.output_sent < 300, JSON.stringify(call));
    return row;
  };

  for (const provider of routes) {
    const name = `slow-${provider}`;
    test(`${client} -> ${name}: cancelled in the middle of a stream`, limit, async () => {
      const context = await world.context({ name });
      const controller = new AbortController();
      const prompt = ask();
      let pieces = 0;
      try {
        for await (const piece of stream(context, prompt, { signal: controller.signal })) {
          if (piece && ++pieces === 5) controller.abort();
        }
      } catch (error) {
        assert.ok(controller.signal.aborted, `${error}`);
      }
      assert.ok(pieces >= 5);
      const row = await aborted(context, prompt);
      assert.equal(row.cost_state, "estimated", JSON.stringify(row));
      assert.ok(row.usage.output > 0 && row.usage.output < 300, JSON.stringify(row));
      assert.ok(row.usage.input > 0 && row.cost_nano_usd > 0, JSON.stringify(row));
    });

    test(`${client} -> ${name}: cancelled before a whole answer`, limit, async () => {
      const context = await world.context({ name });
      const controller = new AbortController();
      const prompt = ask();
      const answer = rejection(whole(context, prompt, { signal: controller.signal }));
      // A whole answer takes six seconds here: this is long after the request has gone out.
      await sleep(1000);
      controller.abort();
      await answer;
      await aborted(context, prompt);
    });

    test(`${client} -> ${name}: the client's own timeout`, limit, async () => {
      const context = await world.context({ name });
      const prompt = ask();
      await rejection(whole(context, prompt, { timeout: 1500 }));
      await aborted(context, prompt);
    });
  }
}

export function faults(world, client) {
  refusals(world, client);
  failures(world, client);
  cancels(world, client);
}
