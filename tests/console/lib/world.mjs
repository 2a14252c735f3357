// What every part of this suite works with: `weir sim`, `weir serve` with weir.yaml, traffic whose
// ledger can be asked by SQL, and a page in a browser that writes down every complaint.
import { spawn } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { chromium } from "playwright-core";
import { Gateway } from "../../lib/gateway.mjs";
import { question } from "./sql.mjs";

const here = path.resolve(import.meta.dirname, "..");
export const pictures = path.resolve(here, "../../build/test/console");

export class World {
  static async start() {
    const world = new World();
    mkdirSync(pictures, { recursive: true });
    await world.startSimulator();
    world.gateway = await Gateway.start(
      { url: world.simulatorUrl, privateKey: "" },
      {
        configuration: readFileSync(path.join(here, "weir.yaml"), "utf8"),
        key: "wk-console-search-0000",
      },
    );
    world.browser = await chromium.launch({
      executablePath: process.env.WEIR_CHROMIUM ?? "/usr/bin/chromium",
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    });
    await world.open({});
    return world;
  }

  async startSimulator() {
    this.simulator = spawn(
      process.env.WEIR_BIN,
      ["sim", "--listen", "127.0.0.1:0", "--file", path.join(here, "sim.json")],
      { stdio: ["ignore", "pipe", "ignore"] },
    );
    process.once("exit", () => this.simulator.kill("SIGKILL"));
    this.simulatorUrl = await new Promise((resolve, reject) => {
      let text = "";
      this.simulator.stdout.on("data", (piece) => {
        text += piece;
        const found = /http:\/\/127\.0\.0\.1:\d+/.exec(text);
        if (found) resolve(found[0]);
      });
      this.simulator.once("exit", (code) => reject(new Error(`weir sim ended with ${code}`)));
    });
  }

  // A fresh page, signed in unless `token` says otherwise.
  async open({
    token = "admin-token-of-the-suite",
    theme = "light",
    language = "en",
    width = 1280,
    height = 800,
  }) {
    await this.context?.close();
    this.context = await this.browser.newContext({
      viewport: { width, height },
      colorScheme: theme,
      reducedMotion: "reduce",
      permissions: ["clipboard-read", "clipboard-write"],
    });
    this.context.setDefaultTimeout(10_000);
    await this.context.addInitScript(
      ([secret, words]) => {
        if (secret !== "") sessionStorage.setItem("weir.token", secret);
        localStorage.setItem("weir.language", words);
      },
      [token, language],
    );
    this.page = await this.context.newPage();
    this.complaints = [];
    this.foreign = [];
    this.page.on("console", (message) => {
      if (message.type() !== "error" && message.type() !== "warning") return;
      // What a test asks for on purpose is told by the browser, too.
      if (/Failed to load resource/.test(message.text())) return;
      this.complaints.push(message.text());
    });
    this.page.on("pageerror", (problem) => this.complaints.push(problem.message));
    this.page.on("request", (request) => {
      if (!request.url().startsWith(this.gateway.adminUrl)) this.foreign.push(request.url());
    });
    return this.page;
  }

  async go(target) {
    await this.page.goto(this.gateway.adminUrl + target);
    await this.page.locator("main h1").first().waitFor();
    return this.page;
  }

  async picture(name) {
    await this.page.screenshot({ path: path.join(pictures, `${name}.png`) });
  }

  // A chat completion; its ledger row, as soon as there is one.
  async ask(
    prompt,
    { model = "gpt-4o", key = "wk-console-search-0000", stream = false, ...more } = {},
  ) {
    const answer = await fetch(`${this.gateway.url}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: JSON.stringify({
        model,
        stream,
        messages: [{ role: "user", content: prompt }],
        ...more,
      }),
    });
    await answer.text();
    const id = answer.headers.get("x-weir-request-id");
    return (await this.gateway.rows([id])).get(id);
  }

  // Calls of every model and outcome, once per run.
  async traffic() {
    if (this.trafficDone) return;
    this.trafficDone = true;
    const prompts = ["Explain TCP slow start", "Say markup", "Write a haiku"];
    const models = ["gpt-4o", "claude-sonnet", "gemini-flash", "local-llama"];
    const calls = [];
    for (let i = 0; i < 24; i += 1) {
      const more = { model: models[i % 4], stream: i % 2 === 0, user: `u${i % 3}` };
      calls.push(this.ask(prompts[i % 3], more));
    }
    for (let i = 0; i < 3; i += 1) calls.push(this.ask("Fail this"));
    calls.push(this.ask("x", { model: "nope" }), this.ask("x", { model: "flaky" }));
    await Promise.all(calls);
  }

  // Rows of a SELECT over the ledger's files, all days taken together.
  sql(select) {
    const folder = path.join(this.gateway.folder, "data");
    const days = readdirSync(folder).filter((name) => /^requests-.*\.db$/.test(name));
    return question(
      days.map((name) => path.join(folder, name)),
      select,
    );
  }

  async stop() {
    await this.browser?.close();
    await this.gateway?.stop();
    this.gateway?.remove();
    this.simulator?.kill("SIGTERM");
  }
}
