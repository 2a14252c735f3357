// The playground: a key for an hour, one model, two side by side, an error, text that stays text.
import assert from "node:assert/strict";
import { hostile, isTame, tame } from "../lib/hostile.mjs";

export const tests = {
  async "two models side by side stream, and show their cost from the ledger"(world) {
    await world.open({});
    const page = await world.go("/playground");
    await page.getByRole("button", { name: "Make one for an hour" }).click();
    await page.waitForFunction(() => sessionStorage.getItem("weir.key")?.startsWith("weir_sk_"));
    await page.getByLabel("Prompt", { exact: true }).fill("Explain TCP slow start");
    await page.getByLabel("System prompt").fill("Be brief.");
    await page.getByRole("button", { name: "Add a model" }).click();
    const picks = page.locator(".side select");
    await picks.nth(0).selectOption("gpt-4o");
    await picks.nth(1).selectOption("claude-sonnet");
    await page.getByRole("button", { name: "Send" }).click();
    await page.waitForFunction(
      () =>
        [...document.querySelectorAll(".side footer b")].filter((b) =>
          b.textContent.startsWith("$"),
        ).length === 2,
    );
    for (const [at, model] of [
      [0, "gpt-4o"],
      [1, "claude-sonnet"],
    ]) {
      const side = page.locator(".side").nth(at);
      const text = await side.innerText();
      assert.match(text, /TTFT \d/);
      const target = await side.getByRole("link").getAttribute("href");
      const id = /req_[0-9a-z]+/.exec(target)[0];
      const row = (await world.gateway.rows([id])).get(id);
      assert.equal(row.model, model);
      assert.ok(row.streamed);
      assert.ok((await side.locator("pre").innerText()).length > 20);
    }
    assert.deepEqual(world.foreign, []);
    assert.deepEqual(world.complaints, []);
  },

  async "what the model says stays text"(world) {
    const page = world.page;
    await page.getByLabel("Prompt", { exact: true }).fill(`Say markup. ${hostile.terminal}`);
    await page
      .getByRole("button", { name: /^Remove/ })
      .first()
      .click();
    await page.getByRole("button", { name: "Send" }).click();
    await page.locator(".answer pre").getByText("<img src=x onerror=").waitFor();
    assert.deepEqual(await isTame(page), tame);
    await page.locator(".side footer a").waitFor();
  },

  async "a refusal is told as the API tells it"(world) {
    const page = world.page;
    await page.getByLabel("Key", { exact: true }).fill("wrong-key");
    await page.getByRole("button", { name: "Send" }).click();
    await page.locator(".answer .bad").getByText("401").waitFor();
  },

  async "a request is opened in the playground"(world) {
    const row = await world.ask("Open me in the playground", { model: "gemini-flash" });
    const page = await world.go(`/requests/${row.id}`);
    await page.getByRole("link", { name: "Open in the playground" }).click();
    await page.getByRole("heading", { name: "Playground" }).waitFor();
    assert.equal(
      await page.getByLabel("Prompt", { exact: true }).inputValue(),
      "Open me in the playground",
    );
    // The list of models comes a moment after the page.
    await page.locator(".side select option:checked").getByText("gemini-flash").waitFor({
      state: "attached",
    });
    assert.equal(await page.locator(".side select").inputValue(), "gemini-flash");
  },

  async "calls are handed on only for who has the token"(world) {
    for (const token of ["", "Bearer wrong"]) {
      const reply = await fetch(`${world.gateway.adminUrl}/api/v1/forward/v1/models`, {
        headers: { authorization: token, "x-weir-key": "wk-console-search-0000" },
      });
      assert.equal(reply.status, 401);
    }
  },
};
