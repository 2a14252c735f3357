// A key is changed where it stands: what the form says is what the API has afterwards and what the
// gateway obeys; what it does not touch stays; a refusal stands at its field.
import assert from "node:assert/strict";
import { violations } from "../lib/axe.mjs";
import { hostile, isTame, tame } from "../lib/hostile.mjs";

async function ask(world, method, target, body) {
  const answer = await fetch(`${world.gateway.adminUrl}/api/v1${target}`, {
    method,
    headers: { authorization: "Bearer admin-token-of-the-suite" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  assert.ok(answer.ok, `${method} ${target}: ${answer.status} ${await answer.clone().text()}`);
  return answer.json();
}
async function keyNow(world, id) {
  const { keys } = await ask(world, "GET", "/keys");
  const { created, masked, ...rest } = keys.find((one) => one.id === id);
  assert.ok(created && masked);
  return rest;
}
const group = (dialog, name) => dialog.getByRole("group", { name, exact: true });
// The star of a field that must be filled is no part of its name.
const nameOf = (dialog) => dialog.getByRole("textbox", { name: "Name", exact: true }).first();
const row = (page, name) => page.getByRole("row").filter({ hasText: name });
const edit = async (page, name) => {
  await row(page, name).getByRole("button", { name: "Change" }).click();
  return page.getByRole("dialog", { name: `Change ${name}` });
};
async function save(page, dialog) {
  await dialog.getByRole("button", { name: "Save" }).click();
  await dialog.waitFor({ state: "detached" });
}

const full = {
  name: "full",
  team: "search",
  project: "suggest",
  owner: "ada",
  models: ["gpt-4o", "claude-*"],
  limits: { rpm: 600, tpm: 400_000, concurrency: 50 },
  model_limits: [{ model: "gpt-4o", rpm: 60 }],
  user_limits: { rpm: 10 },
  budgets: [
    { usd: "50", per: "day" },
    { usd: "400", per: "rolling", days: 30, hard: false },
  ],
  priority: "low",
  expires: "2031-01-01T12:34:56Z",
  capture_refused: true,
  addresses: ["127.0.0.0/8"],
  endpoints: ["generate", "embed"],
  tags: { env: "prod", cost: "a=b, c" },
};

export const tests = {
  async "every field is changed, and the API has it"(world) {
    const made = await ask(world, "POST", "/keys", { name: "plain" });
    await world.open({});
    const page = await world.go("/keys");
    const dialog = await edit(page, "plain");
    await nameOf(dialog).fill("changed");
    await dialog.getByLabel("Team").fill("support");
    await dialog.getByLabel("Models").fill("gpt-4o, claude-*");
    const limits = group(dialog, "Limits");
    await limits.getByLabel("Requests per minute").fill("120");
    await limits.getByLabel("At once").fill("4");
    const budgets = group(dialog, "Budgets");
    await budgets.getByLabel("Budget, US dollars").fill("2.5");
    await budgets.getByLabel("per", { exact: true }).selectOption("day");
    await budgets.getByRole("button", { name: "Add a budget" }).click();
    await budgets.getByLabel("Budget, US dollars").nth(1).fill("40");
    await budgets.getByLabel("per", { exact: true }).nth(1).selectOption("rolling");
    await budgets.getByLabel("over days").fill("30");
    await budgets.getByLabel("only warns").nth(1).check();
    await dialog.getByLabel("Expires").fill("2031-02-03");
    await dialog.getByLabel("Priority").selectOption("high");
    await dialog.getByText("More", { exact: true }).click();
    await dialog.getByLabel("Project").fill("suggest");
    await dialog.getByLabel("Owner").fill("ada");
    await group(dialog, "Limits of each of its users").getByLabel("Tokens per minute").fill("9000");
    const parts = group(dialog, "Limits by model");
    await parts.getByRole("button", { name: "Add a model" }).click();
    await parts.getByLabel("Model", { exact: true }).fill("gpt-4o");
    await parts.getByLabel("At once").fill("2");
    await dialog.getByLabel("Endpoints").fill("generate, embed");
    await dialog.getByLabel("Addresses").fill("127.0.0.0/8, ::1");
    const tags = group(dialog, "Tags");
    await tags.getByRole("button", { name: "Add a tag" }).click();
    await tags.getByLabel("Name", { exact: true }).fill("env");
    await tags.getByLabel("Value").fill("prod");
    await dialog.getByLabel("Messages of its requests").selectOption("never");
    await save(page, dialog);
    await row(page, "changed").getByText("120 rpm").waitFor();
    assert.deepEqual(await keyNow(world, made.id), {
      id: made.id,
      name: "changed",
      source: "console",
      team: "support",
      project: "suggest",
      models: ["gpt-4o", "claude-*"],
      limits: { rpm: 120, tpm: null, concurrency: 4 },
      model_limits: [{ model: "gpt-4o", rpm: null, tpm: null, concurrency: 2 }],
      user_limits: { rpm: null, tpm: 9000, concurrency: null },
      budgets: [
        { usd: "2.50", per: "day", hard: true },
        { usd: "40.00", per: "rolling", days: 30, hard: false },
      ],
      priority: "high",
      owner: "ada",
      tags: { env: "prod" },
      capture: false,
      capture_refused: true,
      addresses: ["127.0.0.0/8", "::1"],
      endpoints: ["generate", "embed"],
      expires: "2031-02-03T00:00:00.000Z",
      revoked: null,
    });
    // The secret is the same, and what the key may is what the form said.
    const served = await world.ask("Hello", { key: made.key });
    assert.equal(served.status, 200);
    const refused = await world.ask("Hello", { key: made.key, model: "local-llama" });
    assert.notEqual(refused?.status, 200);
    assert.deepEqual(world.complaints, []);
  },

  async "emptied fields are taken out, and the untouched are not sent"(world) {
    const made = await ask(world, "POST", "/keys", full);
    const before = await keyNow(world, made.id);
    const page = await world.go("/keys");
    let dialog = await edit(page, "full");
    const sent = [];
    page.on("request", (request) => {
      if (request.method() === "PATCH") sent.push(request.postDataJSON());
    });
    await save(page, dialog);
    assert.deepEqual(sent, [{}], "nothing was changed");
    assert.deepEqual(await keyNow(world, made.id), before);

    dialog = await edit(page, "full");
    await dialog.getByLabel("Owner").fill("");
    await group(dialog, "Limits").getByLabel("Tokens per minute").fill("");
    await group(dialog, "Limits of each of its users").getByLabel("Requests per minute").fill("");
    await dialog.getByRole("button", { name: "Remove budget 1" }).click();
    await dialog.getByRole("button", { name: "Remove model 1" }).click();
    await dialog.getByRole("button", { name: "Remove tag 1" }).click();
    await dialog.getByLabel("Priority").selectOption("");
    await dialog.getByLabel("Expires").fill("");
    await dialog.getByLabel("Messages of its requests").selectOption("");
    await save(page, dialog);
    assert.deepEqual(await keyNow(world, made.id), {
      ...before,
      owner: "",
      limits: { rpm: 600, tpm: null, concurrency: 50 },
      user_limits: { rpm: null, tpm: null, concurrency: null },
      budgets: [{ usd: "400.00", per: "rolling", days: 30, hard: false }],
      model_limits: [],
      tags: { [Object.keys(before.tags)[1]]: Object.values(before.tags)[1] },
      priority: null,
      expires: null,
      capture_refused: false,
    });
    await ask(world, "DELETE", `/keys/${made.id}`);
  },

  async "a refusal stands at its field, and the key stays as it was"(world) {
    const made = await ask(world, "POST", "/keys", { ...full, name: "picky" });
    const before = await keyNow(world, made.id);
    const page = await world.go("/keys");
    const dialog = await edit(page, "picky");
    const users = group(dialog, "Limits of each of its users");
    const parts = group(dialog, "Limits by model");
    const wrongs = [
      [nameOf(dialog), "", "a name for the key"],
      [dialog.getByLabel("Team"), "x".repeat(129), "at most 128 bytes"],
      [group(dialog, "Limits").getByLabel("Tokens per minute"), "many", "above 0"],
      [users.getByLabel("Requests per minute"), "0", "above 0"],
      [parts.getByLabel("Model", { exact: true }), "", "a list of objects"],
      [parts.getByLabel("At once"), "-1", "above 0"],
      [
        group(dialog, "Budgets").getByLabel("Budget, US dollars").nth(1),
        "lots",
        "an amount of dollars",
      ],
    ];
    for (const [field, text, said] of wrongs) {
      const old = await field.inputValue();
      await field.fill(text);
      await dialog.getByRole("button", { name: "Save" }).click();
      await dialog.getByRole("alert").getByText(said).waitFor();
      assert.equal(await dialog.getByRole("alert").count(), 1, said);
      assert.equal(await field.getAttribute("aria-invalid"), "true", said);
      const ids = (await field.getAttribute("aria-describedby")).split(" ");
      assert.match(await page.locator(`[id="${ids[0]}"]`).innerText(), new RegExp(said));
      await field.fill(old);
    }
    // What belongs to no one field stands above all of them.
    await group(dialog, "Budgets").getByLabel("over days").fill("1000");
    await dialog.getByRole("button", { name: "Save" }).click();
    await dialog.getByRole("alert").getByText("over 1 to 92 days").waitFor();
    assert.deepEqual(await violations(page), []);
    await dialog.getByRole("button", { name: "Cancel" }).click();
    await dialog.waitFor({ state: "detached" });
    assert.deepEqual(await keyNow(world, made.id), before);
    await ask(world, "DELETE", `/keys/${made.id}`);
    assert.deepEqual(world.complaints, []);
  },

  async "details tell all of a key; one of the file is only read"(world) {
    const made = await ask(world, "POST", "/keys", { ...full, name: "told" });
    const english = ["ada", "low", "Requests per minute: 10", "only warns", "never kept"];
    const chinese = ["ada", "低", "每分钟请求数: 10", "仅提醒", "从不保留"];
    for (const [language, width, texts] of [
      ["en", 1280, [...english, "$400.00 per 30 days", "env = prod"]],
      ["zh", 390, [...chinese, "$400.00 每 30 天", "env = prod"]],
    ]) {
      const page = await world.open({ language, width });
      await world.go("/keys");
      const details = language === "en" ? "Details" : "详情";
      const change = language === "en" ? "Change" : "修改";
      await row(page, "told").getByRole("button", { name: details }).click();
      const dialog = page.getByRole("dialog");
      const said = await dialog.innerText();
      for (const text of texts) assert.ok(said.includes(text), `${text} in ${said}`);
      assert.deepEqual(await violations(page), []);
      await world.picture(`key-details-${language}`);
      await dialog.getByRole("button", { name: change }).click();
      await dialog.locator("form").waitFor();
      assert.deepEqual(await violations(page), []);
      assert.ok(await dialog.evaluate((one) => one.scrollWidth <= one.clientWidth), language);
      await world.picture(`key-change-${language}`);
      await page.keyboard.press("Escape");
      await dialog.waitFor({ state: "detached" });
      const ofFile = row(page, "support-bot");
      assert.equal(await ofFile.getByRole("button", { name: change }).count(), 0);
      await ofFile.getByRole("button", { name: details }).click();
      await dialog.getByText("claude-*").waitFor();
      assert.equal(await dialog.getByRole("button", { name: change }).count(), 0);
      assert.deepEqual(world.complaints, []);
    }
    await ask(world, "DELETE", `/keys/${made.id}`);
    await world.open({});
  },

  async "hostile texts stay text in details and form, and are kept as they are"(world) {
    const page = world.page;
    for (const [what, whole] of Object.entries(hostile)) {
      const text = whole.slice(0, 100);
      const { id } = await ask(world, "POST", "/keys", {
        name: `hostile-${what}`,
        team: text,
        project: text,
        owner: text,
        models: [text],
        model_limits: [{ model: text, rpm: 1 }],
        tags: { [`tag ${text}`]: text },
      });
      const before = await keyNow(world, id);
      await world.go("/keys");
      await row(page, `hostile-${what}`).getByRole("button", { name: "Details" }).click();
      await page.getByRole("dialog").locator("dl").waitFor();
      assert.deepEqual(await isTame(page), tame, what);
      await page.getByRole("dialog").getByRole("button", { name: "Change" }).click();
      const dialog = page.getByRole("dialog", { name: `Change hostile-${what}` });
      // A field that holds it beside one that is changed: only that one is sent.
      await group(dialog, "Limits").getByLabel("Requests per minute").fill("7");
      assert.deepEqual(await isTame(page), tame, what);
      await save(page, dialog);
      assert.deepEqual(
        await keyNow(world, id),
        { ...before, limits: { ...before.limits, rpm: 7 } },
        what,
      );
      await ask(world, "DELETE", `/keys/${id}`);
    }
    // Typed into the form, and told in what the server refuses.
    const dialog = await edit(page, "changed");
    await dialog.getByLabel("Owner").fill(hostile.markup);
    await dialog.getByLabel("Endpoints").fill(hostile.markup);
    await dialog.getByRole("button", { name: "Save" }).click();
    await dialog.getByRole("alert").getByText("<img src=x").waitFor();
    assert.deepEqual(await isTame(page), tame);
    await page.keyboard.press("Escape");
    assert.deepEqual(world.complaints, []);
  },
};
