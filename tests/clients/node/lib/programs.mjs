// Starts the programs under test and ends them again: each on a port of its own, each by its pid.
import { spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const suite = path.resolve(import.meta.dirname, "../..");
const binary = process.env.WEIR_BIN;
if (!binary) throw new Error("WEIR_BIN must name the weir program");
export const adminToken = "admin-token-of-the-client-suite";

// Polls until `probe` gives something; throws with `what` after `limitMs`.
export async function until(what, probe, limitMs = 10_000) {
  const end = Date.now() + limitMs;
  for (;;) {
    const found = await probe();
    if (found) return found;
    if (Date.now() > end) throw new Error(`waited ${limitMs} ms in vain for ${what}`);
    await sleep(5);
  }
}

// A program with its log in a file. Ends with the process that started it, whatever happens.
class Program {
  constructor(args, { env = {}, log }) {
    this.log = log;
    const out = openSync(log, "a");
    this.child = spawn(binary, args, {
      env: { PATH: process.env.PATH, ...sanitizerOptions(), ...env },
      stdio: ["ignore", out, out],
    });
    this.ended = new Promise((resolve) => this.child.once("exit", (code, signal) => {
      this.over = true;
      resolve(signal ?? code);
    }));
    this.kill = () => this.child.kill("SIGKILL");
    process.once("exit", this.kill);
  }

  text() {
    return readFileSync(this.log, "utf8");
  }

  // The first line of the log that is JSON and fits.
  async line(what, fits) {
    return until(what, () => {
      if (this.over) throw new Error(`${what}: the program ended:\n${this.text()}`);
      for (const line of this.text().split("\n")) {
        if (!line.startsWith("{") || !line.endsWith("}")) continue;
        const value = JSON.parse(line);
        if (fits(value)) return value;
      }
      return undefined;
    });
  }

  // SIGTERM, and what it answered: 0 is a clean end, and under a sanitizer one without a finding.
  async stop() {
    this.child.kill("SIGTERM");
    const code = await Promise.race([this.ended, sleep(15_000, "did not end", { ref: false })]);
    process.removeListener("exit", this.kill);
    this.kill();
    return code;
  }
}

function sanitizerOptions() {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => /^(A|UB|T)SAN_OPTIONS$/.test(name)));
}

export class Folder {
  constructor() {
    this.path = mkdtempSync(path.join(tmpdir(), "weir-clients-"));
    // A service account as Google hands it out; the simulator verifies what is signed with it.
    const { privateKey, publicKey } = generateKeyPairSync("rsa", {
      modulusLength: 2048,
      publicKeyEncoding: { type: "spki", format: "pem" },
      privateKeyEncoding: { type: "pkcs8", format: "pem" },
    });
    this.publicKey = publicKey;
    this.serviceAccount = this.write("service-account.json", JSON.stringify({
      type: "service_account",
      project_id: "acme",
      private_key_id: "k1",
      private_key: privateKey,
      client_email: "weir@acme.example",
      token_uri: "http://127.0.0.1:9/never-asked",
    }));
  }

  write(name, text) {
    const file = path.join(this.path, name);
    writeFileSync(file, text);
    return file;
  }

  remove() {
    rmSync(this.path, { recursive: true, force: true });
  }
}

// `weir sim` with the script of this suite.
export async function startSimulator(folder) {
  const program = new Program(
    ["sim", "--listen", "127.0.0.1:0", "--file", path.join(suite, "sim.json"),
      "--google-public-key", folder.write("google.pem", folder.publicKey),
      "--keep-bodies", "65536"],
    { log: path.join(folder.path, "sim.log") });
  const url = await until("weir sim", () => {
    if (program.over) throw new Error(`weir sim ended:\n${program.text()}`);
    return program.text().match(/http:\/\/127\.0\.0\.1:\d+/)?.[0];
  });
  return { url, program };
}

export async function startWeir(folder, upstream) {
  const program = new Program(
    ["serve", "--quiet", "-c", path.join(suite, "weir.yaml"), "--data-dir",
      path.join(folder.path, "data")],
    {
      env: { UPSTREAM: upstream, ADMIN_TOKEN: adminToken, SERVICE_ACCOUNT: folder.serviceAccount },
      log: path.join(folder.path, "weir.log"),
    });
  const started = await program.line("weir serve", (line) => line.event === "started");
  return { url: started.listen, admin: started.admin, program };
}
