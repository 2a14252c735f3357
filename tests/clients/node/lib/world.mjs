// The world of a test file: an upstream, a gateway in front of it, and the two books that must
// agree in the end, Weir's ledger and the simulator's own account.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { LLMock } from "@copilotkit/aimock";

import { fixtures } from "./aimock_fixtures.mjs";
import { adminToken, Folder, startSimulator, startWeir, until } from "./programs.mjs";

// The routes: the model that clients ask for, what serves it, and the wire format spoken there.
const models = [
  { name: "via-openai", account: "openai", upstream: "gpt-sim", dialect: "openai" },
  { name: "via-compatible", account: "compatible", upstream: "local-sim", dialect: "openai" },
  { name: "via-chat-only", account: "compatible", upstream: "local-sim", dialect: "openai" },
  { name: "via-responses-only", account: "openai", upstream: "gpt-sim", dialect: "openai" },
  { name: "via-azure-classic", account: "azure-classic", upstream: "gpt-azure", dialect: "openai" },
  { name: "via-azure-v1", account: "azure-v1", upstream: "gpt-entra", dialect: "openai" },
  { name: "via-anthropic", account: "anthropic", upstream: "claude-sim", dialect: "anthropic" },
  { name: "via-vertex-claude", account: "vertex", upstream: "claude-vertex", dialect: "anthropic" },
  { name: "via-gemini", account: "gemini", upstream: "gemini-sim", dialect: "gemini" },
  { name: "via-vertex-gemini", account: "vertex", upstream: "gemini-vertex", dialect: "gemini" },
];
// The independent mock has no token endpoints for Entra and Google.
const withoutTokens = models.filter(({ account }) => !["azure-v1", "vertex"].includes(account));

// The calls that both books count tokens of, by the names that the books have for them.
const billed = [
  "chat", "completions", "responses", "messages", "generate", "embeddings", "embed_content",
  "batch_embed_contents", "predict",
  "/chat/completions", "/completions", "/responses", "/messages", ":generateContent",
  ":streamGenerateContent", "/embeddings", ":embedContent", ":batchEmbedContents",
];

class Simulator {
  static name = "sim";
  independent = false;
  models = models;

  static async start(folder) {
    const upstream = new Simulator();
    Object.assign(upstream, await startSimulator(folder));
    return upstream;
  }

  // Every call that has ended, oldest first.
  async calls() {
    const calls = [];
    for (let since = 0, more = true; more;) {
      const page = await (await fetch(`${this.url}/sim/v1/calls?since=${since}`)).json();
      calls.push(...page.calls);
      ({ next: since, more } = page);
    }
    return calls;
  }

  async bodies() {
    return (await this.calls()).map((call) => call.request ?? "");
  }

  stop() {
    return this.program.stop();
  }
}

// npm @copilotkit/aimock: an upstream that nobody here wrote.
class Aimock {
  independent = true;
  models = withoutTokens;

  static async start() {
    const upstream = new Aimock();
    upstream.mock = new LLMock({ port: 0, host: "127.0.0.1", logLevel: "silent" });
    fixtures(upstream.mock);
    upstream.url = await upstream.mock.start();
    return upstream;
  }

  async bodies() {
    return this.mock.getRequests().map((request) => JSON.stringify(request.body));
  }

  async stop() {
    await this.mock.stop();
    return 0;
  }
}

// What one request under test may use: a key that no other test has, and what its rows must say.
export class Context {
  constructor(world, model, key) {
    Object.assign(this, { world, model, key: key.secret, keyId: key.id, url: world.url });
  }

  // The ledger rows of this key, oldest first, as soon as there are `count`.
  async rows(count) {
    const query = `/api/v1/requests?limit=1000&key=${this.keyId}`;
    let rows = [];
    await until(`${count} ledger rows`, async () => {
      rows = (await this.world.admin(query)).requests.reverse();
      return rows.length >= count;
    });
    return rows;
  }

  // Whether a body that the upstream got holds every one of these texts.
  async upstreamGot(...texts) {
    const bodies = await this.world.upstream.bodies();
    const found = bodies.some((body) => texts.every((text) => body.includes(text)));
    assert.ok(found, `no request to the upstream holds ${texts.join(" and ")}`);
  }
}

export class World {
  static async start(kind) {
    const world = new World();
    world.folder = new Folder();
    world.upstream = kind === "aimock" ? await Aimock.start() : await Simulator.start(world.folder);
    Object.assign(world, await startWeir(world.folder, world.upstream.url));
    world.models = world.upstream.models;
    world.adminUrl = world.admin;
    world.admin = (path, options) => world.call(path, options);
    world.keys = [];
    world.keysMade = 0;
    world.finishLast(kind);
    return world;
  }

  async call(path, { method = "GET", body } = {}) {
    const reply = await fetch(this.adminUrl + path, {
      method,
      headers: { authorization: `Bearer ${adminToken}`, "content-type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await reply.text();
    if (!reply.ok) throw new Error(`${method} ${path}: ${reply.status} ${text}`);
    return JSON.parse(text);
  }

  async makeKey(spec = {}) {
    const name = `test-${++this.keysMade}`;
    const made = await this.call("/api/v1/keys", { method: "POST", body: { name, ...spec } });
    this.keys.push(made.key);
    return { id: made.id, secret: made.key };
  }

  async context(model, spec) {
    return new Context(this, model, await this.makeKey(spec));
  }

  model(name) {
    return this.models.find((model) => model.name === name);
  }

  // The tests of a file: what `make` registers, several at once, and then the closing ones.
  tests(make) {
    describe("scenes", { concurrency: 8 }, () => make(this));
    this.closing();
  }

  // The last tests of the file: the books agree, the log keeps its secrets, the end is clean.
  finishLast(kind) {
    this.closing = () => {
      if (kind !== "aimock") {
        test("the ledger and the simulator's account agree", () => this.agree());
      }
      test("the log holds no key and no prompt", () => {
        const log = this.program.text();
        for (const secret of [...this.keys, "sk-up", adminToken, "Say amber", "sk-clients"]) {
          assert.ok(!log.includes(secret), `the log holds ${secret.slice(0, 12)}...`);
        }
        // The independent mock has no token endpoints, and is asked for no token in any scene.
        const errors = log.split("\n").filter((line) => line.includes('"level":"error"') &&
          !(kind === "aimock" && line.includes("access_token_failed")));
        assert.deepEqual(errors, []);
      });
      test("weir ends cleanly", async () => {
        this.stopped = true;
        assert.equal(await this.program.stop(), 0, this.program.text().slice(-4000));
        assert.equal(await this.upstream.stop(), 0);
      });
      after(() => this.remove());
    };
  }

  async remove() {
    if (!this.stopped) {
      await this.program.stop();
      await this.upstream.stop();
    }
    this.folder.remove();
  }

  // Every call that the simulator answered to the end stands in the ledger once, with the counts
  // that the simulator billed; and the ledger holds no other.
  async agree() {
    const line = (model, estimated, input, cached, written, output, reasoning) => estimated
      ? `${model}, not told what it used`
      : `${model} in=${input} cached=${cached} written=${written} out=${output} think=${reasoning}`;
    // Amazon's models that embed may take several calls for one request.
    const summed = new Map();
    const sum = (model, tokens) => summed.set(model, (summed.get(model) ?? 0) + tokens);
    const calls = await this.upstream.calls();
    for (const { endpoint, status, model, usage } of calls) {
      if (endpoint === "bedrock_embeddings" && status === 200) sum(model, usage.input);
    }
    const told = calls
      .filter((call) => call.outcome === "whole" && call.status === 200)
      .filter((call) => call.method === "POST" && billed.includes(call.endpoint))
      .map(({ model, endpoint, usage: u }) => line(model, endpoint.includes("embed_content"),
        u.input, u.cached, u.cache_write, u.output, u.reasoning));
    const kept = [];
    for (let before = ""; before !== null;) {
      const page = await this.call(`/api/v1/requests?limit=1000${before && `&before=${before}`}`);
      for (const row of page.requests) {
        if (row.outcome !== "ok" || row.attempts.length === 0 || !billed.includes(row.endpoint)) {
          continue;
        }
        const u = row.usage;
        if (summed.has(row.provider_model)) {
          sum(row.provider_model, -u.input);
          continue;
        }
        const written = u.cache_write_5m + u.cache_write_1h;
        kept.push(line(row.provider_model, row.cost_state === "estimated",
          u.input + u.cache_read + written, u.cache_read, written, u.output, u.reasoning));
      }
      before = page.next;
    }
    for (const [model, left] of summed) assert.equal(left, 0, `${model}: tokens in one book alone`);
    assert.ok(told.length > 0, "the simulator has answered nothing");
    // Only what one book has more of than the other is worth reading.
    const surplus = (these, those) => {
      const left = [...those];
      return these.filter((entry) => {
        const at = left.indexOf(entry);
        if (at >= 0) left.splice(at, 1);
        return at < 0;
      });
    };
    assert.deepEqual(
      { onlyInTheLedger: surplus(kept, told), onlyInTheSimulator: surplus(told, kept) },
      { onlyInTheLedger: [], onlyInTheSimulator: [] });
  }
}
