// Every page: no violation found by axe, no complaint, no page wider than its window, and a
// picture, in both themes, both languages, at a desk and on a phone.
import assert from "node:assert/strict";
import { violations } from "../lib/axe.mjs";

async function targets(world) {
  const row = await world.ask("Explain TCP slow start", { model: "flaky", stream: true });
  const pages = [
    "/",
    "/requests",
    `/requests/${row.id}`,
    "/playground",
    "/keys",
    "/costs",
    "/people",
    "/accounts",
    "/costs?by=tag",
    "/review?team=search",
    "/settings",
    "/settings/configuration",
    "/settings/generations",
    "/settings/jobs",
    "/start",
  ];
  const { paths } = await world.gateway.admin("/api/v1/openapi.json");
  return paths["/api/v1/traffic"] === undefined ? pages : [...pages, "/traffic"];
}

// How far things move while a page comes, as browsers measure it (cumulative layout shift).
async function shift(page) {
  const shifts = await page.evaluate(() => window.shifts);
  return shifts.reduce((sum, value) => sum + value, 0);
}

async function look(world, { theme, language, width }) {
  const page = await world.open({ theme, language, width, height: width < 500 ? 844 : 800 });
  await page.addInitScript(() => {
    window.shifts = [];
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) window.shifts.push(entry.value);
    }).observe({ type: "layout-shift", buffered: true });
  });
  const problems = [];
  for (const target of await targets(world)) {
    await world.go(target);
    await page.waitForFunction(() => document.querySelector(".skeleton") === null);
    await page.waitForTimeout(250);
    const plain = target.slice(1).replaceAll(/\W/g, "-") || "overview";
    const name = target.startsWith("/requests/") ? "request" : plain;
    for (const found of await violations(page)) problems.push(`${name}: ${found}`);
    const wide = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
    const moved = await shift(page);
    if (moved > 0.02) problems.push(`${name}: moves by ${moved.toFixed(3)} while it loads`);
    if (wide > 0) problems.push(`${name}: ${wide} px wider than the window`);
    await world.picture(`${name}-${width}-${theme}-${language}`);
  }
  assert.deepEqual([...problems, ...world.complaints], []);
  assert.deepEqual(world.foreign, []);
}

export const tests = {
  "light, English, at a desk": (world) =>
    look(world, { theme: "light", language: "en", width: 1280 }),
  "dark, Chinese, at a desk": (world) =>
    look(world, { theme: "dark", language: "zh", width: 1280 }),
  "light, Chinese, on a phone": (world) =>
    look(world, { theme: "light", language: "zh", width: 390 }),
  "dark, English, on a phone": (world) =>
    look(world, { theme: "dark", language: "en", width: 390 }),

  async "the pages are reached and used by keyboard alone"(world) {
    await world.open({});
    const page = await world.go("/");
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to the page");
    const reached = new Set();
    for (let i = 0; i < 14; i += 1) {
      await page.keyboard.press("Tab");
      reached.add(await page.evaluate(() => document.activeElement.textContent.trim()));
    }
    for (const name of ["Overview", "Requests", "Keys", "Costs", "Settings"]) {
      assert.ok(reached.has(name), name);
    }
    await world.go("/keys");
    await page.getByRole("button", { name: "New key" }).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").waitFor();
    for (let i = 0; i < 20; i += 1) {
      await page.keyboard.press("Tab");
      assert.ok(
        await page.evaluate(() =>
          document.querySelector("[role=dialog]").contains(document.activeElement),
        ),
        `tab ${i}`,
      );
    }
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "New key");
  },
};
