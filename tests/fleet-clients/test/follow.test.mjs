// Eight backends of which one turns slow, one fails and one restarts; clients that follow the
// tables made of what they themselves report. Bounds are generous: what is asked is that traffic
// moves, that it comes back in stages, and that each change is explained.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { Backend } from "../lib/backends.mjs";
import { cppClient, Haproxy, nodeClient, sleep } from "../lib/clients.mjs";
import { Fleet, until } from "../lib/fleet.mjs";

const service = "echo";
const [slow, failing, restarting] = ["b2", "b4", "b6"];
const fair = 1 / 8;
const haproxyThere = spawnSync("haproxy", ["-v"]).status === 0;
const cppThere = existsSync(process.env.FLEET_CPP_CLIENT ?? "");

let fleet;
const backends = [];
const clients = [];
const seen = {};  // weights of each endpoint, as they followed each other
let told, asking, watching;

async function register(backend) {
  await fleet.call("PUT", `/v1/fleet/services/${service}/endpoints/${backend.name}`,
    { address: "127.0.0.1", port: backend.ports[0], start: String(backend.start) });
}

before(async () => {
  for (let i = 0; i < 8; ++i) {
    const backend = new Backend(`b${i}`);
    await backend.listen();
    backends.push(backend);
  }
  const socket = `/tmp/weir-fleet-clients-${process.pid}.sock`;
  fleet = await Fleet.start(`  xds:
    listen: 127.0.0.1:0
  haproxy_agent:
    listen: 127.0.0.1:0
  haproxy:
    - name: told
      address: unix:${socket}
      backends:
        - {service: ${service}, backend: be}`, `services:
  - name: ${service}`);
  for (const backend of backends) {
    await register(backend);
    backend.report(fleet, service);
  }
  clients.push(await nodeClient(fleet, service));
  if (cppThere) clients.push(cppClient(fleet, service, process.env.FLEET_CPP_CLIENT));
  if (haproxyThere) {
    told = new Haproxy(fleet, "haproxy-told", service, backends, socket);
    asking = new Haproxy(fleet, "haproxy-asking", service, backends, `${socket}-2`, fleet.agent);
    await told.start();
    await asking.start();
    clients.push(told.client(), asking.client());
  }
  watching = setInterval(async () => {
    const now = await fleet.weights(service).catch(() => ({}));
    for (const [name, weight] of Object.entries(now)) {
      const list = (seen[name] ??= []);
      if (list.at(-1) !== weight) list.push(weight);
    }
  }, 250);
});

after(async () => {
  clearInterval(watching);
  for (const client of clients) client.stop();
  await fleet?.stop();
  for (const backend of backends) await backend.stop();
});

async function eachShare(endpoint, ms, fits) {
  for (const client of clients) {
    const share = client.sums.share(endpoint, ms);
    assert.ok(client.sums.count(ms) > 50, `${client.name} calls`);
    assert.ok(fits(share), `${client.name}: ${endpoint} has ${(share * 100).toFixed(1)} % of it`);
  }
}

test("a client of each kind is there", (t) => {
  if (!cppThere) t.skip("gRPC C++ is not installed");
});
test("HAProxy is there", (t) => {
  if (!haproxyThere) t.skip("HAProxy is not installed");
});

test("healthy backends share the traffic", async () => {
  await until("traffic of every client", 30_000, () =>
    clients.every((one) => one.sums.count(3000) > 150));
  await sleep(20_000);  // what is normal is learned
  for (const { name } of backends) await eachShare(name, 10_000, (share) => share > fair / 3);
  for (const client of clients) assert.equal(client.sums.trouble, undefined);
  assert.equal(await fleet.metric("weir_fleet_xds_nacks_total"), 0);
});

test("traffic leaves the one that is slow and the one that fails", async () => {
  backends[2].mode = "slow";
  backends[4].mode = "error";
  await until("the cuts", 60_000, async () => {
    const now = await fleet.weights(service);
    return now[slow] < 0.3 && now[failing] < 0.1;
  });
  await sleep(7_000);
  await eachShare(failing, 5_000, (share) => share < fair / 3);
  await eachShare(slow, 5_000, (share) => share < fair / 2);
});

test("an HAProxy that starts anew is told again", { skip: !haproxyThere }, async () => {
  await told.restart();
  await until("the weights", 30_000, async () => {
    const state = spawnSync("bash", ["-c", `echo 'show servers state be' | python3 -c "
import socket, sys
s = socket.socket(socket.AF_UNIX); s.connect('${told.socket}'); s.sendall(sys.stdin.buffer.read())
while (d := s.recv(65536)): sys.stdout.buffer.write(d)"`]).stdout.toString();
    const weight = (name) => Number(state.split("\n").find((line) => line.split(" ")[3] === name)
      ?.split(" ")[7]);
    return weight(failing) <= 26 && weight("b0") >= 200;
  });
});

test("each cut is explained", async () => {
  assert.match(await fleet.explain(`${service}/${slow}`), /slow/);
  assert.match(await fleet.explain(`${service}/${failing}`), /fail|error/);
});

test("one that restarts begins with little", async () => {
  const mark = seen[restarting].length;
  await backends[6].restart();
  await register(backends[6]);
  await until("slow start", 20_000, () => seen[restarting].slice(mark).some((one) => one < 0.5));
  await until("its return", 120_000, async () => (await fleet.weights(service))[restarting] > 0.9);
  const climbed = new Set(seen[restarting].slice(mark));
  assert.ok(climbed.size >= 4, `in steps: ${[...climbed]}`);
  assert.match(await fleet.explain(`${service}/${restarting}`), /warm|start/);
});

test("traffic comes back in stages when they are well again", async () => {
  const marks = [slow, failing].map((name) => seen[name].length - 1);
  backends[2].mode = "ok";
  backends[4].mode = "ok";
  await until("their return", 150_000, async () => {
    const now = await fleet.weights(service);
    return now[slow] > 0.9 && now[failing] > 0.9;
  });
  await sleep(8_000);
  for (const [i, name] of [slow, failing].entries()) {
    const stages = seen[name].slice(marks[i]);
    const between = stages.filter((one) => one > 0.03 && one < 0.9);
    assert.ok(between.length >= 3, `${name} came back over ${stages}`);
    await eachShare(name, 5_000, (share) => share > fair / 3);
  }
});

test("nothing was refused, and every change has its record", async () => {
  assert.equal(await fleet.metric("weir_fleet_xds_nacks_total"), 0);
  assert.ok(await fleet.metric("weir_fleet_xds_acks_total") > 0);
  if (haproxyThere) {
    assert.equal(await fleet.metric("weir_fleet_sink_refused_total"), 0);
    assert.ok(await fleet.metric("weir_fleet_sink_changes_total") > 8);
    assert.equal(await fleet.metric("weir_fleet_agent_checks_unknown_total"), 0);
  }
  for (const name of [slow, failing, restarting]) {
    const sentences = (await fleet.explain(`${service}/${name}`)).trim().split("\n");
    assert.ok(sentences.length >= 4, sentences.join("\n"));
  }
});
