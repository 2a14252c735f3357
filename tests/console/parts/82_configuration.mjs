// The configuration in force with its sources, a dry run of another text, and the way back to an
// earlier generation.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { hostile, isTame, tame } from "../lib/hostile.mjs";

const admin = (world, method, target, body) =>
  fetch(`${world.gateway.adminUrl}/api/v1${target}`, {
    method,
    headers: { authorization: "Bearer admin-token-of-the-suite" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
const line = (page, name) =>
  page.getByRole("row").filter({ has: page.getByRole("rowheader", { name, exact: true }) });

export const tests = {
  async "each setting says where it comes from, and no secret is shown"(world) {
    await world.open({});
    const page = await world.go("/settings/configuration");
    await line(page, "server.workers").getByText("file weir.yaml:3").waitFor();
    await line(page, "admin.token").getByText("environment ADMIN_TOKEN").waitFor();
    await line(page, "admin.token").getByText("secret", { exact: true }).waitFor();
    const text = await page.locator("main").innerText();
    for (const secret of ["admin-token-of-the-suite", "sk-up-1", "wk-console-search-0000"]) {
      assert.ok(!text.includes(secret), secret);
    }
    const { items } = await world.gateway.admin("/api/v1/settings");
    const set = items.filter((item) => item.source !== "default").length;
    const rows = page.locator("tbody tr");
    assert.equal(await rows.count(), Math.min(set, 400));
    await page.getByLabel("Find a setting").fill("retries.attempts");
    await line(page, "server.workers").waitFor({ state: "detached" });
    await line(page, "defaults.retries.attempts").waitFor();
    await page.getByLabel("Find a setting").fill("log.");
    await page.getByLabel("Defaults too").check();
    await rows.filter({ hasText: "log.level" }).first().waitFor();
    assert.deepEqual(world.complaints, []);
  },

  async "a dry run tells what is wrong, by line, and what would change"(world) {
    const page = await world.go("/settings/configuration");
    await page.getByRole("button", { name: "Try a configuration" }).click();
    const dialog = page.getByRole("dialog");
    const file = readFileSync(path.join(world.gateway.folder, "weir.yaml"), "utf8");
    await dialog.locator("textarea").fill(file.replace("weight: 60", "weight: sixty"));
    await dialog.getByRole("button", { name: "Check it" }).click();
    await dialog.getByText("It would be refused.").waitFor();
    await dialog.getByText(/^line \d+$/).waitFor();
    await dialog.locator("textarea").fill(file.replace("weight: 60", "weight: 61"));
    await dialog.getByRole("button", { name: "Check it" }).click();
    await dialog.getByText("It could run.").waitFor();
    const change = dialog.getByRole("row").filter({ hasText: "weight" });
    assert.match(await change.innerText(), /60\s+61/);
    const before = await world.gateway.admin("/api/v1/status");
    await dialog.locator("textarea").fill(Object.values(hostile).join("\n"));
    await dialog.getByRole("button", { name: "Check it" }).click();
    await dialog.getByText("It would be refused.").waitFor();
    const { ran, made, links } = await isTame(page);
    assert.deepEqual({ ran, made, links }, { ran: false, made: 0, links: 0 });
    const after = await world.gateway.admin("/api/v1/status");
    assert.equal(after.config_generation, before.config_generation, "nothing is swapped in");
    await page.keyboard.press("Escape");
    assert.deepEqual(world.complaints, []);
  },

  async "a generation tells what it changed, and is gone back to"(world) {
    const account = { name: "of-a-moment", provider: "openai", api_key: "k" };
    assert.ok((await admin(world, "POST", "/accounts", account)).ok);
    const page = await world.go("/settings/generations");
    const newest = page.getByRole("row").filter({ hasText: "of-a-moment" }).first();
    await newest.getByText("runs", { exact: true }).waitFor();
    await newest.getByRole("button", { name: "What it changed" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("rowheader", { name: "accounts[of-a-moment].provider" }).waitFor();
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    const file = path.join(world.gateway.folder, "weir.yaml");
    const text = readFileSync(file, "utf8");
    writeFileSync(file, text.replace("rpm: 6000", "rpm: 6001"));
    await admin(world, "POST", "/reload");
    const changed = await world.gateway.admin("/api/v1/generations");
    assert.equal(changed.items[0].changes, 1);
    await world.go("/settings/generations");
    await page.getByRole("button", { name: "Go back to it" }).last().click();
    await dialog.getByRole("rowheader", { name: "accounts[of-a-moment].provider" }).waitFor();
    await dialog.getByRole("button", { name: "Go back to it" }).click();
    await page.getByText(/runs in place of the file/).waitFor();
    const { accounts } = await world.gateway.admin("/api/v1/accounts");
    assert.ok(!accounts.some((one) => one.name === "of-a-moment"));
    // The file counts again when it has another text.
    writeFileSync(file, `${text}# another text\n`);
    await admin(world, "POST", "/reload");
    await page.getByText(/runs in place of the file/).waitFor({ state: "detached" });
    assert.deepEqual(world.complaints, []);
  },

  async "what somebody wrote into a configuration stays text"(world) {
    const page = await world.go("/settings/configuration");
    const items = Object.entries(hostile).map(([name, text]) => ({
      section: "x",
      path: `${name}.${text}`,
      value: text,
      source: text,
      doc: text,
      secret: false,
      restart: false,
    }));
    const file = hostile.markup;
    await page.route("**/api/v1/settings", (route) =>
      route.fulfill({ json: { file, items, truncated: false } }),
    );
    await page.route("**/api/v1/generations", (route) =>
      route.fulfill({
        json: {
          items: Object.values(hostile).map((text, i) => ({
            id: String(i),
            time_ms: 1,
            by: text,
            why: text,
            changes: 1,
            kept: true,
            running: false,
          })),
          rolled_back: { generation: hostile.markup, since_ms: 1 },
        },
      }),
    );
    for (const target of ["/settings/configuration", "/settings/generations"]) {
      await world.go(target);
      await page.getByText("<img src=x").first().waitFor();
      assert.deepEqual(await isTame(page), tame, target);
    }
    await page.unrouteAll();
    assert.deepEqual(world.complaints, []);
  },
};
