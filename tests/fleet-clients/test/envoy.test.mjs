// Envoy's form of xDS, in state of the world and incremental, read with Envoy's own .proto files
// and compared with golden/envoy.json. WEIR_GOLDEN=write writes it anew.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";
import { Fleet, until } from "../lib/fleet.mjs";

const here = path.dirname(fileURLToPath(import.meta.url));
const golden = path.join(here, "../golden/envoy.json");
const deps = path.join(path.dirname(createRequire(import.meta.url)
  .resolve("@grpc/grpc-js-xds/package.json")), "deps");
const files = ["service/discovery/v3/ads", "config/cluster/v3/cluster",
  "config/endpoint/v3/endpoint", "config/listener/v3/listener", "config/route/v3/route",
  "extensions/filters/http/router/v3/router",
  "extensions/filters/network/http_connection_manager/v3/http_connection_manager"];
const definition = loader.loadSync(files.map((file) => `envoy/${file}.proto`), {
  keepCase: true, longs: Number, enums: String, oneofs: true, json: true,
  includeDirs: ["envoy-api", "xds", "googleapis", "protoc-gen-validate"].map((one) =>
    path.join(deps, one)),
});
const { AggregatedDiscoveryService } =
  grpc.loadPackageDefinition(definition).envoy.service.discovery.v3;

const types = Object.fromEntries(["cluster.v3.Cluster", "endpoint.v3.ClusterLoadAssignment",
  "listener.v3.Listener", "route.v3.RouteConfiguration"].map((name) =>
  [name.split(".").at(-1), `type.googleapis.com/envoy.config.${name}`]));

let fleet, client;

// A stream, and what came over it: resources are read by their types.
function stream(method) {
  const call = client[method]();
  const got = [];
  call.on("data", (response) => got.push(response));
  call.on("error", () => {});
  let first = true;
  return {
    ask(request) {
      const node = { id: "envoy-1", user_agent_name: "envoy", locality: { zone: "z1" } };
      call.write(first ? { node, ...request } : request);
      first = false;
    },
    async next() {
      await until("a response", 10_000, () => got.length > 0);
      return got.shift();
    },
    end: () => call.cancel(),
    waiting: () => got.length,
  };
}

// Nonces are a stream's own, and versions hashes: neither belongs into a golden file.
const volatile = ["nonce", "version_info", "version", "system_version_info"];
function plain(response) {
  return JSON.parse(JSON.stringify(response, (key, value) =>
    (volatile.includes(key) ? undefined : value)));
}

before(async () => {
  fleet = await Fleet.start(`  xds:
    listen: 127.0.0.1:0`, `services:
  - name: pay
    endpoints:
      - {name: p-1, address: "10.0.1.1:8080", zone: z1}
  - name: search
    endpoints:
      - {name: s-1, address: "10.0.0.1:8080", zone: z1}
      - {name: s-2, address: "10.0.0.2:8080", zone: z2, weight: 250}
      - {name: s-3, address: "[2001:db8::3]:8080", zone: z1}
      - {name: s-4, address: "name.example:8080", zone: z1}`);
  client = new AggregatedDiscoveryService(fleet.xds, grpc.credentials.createInsecure());
});

after(async () => {
  client?.close();
  await fleet?.stop();
});

test("both forms are as recorded", async () => {
  const found = {};
  const world = stream("StreamAggregatedResources");
  for (const [name, names] of [["Cluster", []], ["ClusterLoadAssignment", ["search", "pay"]],
    ["Listener", []], ["RouteConfiguration", ["search"]]]) {
    world.ask({ type_url: types[name], resource_names: names });
    found[`world ${name}`] = plain(await world.next());
  }
  world.end();
  const delta = stream("DeltaAggregatedResources");
  for (const [name, names] of [["Cluster", []], ["ClusterLoadAssignment", ["search", "none"]],
    ["Listener", []], ["RouteConfiguration", ["search"]]]) {
    delta.ask({ type_url: types[name], resource_names_subscribe: names });
    found[`delta ${name}`] = plain(await delta.next());
  }
  delta.end();
  if (process.env.WEIR_GOLDEN === "write") {
    writeFileSync(golden, `${JSON.stringify(found, null, 1)}\n`);
  }
  assert.deepEqual(found, JSON.parse(readFileSync(golden, "utf8")));
});

test("a drained endpoint is told by both forms, and only its service", async () => {
  const world = stream("StreamAggregatedResources");
  world.ask({ type_url: types.ClusterLoadAssignment, resource_names: ["search", "pay"] });
  const first = await world.next();
  world.ask({ type_url: types.ClusterLoadAssignment, resource_names: ["search", "pay"],
    response_nonce: first.nonce, version_info: first.version_info });
  const delta = stream("DeltaAggregatedResources");
  delta.ask({ type_url: types.ClusterLoadAssignment, resource_names_subscribe: ["search", "pay"] });
  delta.ask({ type_url: types.ClusterLoadAssignment, response_nonce: (await delta.next()).nonce });
  await fleet.call("PUT", "/v1/fleet/services/search/endpoints/s-1/pin",
    { share: 0, for: "5m", reason: "test" });
  for (const [which, resources] of [["world", (await world.next()).resources],
    ["delta", (await delta.next()).resources.map((one) => one.resource)]]) {
    assert.deepEqual(resources.map((one) => one.cluster_name), ["search"], which);
    const states = resources[0].endpoints.flatMap((zone) => zone.lb_endpoints).map((one) =>
      [one.endpoint.address.socket_address.address, one.health_status]);
    assert.deepEqual(Object.fromEntries(states)["10.0.0.1"], "DRAINING", which);
    assert.deepEqual(Object.fromEntries(states)["10.0.0.2"], "HEALTHY", which);
  }
  assert.equal(await fleet.metric("weir_fleet_xds_responses_urgent_total") > 0, true);
  world.end();
  delta.end();
});

test("a service that goes is taken away, and a reconnect tells what changed", async () => {
  const delta = stream("DeltaAggregatedResources");
  delta.ask({ type_url: types.Cluster });
  const first = await delta.next();
  assert.deepEqual(first.resources.map((one) => one.name), ["pay", "search"]);
  delta.ask({ type_url: types.Cluster, response_nonce: first.nonce });
  await fleet.call("PUT", "/v1/fleet/services/late", {});
  const came = await delta.next();
  assert.deepEqual(came.resources.map((one) => one.name), ["late"]);
  delta.ask({ type_url: types.Cluster, response_nonce: came.nonce });
  await fleet.call("DELETE", "/v1/fleet/services/late");
  assert.deepEqual((await delta.next()).removed_resources, ["late"]);
  delta.end();
  const again = stream("DeltaAggregatedResources");
  const known = Object.fromEntries(first.resources.map((one) => [one.name, one.version]));
  again.ask({ type_url: types.Cluster,
    initial_resource_versions: { ...known, pay: "0", late: "1" } });
  const answer = await again.next();
  assert.deepEqual(answer.resources.map((one) => one.name), ["pay"]);
  assert.deepEqual(answer.removed_resources, ["late"]);
  again.end();
});

test("a refusal is counted, logged once, and does not loop", async () => {
  const world = stream("StreamAggregatedResources");
  world.ask({ type_url: types.Cluster });
  const first = await world.next();
  const before = await fleet.metric("weir_fleet_xds_responses_total");
  world.ask({ type_url: types.Cluster, response_nonce: first.nonce,
    error_detail: { code: 3, message: "no such thing as a pay" } });
  await until("the count", 5_000, async () =>
    await fleet.metric("weir_fleet_xds_nacks_total") === 1);
  assert.equal(await fleet.metric("weir_fleet_xds_responses_total"), before);
  assert.equal(world.waiting(), 0);
  assert.equal(fleet.log.split("no such thing as a pay").length, 2);
  world.end();
});
