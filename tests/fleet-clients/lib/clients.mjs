// The real clients: gRPC of Node.js and of C++ that follow xDS, and HTTP through an HAProxy. Each
// calls at a steady pace and reports what it saw.
import { spawn } from "node:child_process";
import { Agent, get } from "node:http";
import { createInterface } from "node:readline";
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Sums } from "./sums.mjs";
import { until } from "./fleet.mjs";

const everyMs = 12;

export function bootstrap(fleet, id) {
  const file = path.join(fleet.folder, `bootstrap-${id}.json`);
  writeFileSync(file, JSON.stringify({
    xds_servers: [{ server_uri: fleet.xds, channel_creds: [{ type: "insecure" }],
      server_features: ["xds_v3"] }],
    node: { id, locality: { zone: "z1" } },
  }));
  return file;
}

// In this process. The environment must be set before the package is loaded.
export async function nodeClient(fleet, service) {
  process.env.GRPC_XDS_BOOTSTRAP = bootstrap(fleet, "node-client");
  const grpc = (await import("@grpc/grpc-js")).default;
  const xds = (await import("@grpc/grpc-js-xds")).default;
  const { Echo } = await import("./echo.mjs");
  xds.register();
  const client = new Echo(`xds:///${service}`, grpc.credentials.createInsecure());
  const sums = new Sums(fleet, "node-client", service);
  const timer = setInterval(() => {
    const begun = performance.now();
    client.Say({ text: "hi" }, { deadline: Date.now() + 2000 }, (error, note) => {
      sums.note(error ? error.metadata?.get("backend")[0] : note.text, !error,
        performance.now() - begun);
    });
  }, everyMs);
  return { name: "grpc-js-xds", sums,
    stop: () => { clearInterval(timer); sums.stop(); client.close(); } };
}

// A program that calls and prints a line for each call: name or "-", 1 or 0, milliseconds.
export function cppClient(fleet, service, program) {
  const child = spawn(program, [`xds:///${service}`, String(everyMs)],
    { env: { ...process.env, GRPC_XDS_BOOTSTRAP: bootstrap(fleet, "cpp-client") },
      stdio: ["ignore", "pipe", "inherit"] });
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  const sums = new Sums(fleet, "cpp-client", service);
  createInterface({ input: child.stdout }).on("line", (line) => {
    const [name, ok, ms] = line.split(" ");
    sums.note(name === "-" ? undefined : name, ok === "1", Number(ms));
  });
  return { name: "gRPC C++", sums, child, stop: () => { kill(); sums.stop(); } };
}

export async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

// HAProxy over the HTTP ports of the backends. `agent`: where it asks, in place of being told.
export class Haproxy {
  constructor(fleet, name, service, backends, socket, agent) {
    Object.assign(this, { fleet, name, service, backends, socket, agent });
  }

  async start() {
    this.port ??= await freePort();
    const config = path.join(this.fleet.folder, `${this.name}.cfg`);
    const [host, port] = this.agent?.split(":") ?? [];
    const servers = this.backends.map((one) =>
      `  server ${one.name} 127.0.0.1:${one.ports[1]} weight 100` + (this.agent
        ? ` agent-check agent-addr ${host} agent-port ${port} agent-inter 1s` +
          ` agent-send "${this.service}/${one.name}\\n"`
        : ""));
    writeFileSync(config, `global
  stats socket ${this.socket} mode 600 level admin
defaults
  mode http
  timeout connect 1s
  timeout client 10s
  timeout server 10s
  retries 0
frontend in
  bind 127.0.0.1:${this.port}
  default_backend be
backend be
  balance random
${servers.join("\n")}
`);
    this.child = spawn("haproxy", ["-f", config, "-q"], { stdio: ["ignore", "ignore", "inherit"] });
    this.kill = () => this.child.kill("SIGKILL");
    process.once("exit", this.kill);
    await until("haproxy", 10_000, () =>
      fetch(`http://127.0.0.1:${this.port}/`).then(() => true, () => false));
  }

  async restart() {
    const ended = new Promise((resolve) => this.child.once("exit", resolve));
    this.kill();
    await ended;
    await this.start();
  }

  client() {
    const sums = new Sums(this.fleet, `${this.name}-client`, this.service);
    const agent = new Agent({ keepAlive: true, maxSockets: 64 });
    const timer = setInterval(() => {
      const begun = performance.now();
      get({ host: "127.0.0.1", port: this.port, agent, timeout: 2000 }, (response) => {
        response.resume().on("end", () => sums.note(response.headers["x-backend"],
          response.statusCode === 200, performance.now() - begun));
      }).on("error", () => sums.note(undefined, false, 0));
    }, everyMs);
    return { name: this.name, sums,
      stop: () => { clearInterval(timer); sums.stop(); agent.destroy(); this.kill(); } };
  }
}

export { sleep };
