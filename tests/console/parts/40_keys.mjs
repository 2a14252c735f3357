// Keys: made, shown once, rotated, revoked; limits and budgets; names that are hostile.
// Changing them is 41_key_change.
import assert from "node:assert/strict";
import { hostile, isTame, tame } from "../lib/hostile.mjs";

const nameOf = (dialog) => dialog.getByRole("textbox", { name: "Name", exact: true }).first();
const limits = (dialog) => dialog.getByRole("group", { name: "Limits", exact: true });

async function make(page, name, fill = async () => {}) {
  await page.getByRole("button", { name: "New key" }).click();
  const dialog = page.getByRole("dialog");
  await nameOf(dialog).fill(name);
  await fill(dialog);
  await dialog.getByRole("button", { name: "Make the key" }).click();
  await page.getByText("It is shown this once").waitFor();
  const secret = await page.locator(".secret code").innerText();
  await page.getByRole("button", { name: "I have it" }).click();
  await page.getByRole("dialog").waitFor({ state: "detached" });
  return secret;
}

export const tests = {
  async "a key lives: made with limits and a budget, used, rotated, revoked"(world) {
    await world.open({});
    const page = await world.go("/keys");
    const secret = await make(page, "made-here", async (dialog) => {
      await dialog.getByLabel("Team").fill("search");
      await dialog.getByLabel("Models").fill("gpt-4o, claude-*");
      await limits(dialog).getByLabel("Requests per minute").fill("120");
      await dialog.getByLabel("Budget, US dollars").fill("2.50");
      await dialog.getByLabel(/^per/).selectOption("day");
    });
    assert.match(secret, /^weir_sk_/);
    const row = await world.ask("Hello", { key: secret });
    assert.equal(row.status, 200);
    const line = page.getByRole("row").filter({ hasText: "made-here" });
    await line.getByText("120 rpm").waitFor();
    await line.getByText("$2.50").waitFor({ timeout: 15_000 });
    assert.ok(!(await page.content()).includes(secret), "the secret is shown once");

    await line.getByRole("button", { name: "Rotate" }).click();
    await page.getByLabel("The old secret stays valid for").selectOption("0");
    await page.getByRole("dialog").getByRole("button", { name: "Rotate" }).click();
    await page.getByText("It is shown this once").waitFor();
    const fresh = await page.locator(".secret code").innerText();
    await page.getByRole("button", { name: "I have it" }).click();
    assert.notEqual(fresh, secret);
    const status = async (key) =>
      (
        await fetch(`${world.gateway.url}/v1/models`, {
          headers: { authorization: `Bearer ${key}` },
        })
      ).status;
    assert.deepEqual([await status(secret), await status(fresh)], [401, 200]);

    await line.getByRole("button", { name: "Revoke" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
    await line.waitFor({ state: "detached" });
    assert.equal(await status(fresh), 401);
    await page.getByLabel("Show revoked keys").check();
    await line.getByText("revoked").waitFor();
    assert.deepEqual(world.complaints, []);
  },

  async "what is refused is told in the form, and nothing is lost"(world) {
    const page = await world.go("/keys");
    await page.getByRole("button", { name: "New key" }).click();
    const dialog = page.getByRole("dialog");
    await nameOf(dialog).fill("refused");
    const rpm = limits(dialog).getByLabel("Requests per minute");
    await rpm.fill("0");
    await dialog.getByRole("button", { name: "Make the key" }).click();
    await limits(dialog).getByRole("alert").getByText("a whole number above 0").waitFor();
    assert.equal(await rpm.getAttribute("aria-invalid"), "true");
    assert.equal(await nameOf(dialog).inputValue(), "refused");
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
  },

  async "hostile names stay text, on every page that shows them"(world) {
    const page = await world.go("/keys");
    for (const [what, text] of Object.entries(hostile)) {
      const reply = await fetch(`${world.gateway.adminUrl}/api/v1/keys`, {
        method: "POST",
        headers: { authorization: "Bearer admin-token-of-the-suite" },
        body: JSON.stringify({ name: text.slice(0, 100), team: text.slice(0, 100) }),
      });
      assert.ok(reply.ok, what);
      await world.ask("Hello", { key: (await reply.json()).key, model: "local-llama" });
    }
    for (const target of ["/keys", "/costs?by=team", "/costs?by=key", "/requests", "/"]) {
      await world.go(target);
      await page.locator("table, [role=rowgroup] [role=row]").first().waitFor();
      await page.waitForTimeout(300);
      assert.deepEqual(await isTame(page), tame, target);
      assert.deepEqual(world.complaints, [], target);
    }
    await world.go("/keys");
    await page.getByText("<img src=x").first().waitFor();
  },
};
