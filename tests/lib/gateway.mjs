// The gateway under test: `weir serve` with a suite's configuration, its ledger, and a plain HTTP
// client that shows what arrives byte for byte.
import { spawn } from "node:child_process";
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const adminToken = "admin-token-of-the-suite";
const startMs = 30_000;
const rowsMs = 20_000;

export class Gateway {
  // `configuration`: weir.yaml, with ${UPSTREAM} for the provider's address, ${TOKENS} for that of
  // its tokens, ${ADMIN_TOKEN} and ${SERVICE_ACCOUNT}; `key`: with which post() calls.
  static async start(upstream, { configuration, key }) {
    const gateway = new Gateway();
    gateway.key = key;
    gateway.folder = mkdtempSync(path.join(tmpdir(), "weir-suite-"));
    gateway.agent = new Agent({ keepAlive: true });
    const config = gateway.write("weir.yaml", configuration);
    const serviceAccount = gateway.write("service-account.json", JSON.stringify({
      type: "service_account",
      project_id: "acme",
      private_key_id: "k1",
      private_key: upstream.privateKey,
      client_email: "weir@acme.example",
    }));
    gateway.logFile = path.join(gateway.folder, "weir.log");
    const out = openSync(gateway.logFile, "a");
    const args = ["serve", "--quiet", "-c", config, "--data-dir",
      path.join(gateway.folder, "data")];
    gateway.child = spawn(process.env.WEIR_BIN, args, {
      env: { ...process.env, UPSTREAM: upstream.url, TOKENS: upstream.plainUrl ?? "",
        ADMIN_TOKEN: adminToken, SERVICE_ACCOUNT: serviceAccount },
      stdio: ["ignore", out, out],
    });
    gateway.ended = new Promise((resolve) => {
      gateway.child.once("exit", (code, signal) => {
        gateway.over = true;
        resolve(signal ?? code);
      });
    });
    // Whatever ends this program ends that one too.
    gateway.kill = () => gateway.child.kill("SIGKILL");
    process.once("exit", gateway.kill);
    const started = await gateway.until("weir to start", startMs, () => gateway.started());
    gateway.url = started.listen;
    gateway.adminUrl = started.admin;
    await gateway.until("the access tokens", startMs, async () =>
      (await fetch(`${gateway.url}/readyz`)).ok);
    return gateway;
  }

  write(name, text) {
    const file = path.join(this.folder, name);
    writeFileSync(file, text);
    return file;
  }

  log() {
    return readFileSync(this.logFile, "utf8");
  }

  started() {
    return this.log().split("\n").filter((line) => line.startsWith("{") && line.endsWith("}"))
      .map((line) => JSON.parse(line)).find((line) => line.event === "started");
  }

  async until(what, limitMs, probe) {
    for (const end = Date.now() + limitMs; ;) {
      const found = await probe();
      if (found) return found;
      if (this.over) throw new Error(`weir ended before ${what}:\n${this.log().slice(-4000)}`);
      if (Date.now() > end) throw new Error(`waited ${limitMs} ms in vain for ${what}`);
      await sleep(20);
    }
  }

  // { status, headers, body, cut }: `cut` where the connection was lost before HTTP's own end.
  post(target, { body, headers = {} }) {
    return new Promise((resolve, reject) => {
      const call = request(`${this.url}${target}`, {
        method: "POST",
        agent: this.agent,
        headers: { authorization: `Bearer ${this.key}`, "content-type": "application/json",
          ...headers },
      }, (response) => {
        const chunks = [];
        const done = (cut) => resolve({ status: response.statusCode, headers: response.headers,
          body: Buffer.concat(chunks), cut });
        response.on("data", (chunk) => chunks.push(chunk));
        response.on("end", () => done(false));
        response.on("error", () => done(true));
      });
      call.on("error", reject);
      call.end(body);
    });
  }

  // The ledger, by request id, as soon as it holds all of these.
  async rows(ids) {
    const rows = new Map();
    await this.until(`${ids.length} ledger rows`, rowsMs, async () => {
      for (let before = ""; before !== null;) {
        const query = `limit=1000${before && `&before=${before}`}`;
        const page = await this.admin(`/api/v1/requests?${query}`);
        for (const row of page.requests) rows.set(row.id, row);
        before = page.next;
      }
      return ids.every((id) => rows.has(id));
    }).catch(() => {});
    return rows;
  }

  async admin(target) {
    const reply = await fetch(this.adminUrl + target,
      { headers: { authorization: `Bearer ${adminToken}` } });
    if (!reply.ok) throw new Error(`${target}: ${reply.status} ${await reply.text()}`);
    return reply.json();
  }

  // SIGTERM, and how it ended: 0 is a clean end, and under a sanitizer one without a finding.
  async stop() {
    this.agent.destroy();
    this.child.kill("SIGTERM");
    const code = await Promise.race([this.ended, sleep(20_000, "did not end", { ref: false })]);
    process.removeListener("exit", this.kill);
    this.kill();
    return code;
  }

  remove() {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
