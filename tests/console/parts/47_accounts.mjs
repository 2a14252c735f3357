// Accounts and models: made, tested with a real call, changed, used, removed; what the server says
// stands at the field, secrets never come back, and what the file declares is read-only.
import assert from "node:assert/strict";
import { hostile, isTame, tame } from "../lib/hostile.mjs";

const line = (page, name) =>
  page.getByRole("row").filter({ has: page.getByRole("rowheader", { name, exact: true }) });

export const tests = {
  async "an account is made and tested, a model of it named, asked for, changed, removed"(world) {
    await world.open({});
    const page = await world.go("/accounts");
    await line(page, "openai-main").waitFor();
    await page.getByRole("button", { name: "New account" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Provider").selectOption("openai_compatible");
    await dialog.getByLabel("Name").fill("made-here");
    await dialog.getByLabel("Address").fill(`${world.simulatorUrl}/v1`);
    await dialog.getByLabel("API key").fill("sk-console-secret");
    await dialog.getByText("Limits and more").click();
    await dialog.getByLabel("Requests per minute").fill("1200");
    await dialog.getByRole("button", { name: "Make and test" }).click();
    await dialog.getByText("It works.").waitFor();
    const model = dialog.getByRole("listitem").filter({ hasText: "gpt-4o-mini" });
    await model.getByRole("button", { name: "Name a model" }).click();
    assert.equal(await dialog.getByLabel("Name that clients ask for").inputValue(), "gpt-4o-mini");
    await dialog.getByLabel("Name that clients ask for").fill("small");
    await dialog.getByLabel("Fallbacks").selectOption("local-llama");
    await dialog.getByRole("button", { name: "Make the model" }).click();
    await line(page, "small").getByText("made-here/gpt-4o-mini").waitFor();
    await line(page, "made-here").getByText("1,200 rpm").waitFor();
    const row = await world.ask("Hello", { model: "small" });
    assert.equal(row.deployment, "made-here/gpt-4o-mini");

    // A change leaves what is not named as it was, the secret above all.
    await line(page, "made-here").getByRole("button", { name: "Change" }).click();
    assert.equal(await dialog.getByLabel("API key").inputValue(), "");
    await dialog.getByText("Limits and more").click();
    assert.equal(await dialog.getByLabel("Requests per minute").inputValue(), "1200");
    await dialog.getByLabel("Requests per minute").fill("");
    await dialog.getByLabel("At once").fill("7");
    await dialog.getByRole("button", { name: "Save" }).click();
    await dialog.getByText("It works.").waitFor();
    await dialog.getByRole("button", { name: "Done" }).click();
    await line(page, "made-here").getByText("7 ×").waitFor();
    const { accounts } = await world.gateway.admin("/api/v1/accounts");
    const made = accounts.find((account) => account.name === "made-here");
    assert.deepEqual(made.definition.limits, { concurrency: 7 });
    assert.equal(made.definition.api_key, "<secret>");
    assert.ok(!(await page.content()).includes("sk-console-secret"));

    // Not while a model uses it, and the page says so.
    await line(page, "made-here").getByRole("button", { name: "Remove" }).click();
    await dialog.getByRole("button", { name: "Remove" }).click();
    await dialog.getByRole("alert").getByText("made-here").waitFor();
    await page.keyboard.press("Escape");
    for (const name of ["small", "made-here"]) {
      await line(page, name).getByRole("button", { name: "Remove" }).click();
      await dialog.getByRole("button", { name: "Remove" }).click();
      await line(page, name).waitFor({ state: "detached" });
    }
    assert.deepEqual(world.complaints, []);
  },

  async "what the server refuses stands at its field, and nothing typed is lost"(world) {
    const page = await world.go("/accounts");
    await page.getByRole("button", { name: "New account" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Provider").selectOption("openai_compatible");
    await dialog.getByLabel("Name").fill("not a name");
    await dialog.getByLabel("Address").fill("nowhere");
    await dialog.getByText("Limits and more").click();
    await dialog.getByLabel("Tokens per minute").fill("0");
    await dialog.getByRole("button", { name: "Make and test" }).click();
    for (const [label, said] of [
      ["Name", /at most 128 letters/],
      ["Address", /expected an address/],
      ["Tokens per minute", /expected 1 to/],
    ]) {
      const input = dialog.getByLabel(label);
      await input.and(page.locator("[aria-invalid=true]")).waitFor();
      const told = (await input.getAttribute("aria-describedby")).split(" ")[0];
      assert.match(await page.locator(`[id="${told}"]`).innerText(), said);
    }
    assert.equal(await dialog.getByLabel("Address").inputValue(), "nowhere");
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });

    await page.getByRole("button", { name: "New model" }).click();
    await dialog.getByLabel("Name that clients ask for").fill("twice");
    await dialog.getByText("Limits and more").click();
    await dialog.getByLabel("To connect").fill("soon");
    await dialog.getByRole("button", { name: "Make the model" }).click();
    await dialog.getByText("expected a time with its unit").waitFor();
    await page.keyboard.press("Escape");
  },

  async "a provider that refuses the credential is told, with what to do"(world) {
    const post = (path, body) =>
      fetch(`${world.gateway.adminUrl}/api/v1${path}`, {
        method: "POST",
        headers: { authorization: "Bearer admin-token-of-the-suite" },
        body: JSON.stringify(body),
      });
    const account = { name: "nobody", provider: "openai", endpoint: "http://127.0.0.1:9" };
    assert.ok((await post("/accounts", { ...account, api_key: "k" })).ok);
    const page = await world.go("/accounts");
    await line(page, "nobody").getByRole("button", { name: "Test" }).click();
    await page.getByRole("dialog").getByText("It does not work.").waitFor();
    await page.getByRole("dialog").getByRole("button", { name: "Done" }).click();
    await fetch(`${world.gateway.adminUrl}/api/v1/accounts/nobody`, {
      method: "DELETE",
      headers: { authorization: "Bearer admin-token-of-the-suite" },
    });
  },

  async "what the file declares is shown without its secrets, and is read-only"(world) {
    const page = await world.go("/accounts");
    const row = line(page, "openai-main");
    assert.equal(await row.getByRole("button", { name: "Change" }).count(), 0);
    await row.getByRole("button", { name: "Show" }).click();
    const text = await page.getByRole("dialog").innerText();
    assert.match(text, /changed there/);
    assert.match(text, /"provider": "openai"/);
    assert.doesNotMatch(text, /sk-up-1/);
    await page.keyboard.press("Escape");
    // Prices are those that requests are priced by.
    const priced = await world.ask("Hello", { model: "gpt-4o" });
    const dollars = (pico) => `$${(pico / 1e6).toFixed(2)}`;
    const cells = await line(page, "gpt-4o").innerText();
    assert.ok(cells.includes(dollars(priced.rates.input)), cells);
    assert.ok(cells.includes(dollars(priced.rates.output)), cells);
    await line(page, "local-llama").getByText("no price").waitFor();
  },

  async "hostile texts of a provider stay text"(world) {
    const texts = Object.values(hostile);
    const page = await world.go("/accounts");
    await page.route("**/api/v1/accounts/openai-main/test", (route) =>
      route.fulfill({
        json: { ok: true, status: 200, failure: "", detail: "", models: texts, took_ms: 1 },
      }),
    );
    await line(page, "openai-main").getByRole("button", { name: "Test" }).click();
    await page.getByText("<img src=x").first().waitFor();
    assert.deepEqual(await isTame(page), tame);
    await page.getByRole("dialog").getByRole("button", { name: "Done" }).click();
    await page.unroute("**/api/v1/accounts/openai-main/test");
    await page.route("**/api/v1/accounts/openai-main/test", (route) =>
      route.fulfill({
        json: {
          ok: false,
          status: 401,
          failure: hostile.markup,
          detail: texts.join(" "),
          models: [],
          took_ms: 1,
        },
      }),
    );
    await line(page, "openai-main").getByRole("button", { name: "Test" }).click();
    await page.getByText("It does not work.").waitFor();
    assert.deepEqual(await isTame(page), tame);
    await page.unrouteAll();
    await page.keyboard.press("Escape");
    assert.deepEqual(world.complaints, []);
  },
};
