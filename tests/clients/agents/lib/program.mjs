// Runs an agent's program to its end, cut off from everything but this machine: a home of its own,
// no variable of the caller's, and a proxy that refuses whatever is not loopback and notes it.
import { spawn } from "node:child_process";
import dns from "node:dns";
import { mkdirSync } from "node:fs";
import { createServer } from "node:http";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const limitMs = 90_000;

// The proxy of programs that shall call nobody: `asked` holds whom they tried to reach, and whose
// name this program tried to look up.
export class Trap {
  asked = [];

  static async start() {
    const trap = new Trap();
    const refuse = (name) => trap.asked.push(name);
    trap.server = createServer((request, response) => {
      refuse(request.url);
      response.writeHead(403).end();
    });
    trap.server.on("connect", (request, socket) => {
      refuse(request.url);
      socket.on("error", () => {});
      socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
    });
    await new Promise((resolve) => trap.server.listen(0, "127.0.0.1", resolve));
    const lookup = dns.lookup;
    dns.lookup = (name, ...rest) => {
      if (!["127.0.0.1", "localhost"].includes(name)) refuse(name);
      return lookup(name, ...rest);
    };
    return trap;
  }

  environment() {
    const url = `http://127.0.0.1:${this.server.address().port}`;
    const local = "127.0.0.1,localhost";
    return { HTTP_PROXY: url, HTTPS_PROXY: url, http_proxy: url, https_proxy: url,
      NO_PROXY: local, no_proxy: local };
  }

  stop() {
    this.server.closeAllConnections();
    this.server.close();
  }
}

// { code, out, err }. The program leads a process group, which ends with it whatever happens.
export async function runProgram(file, args, { cwd, env, home, trap }) {
  mkdirSync(home, { recursive: true });
  const temporary = path.join(home, "tmp");
  mkdirSync(temporary, { recursive: true });
  const child = spawn(file, args, {
    cwd,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env.PATH, HOME: home, TMPDIR: temporary, LANG: "C.UTF-8",
      ...trap.environment(), ...env },
  });
  const end = () => {
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {
      // Nobody of the group is left.
    }
  };
  process.once("exit", end);
  const result = { out: "", err: "" };
  child.stdout.on("data", (bytes) => result.out += bytes);
  child.stderr.on("data", (bytes) => result.err += bytes);
  const ended = new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => resolve(signal ?? code));
  });
  const late = sleep(limitMs, "late", { ref: false });
  result.code = await Promise.race([ended, late]);
  end();
  await Promise.race([new Promise((resolve) => child.once("close", resolve)), sleep(1000)]);
  process.removeListener("exit", end);
  if (result.code === "late") {
    throw new Error(`${file} did not end\n${result.out.slice(-4000)}\n${result.err.slice(-4000)}`);
  }
  return result;
}
