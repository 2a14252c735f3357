// The overview's figures are the ledger's, and a range is chosen by dragging.
import assert from "node:assert/strict";

export const tests = {
  async "its figures are what SQL over the ledger says"(world) {
    await world.traffic();
    await world.open({});
    const page = await world.go("/?range=15m");
    const [sum] = world.sql(`select count(*) requests,
      sum(outcome<>0 or status>=400) errors, sum(outcome=4) denied,
      sum(input+cache_read+cache_write_5m+cache_write_1h+input_audio+input_image) input,
      sum(output+output_audio+output_image) output, sum(cost_nano) nano from request`);
    const ok = world
      .sql("select total_us from request where outcome=0 and status<400 order by 1")
      .map((row) => row.total_us);
    const p95 = ok[Math.ceil(ok.length * 0.95) - 1];
    const figure = (name) => page.locator(".figures > div").filter({ hasText: name }).innerText();
    await page
      .locator(".figures")
      .getByText(String(sum.requests), { exact: true })
      .first()
      .waitFor();
    const failed = sum.errors - sum.denied;
    const share = (100 * failed) / (sum.requests - sum.denied);
    assert.match(
      await figure("Failed"),
      new RegExp(`${failed} requests\\n${sum.denied} refused by Weir`),
    );
    const text = share < 0.1 ? share.toFixed(2) : share.toFixed(share < 10 ? 1 : 0);
    assert.ok((await figure("Failed")).includes(`${text} %`), `${await figure("Failed")}: ${text}`);
    // Failures are in the list; what Weir refused is not.
    const listed = await page.locator(".failures a").count();
    const [{ bad }] = world.sql("select sum(outcome in (1,3)) bad from request");
    assert.equal(listed, Math.min(bad, 8));
    assert.match(await figure("Tokens"), new RegExp(`${sum.input.toLocaleString("en-US")} in`));
    assert.match(await figure("Tokens"), new RegExp(`${sum.output.toLocaleString("en-US")} out`));
    assert.match(await figure("Cost"), new RegExp(`\\$${(sum.nano / 1e9).toFixed(4)}`));
    const shown =
      p95 >= 100_000 ? `${(p95 / 1000).toFixed(0)} ms` : `${(p95 / 1000).toFixed(1)} ms`;
    assert.ok(
      (await figure("Latency")).includes(`p95 ${shown}`),
      `${await figure("Latency")}: ${shown}`,
    );
    assert.deepEqual(world.complaints, []);
  },

  async "dragging on a plot chooses the range, and Back to live undoes it"(world) {
    const page = await world.go("/?range=1h");
    await page.getByText("live", { exact: true }).waitFor();
    const box = await page.locator(".u-over").first().boundingBox();
    await page.mouse.move(box.x + box.width * 0.4, box.y + 40);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.7, box.y + 40, { steps: 5 });
    await page.mouse.up();
    await page.getByText("fixed range").waitFor();
    const query = new URL(page.url()).searchParams;
    const length = Number(query.get("until")) - Number(query.get("since"));
    assert.ok(Math.abs(length - 0.3 * 3_600_000) < 60_000, `${length} ms`);
    await page.getByRole("button", { name: "Back to live" }).click();
    await page.getByText("live", { exact: true }).waitFor();
  },

  async "new requests come by themselves"(world) {
    const page = await world.go("/?range=15m");
    const requests = page.locator(".figures > div").first().locator("dd").first();
    await page.waitForFunction(() =>
      /^\d+$/.test(document.querySelector(".figures > div dd")?.textContent ?? ""),
    );
    const before = Number(await requests.innerText());
    await world.ask("one more");
    await page.waitForFunction(
      (n) => Number(document.querySelector(".figures > div dd")?.textContent) > n,
      before,
    );
  },
};
