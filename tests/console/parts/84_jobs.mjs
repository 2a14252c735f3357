// Long work: started, seen to go on, there after a reload, its file fetched, cancelled.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { hostile, isTame, tame } from "../lib/hostile.mjs";

const job = (more) => ({
  id: "77",
  kind: "export",
  title: "Export of long ago",
  state: "running",
  done: 1000,
  total: 4000,
  unit: "rows",
  created_ms: Date.now(),
  started_ms: Date.now(),
  ended_ms: 0,
  by: "admin.token",
  result: null,
  error: "",
  file: false,
  file_name: "",
  ...more,
});
const day = (ms) => new Date(ms).toISOString().slice(0, 10);

export const tests = {
  async "an export is started on Costs, survives a reload, and its file is the ledger's"(world) {
    await world.traffic();
    await world.open({});
    const page = await world.go("/costs");
    await page.getByRole("button", { name: "Export the ledger" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel(/^From/).fill(day(Date.now() - 86_400_000));
    await dialog.getByLabel(/^Until/).fill(day(Date.now() + 86_400_000));
    await dialog.getByLabel("Format").selectOption("jsonl");
    await dialog.getByRole("button", { name: "Start" }).click();
    const row = page.getByRole("row").filter({ hasText: "as jsonl" });
    await row.getByText("done", { exact: true }).waitFor();
    await page.reload();
    await row.getByText("done", { exact: true }).waitFor();
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      row.getByRole("button", { name: "Download" }).click(),
    ]);
    const lines = readFileSync(await download.path(), "utf8").trim().split("\n");
    const [{ n, nano }] = world.sql("select count(*) n, sum(cost_nano) nano from request");
    // Requests that ended while it ran may be in either.
    assert.ok(Math.abs(lines.length - n) < 5, `${lines.length} lines, ${n} rows`);
    assert.ok(nano > 0 && lines.every((line) => JSON.parse(line)));
    await row.getByRole("button", { name: "Forget" }).click();
    await row.waitFor({ state: "detached" });
    assert.deepEqual(world.complaints, []);
  },

  async "a re-rating tells what it would change"(world) {
    const page = await world.go("/settings/jobs");
    await page.getByRole("button", { name: "New job" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("button", { name: "Re-rate" }).click();
    await dialog.getByLabel(/^From/).fill(day(Date.now() - 86_400_000));
    await dialog.getByLabel(/^Until/).fill(day(Date.now() + 86_400_000));
    await dialog.getByRole("button", { name: "Start" }).click();
    const row = page.getByRole("row").filter({ hasText: "Re-rating" });
    await row.getByText("done", { exact: true }).waitFor();
    await row.getByRole("button", { name: "Show" }).click();
    await page.getByRole("dialog").getByText('"dry_run": true').waitFor();
    await page.keyboard.press("Escape");
    // What is refused is told in the form.
    await page.getByRole("button", { name: "New job" }).click();
    await dialog.getByLabel(/^From/).fill("2026-02-01");
    await dialog.getByLabel(/^Until/).fill("2026-01-01");
    await dialog.getByRole("button", { name: "Start" }).click();
    await dialog.getByRole("alert").waitFor();
    await page.keyboard.press("Escape");
    assert.deepEqual(world.complaints, []);
  },

  async "one that runs shows how far it is, by the feed, and is cancelled"(world) {
    const page = await world.open({});
    let state = "running";
    let asked = "";
    await page.route("**/api/v1/jobs", (route) =>
      route.fulfill({ json: { items: [job({ state })] } }),
    );
    await page.route("**/api/v1/jobs/77/cancel", (route) => {
      asked = route.request().method();
      state = "cancelled";
      return route.fulfill({ json: job({ state }) });
    });
    const news = { id: "77", kind: "export", state: "running", done: 3000, total: 4000 };
    await page.route("**/api/v1/events", (route) =>
      route.fulfill({
        contentType: "text/event-stream",
        body: `event: job\ndata: ${JSON.stringify(news)}\n\n`,
      }),
    );
    await world.go("/settings/jobs");
    await page.getByText("3,000 / 4,000 rows").waitFor();
    assert.equal(await page.getByRole("progressbar").getAttribute("value"), "3000");
    await page.getByRole("button", { name: "Cancel it" }).click();
    await page.getByText("cancelled", { exact: true }).waitFor();
    assert.equal(asked, "POST");
  },

  async "titles, names and errors of jobs stay text"(world) {
    const page = await world.open({});
    const items = Object.values(hostile).map((text, i) =>
      job({
        id: String(i),
        title: text,
        by: text,
        error: text,
        state: "failed",
        result: { [text.slice(0, 40)]: text },
      }),
    );
    await page.route("**/api/v1/jobs", (route) => route.fulfill({ json: { items } }));
    await world.go("/settings/jobs");
    await page.getByText("<img src=x").first().waitFor();
    assert.deepEqual(await isTame(page), tame);
    assert.deepEqual(world.complaints, []);
    await world.open({});
  },
};
