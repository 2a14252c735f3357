// The world of a test file: the simulator as every provider, scripted as the model of an agent, a
// gateway in front of it, and what both have to say about the calls of one agent.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { Gateway } from "../../../lib/gateway.mjs";
import { readConversation } from "./conversation.mjs";
import { Trap } from "./program.mjs";

export const key = "sk-agents-key-00000000";

// What answers: accounts of weir.yaml, and what is spoken there where an account leaves a choice.
const places = {
  chat: "account: openai, dialect: openai_chat",
  responses: "account: openai, dialect: openai_responses",
  compatible: "account: compatible, dialect: openai_chat",
  anthropic: "account: anthropic",
  gemini: "account: gemini",
  bedrock: "account: bedrock, dialect: bedrock_converse",
  invoke: "account: bedrock, dialect: anthropic_messages",
};
export const upstreams = Object.keys(places);

class Simulator {
  static async start(folder) {
    const simulator = new Simulator();
    const log = path.join(folder, "sim.log");
    const out = openSync(log, "a");
    simulator.child = spawn(process.env.WEIR_BIN,
      ["sim", "--listen", "127.0.0.1:0", "--keep-bodies", String(4 << 20)],
      { stdio: ["ignore", out, out] });
    simulator.ended = new Promise((resolve) => {
      simulator.child.once("exit", (code, signal) => resolve(signal ?? code));
    });
    simulator.kill = () => simulator.child.kill("SIGKILL");
    process.once("exit", simulator.kill);
    for (let i = 0; i < 500 && !simulator.url; ++i) {
      simulator.url = readFileSync(log, "utf8").match(/http:\/\/127\.0\.0\.1:\d+/)?.[0];
      await sleep(20);
    }
    if (!simulator.url) throw new Error(`weir sim: ${readFileSync(log, "utf8")}`);
    return simulator;
  }

  async ask(target, options) {
    const reply = await fetch(`${this.url}/sim/v1${target}`, options);
    const text = await reply.text();
    if (!reply.ok) throw new Error(`${target}: ${reply.status} ${text}`);
    return JSON.parse(text);
  }

  // What providers get, oldest first, of a model: its calls with the conversation of each.
  async calls(model) {
    const calls = [];
    for (let since = 0, more = true; more;) {
      const page = await this.ask(`/calls?since=${since}&model=${model}`);
      calls.push(...page.calls);
      ({ next: since, more } = page);
    }
    return calls;
  }

  async stop() {
    this.child.kill("SIGTERM");
    const code = await Promise.race([this.ended, sleep(15_000, "did not end", { ref: false })]);
    process.removeListener("exit", this.kill);
    this.kill();
    return code;
  }
}

// One agent at one upstream: a model of its own, so that its calls can be told from others.
export class Route {
  constructor(world, model, upstream) {
    Object.assign(this, { world, model, upstream, url: world.url, trap: world.trap });
    this.folder = path.join(world.folder, model.replaceAll("/", "-"));
    this.home = path.join(this.folder, "home");
    this.work = path.join(this.folder, "work");
    mkdirSync(this.work, { recursive: true });
  }

  file(name) {
    return path.join(this.work, name);
  }

  write(name, content) {
    writeFileSync(this.file(name), content);
    return this.file(name);
  }

  read(name) {
    return readFileSync(this.file(name), "utf8");
  }

  // Rules of the simulator's script, for this model; those for later turns stand first.
  script(rules) {
    return this.world.simulator.ask("/script", {
      method: "POST",
      body: JSON.stringify(rules.map((rule) => ({ model: this.model, ...rule }))),
    });
  }

  // The conversations that the provider got, oldest first. All were answered, each by a rule of
  // the script; and the ledger has them all, with the tokens that the provider counted. `broken`:
  // how many others there were that a fault of the script broke.
  async conversations(count, { scripted = true, broken = 0 } = {}) {
    // Counts of tokens are no conversations; OpenAI's the simulator does not even have.
    const all = (await this.world.simulator.calls(this.model)).filter(({ endpoint, path: at }) =>
      !endpoint.includes("count") && !at.endsWith("/input_tokens"));
    const calls = all.filter(({ fault }) => fault === "");
    const note = JSON.stringify(all.map(({ request, ...rest }) => rest), null, 1);
    assert.equal(calls.length, count, note);
    assert.equal(all.length, count + broken, note);
    for (const call of calls) {
      assert.equal(call.outcome, "whole", note);
      assert.equal(call.status, 200, note);
      const known = !scripted || call.rule !== 0;
      assert.ok(known, `a call that no rule knew: ${call.request.slice(-2000)}`);
    }
    await this.checkLedger(calls, broken);
    return calls.map(({ dialect, request }) => readConversation(dialect, JSON.parse(request)));
  }

  async checkLedger(calls, broken) {
    let all = [];
    for (let i = 0; i < 500 && all.length < calls.length + broken; ++i) {
      if (i > 0) await sleep(20);
      const { requests } = await this.world.gateway.admin("/api/v1/requests?limit=1000");
      all = requests.filter(({ model, endpoint }) =>
        model === this.model && !endpoint.includes("count")).reverse();
    }
    const note = JSON.stringify(all, null, 1);
    const rows = all.filter(({ outcome }) => outcome === "ok");
    assert.equal(rows.length, calls.length, note);
    assert.equal(all.length, calls.length + broken, note);
    rows.forEach((row, i) => {
      assert.equal(row.status, 200, note);
      const { usage } = row;
      assert.deepEqual({
        input: usage.input + usage.cache_read + usage.cache_write_5m + usage.cache_write_1h,
        cached: usage.cache_read,
        output: usage.output,
      }, {
        input: calls[i].usage.input, cached: calls[i].usage.cached, output: calls[i].usage.output,
      }, note);
    });
  }
}

export class World {
  // `models`: { name: upstream }, each served under its own name.
  static async start(models) {
    const world = new World();
    world.folder = mkdtempSync(path.join(tmpdir(), "weir-agents-"));
    world.simulator = await Simulator.start(world.folder);
    world.trap = await Trap.start();
    const lines = Object.entries(models).map(([name, upstream]) =>
      `  - { name: ${name}, deployments: [{ ${places[upstream]}, model: ${name} }] }`);
    const configuration = readFileSync(path.join(import.meta.dirname, "../weir.yaml"), "utf8") +
      lines.join("\n");
    world.gateway = await Gateway.start({ url: world.simulator.url }, { configuration, key });
    world.url = world.gateway.url;
    world.models = models;
    return world;
  }

  // A test for each model, by the task that its name begins with: { name: run(route) }.
  tests(tasks, { concurrency = 2 } = {}) {
    describe("agents", { concurrency }, () => {
      for (const [model, upstream] of Object.entries(this.models)) {
        const route = new Route(this, model, upstream);
        const name = Object.keys(tasks).find((one) => model.startsWith(one));
        test(model, { timeout: 120_000 }, () => tasks[name](route));
      }
    });
    this.closing();
  }

  closing() {
    test("nobody but Weir was called", () => assert.deepEqual(this.trap.asked, []));
    test("weir and its log end cleanly", async () => {
      this.stopped = true;
      const code = await this.gateway.stop();
      const log = this.gateway.log();
      assert.equal(code, 0, log.slice(-4000));
      assert.deepEqual(log.split("\n").filter((line) => /"level":"error"/.test(line)), []);
      assert.equal(await this.simulator.stop(), 0);
    });
    after(() => this.remove());
  }

  async remove() {
    if (!this.stopped) {
      await this.gateway.stop();
      await this.simulator.stop();
    }
    this.trap.stop();
    this.gateway.remove();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

// { "codex-chat": "chat", ... }: a model for each name at each of the upstreams.
export function modelsFor(names, wanted = upstreams) {
  return Object.fromEntries([names].flat().flatMap((name) =>
    wanted.map((upstream) => [`${name}-${upstream}`, upstream])));
}
