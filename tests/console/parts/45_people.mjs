// Users are made on the page, sign in by password, and what they change is in the audit log.
import assert from "node:assert/strict";
import { hostile } from "../lib/hostile.mjs";

const password = "correct horse battery staple";

export const tests = {
  async "a user is made, signs in by password, makes a key, and the log says who"(world) {
    await world.open({});
    const page = await world.go("/people");
    await page.getByText("No users yet").waitFor();
    await page.getByRole("button", { name: "New user" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Name").fill("ada");
    await dialog.getByLabel(/Password/).fill(password);
    await dialog.getByLabel("admin").check();
    await dialog.getByRole("button", { name: "New user" }).click();
    await page.getByRole("rowheader", { name: "ada" }).waitFor();

    await world.open({ token: "" });
    const own = world.page;
    await own.goto(`${world.gateway.adminUrl}/keys`);
    await own.getByLabel("Name").fill("ada");
    await own.getByLabel("Password").fill("wrong wrong wrong");
    await own.getByRole("button", { name: "Sign in" }).click();
    await own.locator("#sign-in-problem").filter({ hasText: /\w/ }).waitFor();
    await own.getByLabel("Password").fill(password);
    await own.getByRole("button", { name: "Sign in" }).click();
    await own.getByRole("button", { name: "New key" }).waitFor();
    // A change by the session's cookie, after a reload too.
    await own.reload();
    await own.getByRole("button", { name: "New key" }).click();
    await own.getByRole("dialog").getByLabel("Name").fill("of-ada");
    await own.getByRole("dialog").locator("button.primary").click();
    await own.getByText("shown this once").waitFor();
    await own.goto(`${world.gateway.adminUrl}/people`);
    await own
      .getByRole("row")
      .filter({ hasText: "ada" })
      .filter({ hasText: "/api/v1/keys" })
      .first()
      .waitFor();
    await own.getByRole("button", { name: "Sign out" }).click();
    await own.getByRole("heading", { name: "Sign in" }).waitFor();
    assert.deepEqual(world.complaints, []);
  },

  async "names that are markup stay text, and a user is removed"(world) {
    await world.open({});
    const name = Object.values(hostile)[0];
    await fetch(`${world.gateway.adminUrl}/api/v1/users`, {
      method: "POST",
      headers: { authorization: "Bearer admin-token-of-the-suite" },
      body: JSON.stringify({ name: "bob", display: String(name), kind: "service", roles: [] }),
    });
    const page = await world.go("/people");
    const row = page.getByRole("row").filter({ hasText: "service account" });
    await row.first().waitFor();
    assert.equal(await page.locator("main script, main img").count(), 0);
    const remove = async (user) => {
      const head = page.getByRole("rowheader", { name: user });
      const one = page.getByRole("row").filter({ has: head });
      await one.getByRole("button", { name: "Remove" }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
      return one;
    };
    await (await remove("bob")).waitFor({ state: "detached" });
    // The last administrator who can sign in stays, and the page says why.
    await remove("ada");
    await page.getByRole("dialog").getByRole("alert").waitFor();
    assert.deepEqual(world.complaints, []);
  },
};
