// Settings: what runs, a reload, and a counter that should be at zero.
import assert from "node:assert/strict";
import { hostile, isTame, tame } from "../lib/hostile.mjs";

export const tests = {
  async "version, address, ledger and a reload"(world) {
    await world.traffic();
    await world.open({});
    const page = await world.go("/settings");
    const status = await world.gateway.admin("/api/v1/status");
    await page.getByText(status.version).waitFor();
    await page.getByText(status.address, { exact: true }).waitFor();
    await page.getByText("written", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Read the file again" }).click();
    await page.getByText(/Generation \d+ runs/).waitFor();
    // local-llama has no price, so requests were unpriced: the page says so.
    await page.getByText("weir_unpriced_requests_total").waitFor();
    assert.deepEqual(world.complaints, []);
  },

  async "what is wrong is told with what to do, and every queue with what it dropped"(world) {
    const page = await world.go("/settings");
    const real = await world.gateway.admin("/api/v1/health");
    for (const item of real.items) assert.ok(item.dropped >= 0, item.name);
    await page.getByRole("rowheader", { name: "Rows that wait for the disk" }).waitFor();
    assert.equal(await page.locator("tbody tr").count(), real.items.length);
    const problem = (text) => ({
      severity: "error",
      what: text,
      message: text,
      todo: text,
      time_ms: 1,
    });
    const health = {
      ...real,
      ok: false,
      problems: Object.values(hostile).map(problem),
      threads: [{ name: hostile.markup, count: 1, ok: false, state: hostile.markup }],
      items: Object.values(hostile).map((text) => ({
        name: text,
        kind: text,
        unit: text,
        length: 5,
        limit: 10,
        dropped: 3,
      })),
    };
    await page.route("**/api/v1/health", (route) => route.fulfill({ json: health }));
    await world.go("/settings");
    await page.getByText("<img src=x").first().waitFor();
    assert.deepEqual(await isTame(page), tame);
    await page.unrouteAll();
    assert.deepEqual(world.complaints, []);
  },

  async "a server that fails is told with what to do"(world) {
    const page = await world.open({});
    for (const path of ["/settings", "/costs", "/accounts", "/settings/jobs", "/keys"]) {
      await page.route("**/api/v1/**", (route) =>
        route.request().url().includes("/me")
          ? route.fallback()
          : route.fulfill({
              status: 500,
              json: { error: { code: "io_error", message: hostile.markup } },
            }),
      );
      await page.goto(world.gateway.adminUrl + path);
      await page.getByText("The store may be failing").first().waitFor();
      assert.deepEqual(await isTame(page), tame, path);
      await page.unrouteAll({ behavior: "ignoreErrors" });
    }
    await world.open({});
  },
};
