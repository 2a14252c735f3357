// `weir fleet serve` under test: its configuration, its REST API, and its sentences.
import { execFile, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

export class Fleet {
  // `publish`: the part of fleet.yaml below `publish:`, as text, each line with two spaces more.
  static async start(publish, services = "services: []") {
    const fleet = new Fleet();
    fleet.folder = mkdtempSync(path.join(tmpdir(), "weir-fleet-clients-"));
    fleet.log = "";
    const config = path.join(fleet.folder, "fleet.yaml");
    writeFileSync(config, `listen: 127.0.0.1:0
data_dir: ${path.join(fleet.folder, "data")}
publish:
${publish}
${services}
`);
    fleet.child = spawn(process.env.WEIR_BIN, ["fleet", "serve", "-c", config],
      { stdio: ["ignore", "pipe", "pipe"] });
    fleet.child.stderr.on("data", (bytes) => { fleet.log += bytes; });
    let out = "";
    fleet.child.stdout.on("data", (bytes) => { out += bytes; });
    fleet.kill = () => fleet.child.kill("SIGKILL");
    process.once("exit", fleet.kill);
    await until("weir fleet serve", 30_000, () => {
      if (fleet.child.exitCode !== null) throw new Error(`it ended:\n${out}${fleet.log}`);
      fleet.url = out.match(/http:\/\/127\.0\.0\.1:\d+(?=:)/)?.[0];
      fleet.xds = out.match(/clients of xDS\s+(\S+)/)?.[1];
      fleet.agent = out.match(/agent checks\s+(\S+)/)?.[1];
      return fleet.url && (!publish.includes("xds:") || fleet.xds);
    });
    return fleet;
  }

  async call(method, where, body) {
    const answer = await fetch(this.url + where,
      { method, body: body === undefined ? undefined : JSON.stringify(body) });
    const text = await answer.text();
    if (!answer.ok && answer.status !== 304) throw new Error(`${method} ${where}: ${text}`);
    return text ? JSON.parse(text) : {};
  }

  // Weights by endpoint, as shares of the full one.
  async weights(service) {
    const table = await this.call("GET", `/v1/fleet/services/${service}/weights`);
    return Object.fromEntries(table.endpoints.map((one) => [one.name, one.weight / 1000]));
  }

  async explain(endpoint) {
    const run = promisify(execFile);
    const { stdout } = await run(process.env.WEIR_BIN,
      ["fleet", "explain", endpoint, "--server", this.url]);
    return stdout;
  }

  async metric(name) {
    const text = await (await fetch(`${this.url}/metrics`)).text();
    const line = text.split("\n")
      .find((one) => one.startsWith(name) && /[ {]/.test(one[name.length]));
    return line === undefined ? undefined : Number(line.split(" ").at(-1));
  }

  async stop() {
    const ended = new Promise((resolve) => this.child.once("exit", resolve));
    this.child.kill("SIGTERM");
    await ended;
    process.removeListener("exit", this.kill);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export async function until(what, limitMs, probe) {
  for (const end = Date.now() + limitMs; ;) {
    const found = await probe();
    if (found) return found;
    if (Date.now() > end) throw new Error(`waited ${limitMs} ms in vain for ${what}`);
    await sleep(100);
  }
}
