// Costs: sums by group are those of SQL; the export holds the same.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

const columns = ["model", "key", "team", "provider", "deployment"];
const sqlNames = { key: "key_id" };

export const tests = {
  async "every grouping is what SQL over the ledger says"(world) {
    await world.traffic();
    await world.open({});
    const { keys } = await world.gateway.admin("/api/v1/keys");
    const labels = new Map(keys.map((key) => [key.id, key.name]));
    for (const by of columns) {
      const column = sqlNames[by] ?? by;
      const sums = world.sql(`select ${column} name, sum(cost_nano) nano, count(*) n
        from request group by 1`);
      const page = await world.go(`/costs?by=${by}`);
      for (const { name, nano, n } of sums.filter((sum) => sum.nano > 0)) {
        const label = by === "key" ? (labels.get(name) ?? name) : name;
        const row = page.getByRole("row").filter({
          has: page.getByRole("rowheader", { name: label, exact: true }),
        });
        const usd = nano / 1e9;
        const shown = usd >= 0.0001 ? `$${usd.toFixed(4)}` : `$${usd.toPrecision(2)}`;
        await row.getByText(shown, { exact: true }).first().waitFor();
        assert.ok(
          (await row.innerText()).includes(n.toLocaleString("en-US")),
          `${by} ${name}: ${n} requests`,
        );
      }
      const whole = sums.reduce((sum, row) => sum + row.nano, 0) / 1e9;
      await page
        .locator(".figures")
        .getByText(`$${whole.toFixed(4)}`, { exact: true })
        .first()
        .waitFor();
    }
    assert.deepEqual(world.complaints, []);
  },

  async "the export holds the ledger's own amounts, and no formula"(world) {
    const page = await world.go("/costs?by=key");
    await page.getByRole("rowheader", { name: "search-prod" }).waitFor();
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: "Export as CSV" }).click(),
    ]);
    const text = readFileSync(await download.path(), "utf8");
    const [{ nano }] = world.sql(
      "select sum(cost_nano) nano from request where key_id='search-prod'",
    );
    const line = text.split("\r\n").find((entry) => entry.startsWith("search-prod,"));
    assert.equal(Math.round(Number(line.split(",").at(-1)) * 1e9), nano);
    assert.match(text, /^key,requests,/);
  },

  async "the year in review is the ledger's, and is kept as a picture"(world) {
    const [sum] = world.sql("select count(*) n from request where team='search'");
    const page = await world.go("/review?team=search");
    const figure = sum.n.toLocaleString("en-US");
    await page.locator("svg text").getByText(figure, { exact: true }).first().waitFor();
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: "Save as SVG" }).click(),
    ]);
    const text = readFileSync(await download.path(), "utf8");
    assert.match(text, /^<svg/);
    assert.ok(text.includes("search"));
    const [image] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: "Save as PNG" }).click(),
    ]);
    const bytes = readFileSync(await image.path());
    assert.equal(bytes.subarray(1, 4).toString(), "PNG");
    assert.deepEqual([bytes.readUInt32BE(16), bytes.readUInt32BE(20)], [1520, 840]);
    // Keys and teams are picked from those that sent something.
    await page.getByLabel("Of whom").selectOption("key/search-prod");
    await page.locator("svg text").getByText("search-prod", { exact: true }).waitFor();
    assert.deepEqual(world.complaints, []);
  },
};
