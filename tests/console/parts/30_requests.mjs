// The list of requests and one request.
import assert from "node:assert/strict";
import { hostile, isTame, tame } from "../lib/hostile.mjs";

const rows = (page) => page.locator('[role="rowgroup"] [role="row"]');

export const tests = {
  async "filters cut the list down, stay in the address, and go"(world) {
    await world.ask("Explain TCP slow start", { model: "gemini-flash", user: "filter-user" });
    await world.open({});
    const page = await world.go("/requests?range=15m");
    await rows(page).first().waitFor();
    await page.getByLabel("Field to filter by").selectOption("user");
    await page.getByLabel("Value to filter by").fill("filter-user");
    await page.getByRole("button", { name: "Filter", exact: true }).click();
    await page.getByText("1 shown").waitFor();
    assert.match(page.url(), /user=filter-user/);
    await page.getByLabel("Field to filter by").selectOption("outcome");
    await page.getByLabel("Value to filter by").selectOption("denied");
    await page.getByRole("button", { name: "Filter", exact: true }).click();
    await page.getByText("No request fits").waitFor();
    await page.reload();
    await page.getByText("No request fits").waitFor();
    await page.getByRole("button", { name: /Remove the filter: Outcome/ }).click();
    await page.getByText("1 shown").waitFor();
  },

  async "each filter is what SQL says"(world) {
    const cases = [
      ["model=gpt-4o", "model='gpt-4o'"],
      ["outcome=denied", "outcome=4"],
      ["status_class=4", "status/100=4"],
      ["team=search&model=local-llama", "team='search' and model='local-llama'"],
      ["provider=anthropic", "provider='anthropic'"],
      ["took_ms=100", "total_us>=100000"],
    ];
    for (const [query, where] of cases) {
      const [{ n }] = world.sql(`select count(*) n from request where ${where}`);
      const page = await world.go(`/requests?range=1h&${query}`);
      await page.getByText(`${n} shown`, { exact: true }).waitFor();
    }
  },

  async "a thousand rows are scrolled through, and few of them exist"(world) {
    const calls = Array.from({ length: 20 }, async () => {
      for (let i = 0; i < 50; i += 1) {
        await fetch(`${world.gateway.url}/v1/chat/completions`, {
          method: "POST",
          headers: { authorization: "Bearer wk-console-search-0000" },
          body: JSON.stringify({ model: "many", user: "many", messages: [] }),
        }).then((answer) => answer.text());
      }
    });
    await Promise.all(calls);
    await world.gateway.until(
      "the rows",
      20_000,
      () => world.sql("select count(*) n from request where user='many'")[0].n === 1000,
    );
    const page = await world.go("/requests?range=1h&user=many");
    await page.getByText("200+ shown").waitFor();
    await page.getByRole("grid").focus();
    for (let i = 0; i < 8; i += 1) {
      await page.keyboard.press("End");
      await page.waitForTimeout(100);
    }
    await page.getByText("1000 shown", { exact: true }).waitFor();
    assert.ok((await rows(page).count()) < 100, "rows that exist");
    await page.keyboard.press("Enter");
    await page.getByRole("region", { name: "Request" }).waitFor();
    assert.deepEqual(world.complaints, []);
  },

  async "one request: attempts, waterfall, cost and messages are the ledger's"(world) {
    const row = await world.ask("Explain TCP slow start", { model: "flaky", stream: true });
    assert.equal(row.model, "local-llama");
    const page = await world.go(`/requests/${row.id}`);
    const detail = page.getByRole("region", { name: "Request" });
    await detail.getByText("Asked for flaky, answered by local-llama.").waitFor();
    const text = await detail.innerText();
    assert.ok(text.includes(`$${row.cost_usd}`), "the cost to the last digit");
    assert.ok(text.includes("Explain TCP slow start"), "the prompt");
    assert.ok(text.includes("openai-main/flaky-model") || row.attempts.length === 1, "attempts");
    assert.equal(
      (await detail.locator(".fall li").count()) - 1,
      row.attempts.length + (row.total_us > row.ttft_us ? 2 : 1),
    );
    const priced = await world.ask("Write a haiku", { model: "claude-sonnet" });
    await world.go(`/requests/${priced.id}`);
    await page.getByText(priced.price_row).waitFor();
  },

  async "hostile prompts, users and answers stay text"(world) {
    for (const [name, text] of Object.entries(hostile)) {
      const row = await world.ask(`Say markup. ${text}`, {
        model: "local-llama",
        user: text.slice(0, 200),
      });
      const page = await world.go(`/requests/${row.id}`);
      await page.locator("pre").first().waitFor();
      await page.getByRole("button", { name: "As it came" }).click();
      await page.locator("h4").first().waitFor();
      assert.deepEqual(await isTame(page), tame, name);
      await world.go(`/requests?user=${encodeURIComponent(text.slice(0, 200))}`);
      await page.getByRole("button", { name: /Remove the filter/ }).waitFor();
      assert.deepEqual(await isTame(page), tame, `${name} in the list`);
      assert.deepEqual(world.complaints, [], name);
    }
    // Asked for by names that are hostile, too.
    await world.ask("x", { model: hostile.markup, user: "hostile-model" });
    const page = await world.go("/requests?user=hostile-model");
    await page.getByText("<img src=x").first().waitFor();
    assert.deepEqual(await isTame(page), tame);
  },

  async "a request that is not there is told, with what to do"(world) {
    const page = await world.go("/requests/req_0000000000000");
    await page.getByText("ledger.retention").waitFor();
  },
};
