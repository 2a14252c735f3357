// The suite `fleet`; see run.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import https from "node:https";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { Reporter } from "../../examples/fleet/reporter.mjs";

const token = "fleet-token";
const folder = mkdtempSync(path.join(tmpdir(), "weir-fleet-"));
const children = new Set();
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

function start(command, args, options = {}) {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"], ...options });
  children.add(child);
  child.ended = new Promise((resolve) => {
    child.once("exit", () => {
      children.delete(child);
      resolve();
    });
  });
  return child;
}

// Starts a fleet whose configuration has these lines more; gives its URL.
async function serve(name, lines) {
  const file = path.join(folder, `${name}.yaml`);
  writeFileSync(file, `listen: 127.0.0.1:0\ntoken: ${token}\nlog: {file: ${folder}/${name}.log}\n` +
    `data_dir: ${folder}/${name}\n${lines}`);
  const child = start(process.env.WEIR_BIN, ["fleet", "serve", "-c", file]);
  let said = "";
  child.url = await new Promise((resolve, reject) => {
    child.stdout.on("data", (bytes) => {
      said += bytes;
      const found = /serving at (https?:\S+?):? /.exec(said);
      if (found) resolve(found[1].replace(/:$/, ""));
    });
    child.ended.then(() => reject(new Error(`the fleet ended: ${said}`)));
  });
  return child;
}

async function until(what, check, seconds = 60) {
  for (let i = 0; i < seconds * 10; i += 1) {
    const value = await check();
    if (value) return value;
    await sleep(100);
  }
  throw new Error(`waited ${seconds} s for ${what}`);
}

const get = async (url) => (await fetch(url)).json();
const call = (url, method, body) => fetch(url, { method,
  headers: { authorization: `Bearer ${token}` }, body: body && JSON.stringify(body) });
const weights = (url, service = "shop") => get(`${url}/v1/fleet/services/${service}/weights`);
const weightOf = async (url, endpoint) =>
  (await weights(url)).endpoints.find((e) => e.name === endpoint).weight;
const cli = (url, ...words) => execFileSync(process.env.WEIR_BIN,
  ["fleet", ...words, "--server", url, "--token", token], { encoding: "utf8" });

const shop = `services:
  - name: shop
    endpoints:
${["a", "b", "c", "d", "e"].map((n, i) =>
    `      - {name: ${n}, address: "10.0.0.${i + 1}:80", zone: z1}\n`).join("")}`;

const checks = [];
const skipped = [];
const add = (name, run) => checks.push({ name, run });

// Calls a few endpoints through the reporter; those that `sick` names fail half of the time.
function traffic(reporter, sick) {
  let n = 0;
  const timer = setInterval(() => {
    for (const endpoint of ["a", "b", "c", "d", "e"]) {
      for (let i = 0; i < 2; i += 1) {
        reporter.begin(endpoint).end({ error: sick.has(endpoint) && (n += 1) % 2 === 0 });
      }
    }
  }, 50);
  return { stop: () => clearInterval(timer) };
}

add("the Node reporter's samples find a sick endpoint, and it is explained", async () => {
  const fleet = await serve("node", shop);
  const sick = new Set();
  const reporter = new Reporter({ url: fleet.url, service: "shop", name: "node-1", token });
  const load = traffic(reporter, sick);
  await until("samples", async () =>
    (await get(`${fleet.url}/v1/fleet/status`)).samples.accepted > 25);
  sick.add("d");
  const stream = await fetch(`${fleet.url}/v1/fleet/services/shop/weights`,
    { headers: { accept: "text/event-stream" } });
  const reader = stream.body.pipeThrough(new TextDecoderStream()).getReader();
  let events = "";
  while (!/event: delta\ndata: .*"name":"d"/.test(events)) events += (await reader.read()).value;
  assert.match(events, /event: snapshot/);
  await reader.cancel();
  assert.ok(await weightOf(fleet.url, "d") < 1000);
  const explained = cli(fleet.url, "explain", "shop/d");
  assert.match(explained, /d of shop: degraded/);
  assert.match(explained, /requests failed/);
  assert.match(cli(fleet.url, "status"), /shop\/d .* cause errors/);
  assert.equal(reporter.counters.failures, 0);
  assert.equal(reporter.counters.refused, 0);
  assert.ok(reporter.counters.sent > 0);

  // A restart: the same weights, versions above, and the reporter goes on.
  sick.clear();
  load.stop();
  await reporter.close();
  const before = await weights(fleet.url);
  fleet.kill("SIGTERM");
  await fleet.ended;
  const again = await serve("node", shop);
  const after = await weights(again.url);
  assert.ok(BigInt(after.version) > BigInt(before.version));
  assert.ok(after.endpoints.find((e) => e.name === "d").weight < 1000);
  again.kill("SIGTERM");
  await again.ended;
});

add("the API by HTTPS, and the commands trust no certificate that nobody vouches for", async () => {
  const [cert, key] = ["cert.pem", "key.pem"].map((name) => path.join(folder, name));
  execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
    "-nodes", "-days", "1", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
    "-keyout", key, "-out", cert], { stdio: "ignore" });
  const fleet = await serve("https", `tls: {certificate: ${cert}, key: ${key}}\n${shop}`);
  assert.match(fleet.url, /^https:/);
  const body = await new Promise((resolve, reject) => {
    const table = `${fleet.url}/v1/fleet/services/shop/weights`;
    https.get(table, { ca: readFileSync(cert) }, (reply) => {
      let text = "";
      reply.on("data", (bytes) => { text += bytes; });
      reply.on("end", () => resolve(JSON.parse(text)));
    }).on("error", reject);
  });
  assert.equal(body.endpoints.length, 5);
  const env = { ...process.env, SSL_CERT_FILE: cert };
  const words = ["fleet", "status", "--server", fleet.url, "--token", token];
  assert.match(execFileSync(process.env.WEIR_BIN, words, { encoding: "utf8", env }), /5 endpoints/);
  assert.throws(() => execFileSync(process.env.WEIR_BIN, words, { stdio: "pipe" }), /certificate/i);
  fleet.kill("SIGTERM");
  await fleet.ended;
});

add("SIGHUP takes up the services of the file, and a mistake changes nothing", async () => {
  const fleet = await serve("reload", shop);
  const file = path.join(folder, "reload.yaml");
  const names = async () => (await weights(fleet.url)).endpoints.map((e) => e.name).join("");
  assert.equal(await names(), "abcde");
  await call(`${fleet.url}/v1/fleet/services/shop/endpoints/x`, "PUT",
    { address: "10.0.1.1", port: 80 });
  const before = readFileSync(file, "utf8");
  const without = before.replace(/ +- .name: b,.*\n/, "");
  writeFileSync(file, without.replace("10.0.0.5:80", "10.0.9.5:80") +
    "      - {name: f, address: \"10.0.0.6:80\"}\n");
  fleet.kill("SIGHUP");
  await until("the new file", async () => await names() === "acdefx");
  const moved = (await weights(fleet.url)).endpoints.find((e) => e.name === "e");
  assert.equal(moved.address, "10.0.9.5");
  writeFileSync(file, `${before}      - {name: g}\n`);
  fleet.kill("SIGHUP");
  const log = () => readFileSync(path.join(folder, "reload.log"), "utf8");
  await until("the refusal", () => log().includes("fleet_reload_failed"));
  assert.match(log(), /fleet_reload_problem.*address/);
  assert.equal(await names(), "acdefx");
  fleet.kill("SIGTERM");
  await fleet.ended;
});

add("the C++ reporter's samples find a sick endpoint", async () => {
  const fleet = await serve("cpp", shop);
  const { hostname, port } = new URL(fleet.url);
  const child = start(process.env.REPORTER_BIN, [hostname, port, "shop", "cpp-1", token]);
  let last = [];
  child.stdout.on("data", (bytes) => {
    last = bytes.toString().trim().split("\n").pop().split(" ").map(Number);
  });
  await until("a cut", async () => await weightOf(fleet.url, "c") < 1000);
  assert.match(cli(fleet.url, "explain", "shop/c"), /requests failed/);
  const status = await get(`${fleet.url}/v1/fleet/status`);
  assert.equal(status.samples.implausible, 0);
  assert.ok(last[1] > 0 && last[0] > 0, `counters ${last}`);
  assert.ok(last[2] > 0, "what nobody registered is dropped and counted");
  child.kill();
  fleet.kill("SIGTERM");
  await fleet.ended;
});

add("a registration survives a kill", async () => {
  const fleet = await serve("kill", "");
  const path = "/v1/fleet/services/own/endpoints/x";
  const put = await call(fleet.url + path, "PUT", { address: "10.1.0.1", port: 81, start: "1" });
  assert.equal(put.status, 201);
  assert.equal((await fetch(fleet.url + path, { method: "PUT", body: "{}" })).status, 401);
  const saved = async () => Number(/state_snapshots_total (\d+)/.exec(
    await (await fetch(`${fleet.url}/metrics`)).text())[1]);
  const before = await saved();
  await until("a snapshot", async () => await saved() > before);
  fleet.kill("SIGKILL");
  await fleet.ended;
  const again = await serve("kill", "");
  const table = await weights(again.url, "own");
  assert.equal(table.endpoints[0].port, 81);
  again.kill("SIGTERM");
  await again.ended;
});

add("a standby holds the same table and takes over", async () => {
  const standby = await serve("standby", "standby: true\n");
  const primary = await serve("primary", `mirror: [{url: "${standby.url}"}]\n${shop}`);
  const sick = new Set(["b"]);
  const reporter = new Reporter({ url: primary.url, service: "shop", name: "node-2", token });
  const load = traffic(reporter, sick);
  await until("a cut", async () => await weightOf(primary.url, "b") < 1000);
  await until("equal tables", async () => {
    const [one, other] = await Promise.all([weights(primary.url), weights(standby.url)]);
    if (one.version !== other.version) return false;
    assert.equal(one.hash, other.hash);
    return true;
  });
  assert.equal((await call(`${standby.url}/v1/fleet/services/x`, "PUT", {})).status, 503);
  load.stop();
  await reporter.close();
  primary.kill("SIGKILL");
  await primary.ended;
  await until("the standby to take over", async () =>
    !(await get(`${standby.url}/v1/fleet/status`)).standby);
  assert.ok(await weightOf(standby.url, "b") < 1000);
  assert.equal((await call(`${standby.url}/v1/fleet/services/x`, "PUT", {})).status, 201);
  standby.kill("SIGTERM");
  await standby.ended;
});

add("an operator drains, pins and lets go from the shell", async () => {
  const fleet = await serve("shell", shop);
  assert.match(cli(fleet.url, "drain", "shop/a", "--for", "5m", "--reason", "disk"), /0 % of its/);
  assert.equal(await weightOf(fleet.url, "a"), 0);
  assert.match(cli(fleet.url, "explain", "shop/a"), /pinned to 0 % until .*: disk/);
  cli(fleet.url, "pin", "shop/a", "50%");
  assert.match(cli(fleet.url, "endpoints", "shop"), /a +10\.0\.0\.1:80/);
  cli(fleet.url, "unpin", "shop/a");
  assert.equal(await weightOf(fleet.url, "a"), 1000);
  cli(fleet.url, "dry-run", "shop", "on");
  assert.match(cli(fleet.url, "services"), /shop .*dry run/);
  assert.throws(() => cli(fleet.url, "explain", "shop/nobody"));
  fleet.kill("SIGTERM");
  await fleet.ended;
});

if (!process.env.REPORTER_BIN) skipped.push("the C++ reporter: no C++ compiler");
let passed = 0;
let failed = 0;
for (const { name, run } of checks) {
  const wanted = process.argv.slice(2);
  if (wanted.length > 0 && !wanted.some((text) => name.includes(text))) continue;
  if (name.includes("C++") && !process.env.REPORTER_BIN) continue;
  try {
    await run();
    passed += 1;
  } catch (error) {
    failed += 1;
    console.log(`FAILED ${name}\n  ${error.stack}`);
  }
}
for (const line of skipped) console.log(`skipped ${line}`);
console.log(`${passed} passed, ${failed} failed, ${skipped.length} skipped`);
process.exit(failed === 0 ? 0 : 1);
