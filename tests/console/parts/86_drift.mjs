// The ledger beside the providers' statements: a statement is uploaded, its figures are the
// ledger's, and a difference is told with its cause.
import assert from "node:assert/strict";
import { hostile, isTame, tame } from "../lib/hostile.mjs";

const headers = { authorization: "Bearer admin-token-of-the-suite" };
const day = (ms) => new Date(ms).toISOString().slice(0, 10);

async function job(world, body) {
  const answer = await fetch(`${world.gateway.adminUrl}/api/v1/jobs`, {
    method: "POST",
    headers,
    body: JSON.stringify(body),
  });
  const { id } = await answer.json();
  return world.gateway.until(`the job ${JSON.stringify(body)}`, 20_000, async () => {
    const now = await world.gateway.admin(`/api/v1/jobs/${id}`);
    assert.notEqual(now.state, "failed", now.error);
    return now.state === "done" ? now : undefined;
  });
}

async function upload(page, name, text) {
  await page.getByRole("button", { name: "Reconcile a statement" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Kind of statement").selectOption("focus");
  await dialog
    .getByLabel("Files")
    .setInputFiles([{ name, mimeType: "text/csv", buffer: Buffer.from(text) }]);
  await dialog.getByRole("button", { name: "Start" }).click();
  const row = page.getByRole("row").filter({ hasText: name });
  await row.getByText("done", { exact: true }).waitFor();
}

export const tests = {
  async "a statement that agrees, and one that does not"(world) {
    await world.traffic();
    const from = day(Date.now() - 86_400_000);
    const to = day(Date.now() + 86_400_000);
    const made = await job(world, { kind: "export", from, to, format: "focus-1.4" });
    const file = `${world.gateway.adminUrl}/api/v1/jobs/${made.id}/file`;
    const text = await (await fetch(file, { headers })).text();
    await world.open({});
    const page = await world.go("/costs");
    await page.getByText("No statement was reconciled yet.").waitFor();
    await upload(page, "november.csv", text);
    await world.go("/costs");
    const panel = page.locator("section").filter({ hasText: "Against the invoices" });
    await panel.getByText("Last: focus").waitFor();
    const [{ nano }] = world.sql(
      "select sum(cost_nano) nano from request where provider_model='claude-sonnet-4-5'",
    );
    const line = panel.getByRole("row").filter({ hasText: "claude-sonnet-4" });
    const usd = `$${(nano / 1e9).toFixed(4)}`;
    assert.ok((await line.innerText()).includes(usd), `${await line.innerText()}: ${usd}`);
    const shown = await world.gateway.admin("/api/v1/drift");
    const ledger = shown.items
      .filter((item) => item.model.startsWith("claude-sonnet-4"))
      .reduce((sum, item) => sum + Math.round(Number(item.ledger_cost_usd) * 1e9), 0);
    assert.equal(ledger, nano);

    // Half of the lines are left out of the statement: the page says that they differ.
    const [head, ...lines] = text.trim().split(/\r?\n/);
    const half = lines.filter((row, i) => !row.includes("claude-sonnet-4-5") || i % 2 === 0);
    await upload(page, "half.csv", [head, ...half].join("\n"));
    await world.go("/costs");
    await panel.getByText("Last: focus").waitFor();
    assert.match(await line.innerText(), /−\$/);
    assert.deepEqual(world.complaints, []);
  },

  async "a statement that cannot be read is told, and its words stay text"(world) {
    const page = await world.go("/costs");
    await page.getByRole("button", { name: "Reconcile a statement" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Files").setInputFiles([
      {
        name: "<img src=x onerror=window.hostile=1>.json",
        mimeType: "application/json",
        buffer: Buffer.from(Object.values(hostile).join("\n")),
      },
    ]);
    await dialog.getByRole("button", { name: "Start" }).click();
    const row = page.getByRole("row").filter({ hasText: "<img src=x" });
    await row.getByText("failed", { exact: true }).waitFor();
    assert.deepEqual(await isTame(page), tame);
    await page.route("**/api/v1/drift*", (route) =>
      route.fulfill({
        json: {
          items: Object.values(hostile).map((text) => ({
            day: "2026-11-01",
            provider: text,
            model: text,
            provisional: true,
            ledger_tokens: 1,
            provider_tokens: 2,
            ledger_cost_usd: "1",
            provider_cost_usd: "2",
            parts: [{ kind: text, tokens: 1, cost_usd: "1" }],
            explained: false,
            drift: true,
            run: "1",
            time_ms: 1,
          })),
          truncated: false,
          ledger_cost_usd: "1",
          provider_cost_usd: "2",
          sums: [{ kind: hostile.markup, tokens: 1, cost_usd: "1" }],
          runs: [
            {
              id: "1",
              time_ms: 1,
              by: hostile.markup,
              source: hostile.markup,
              files: hostile.markup,
              from: "x",
              to: "y",
              lines: 1,
              left_out: { [hostile.markup]: 1 },
            },
          ],
        },
      }),
    );
    await page.route("**/api/v1/anomalies*", (route) =>
      route.fulfill({
        json: {
          anomalies: Object.values(hostile).map((text) => ({
            created: "2026-11-01T10:00:00Z",
            kind: text,
            sentence: text,
            key_id: text,
            model: text,
            since: "2026-11-01T09:00:00Z",
            spent_usd: "12.5",
          })),
          learning_hours: 3,
        },
      }),
    );
    await world.go("/costs");
    await page.getByText("It learns for 3 hours more.").waitFor();
    await page.getByText("<img src=x").nth(1).waitFor();
    assert.deepEqual(await isTame(page), tame);
    await page.unrouteAll();
    assert.deepEqual(world.complaints, []);
  },
};
