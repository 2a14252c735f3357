// The other kinds of long work: a catalogue of prices is tried and then taken, and requests cost
// what it says; the ledger's files are compacted.
import assert from "node:assert/strict";
import { violations } from "../lib/axe.mjs";
import { hostile, isTame, tame } from "../lib/hostile.mjs";

// Twice what is shipped, ten thousand times what is shipped, less than nothing.
const catalogue = {
  "gemini/gemini-2.5-flash": {
    litellm_provider: "gemini",
    input_cost_per_token: 6e-7,
    output_cost_per_token: 5e-6,
  },
  "gpt-4o-2024-11-20": {
    litellm_provider: "openai",
    input_cost_per_token: 2.5e-4,
    output_cost_per_token: 1e-3,
  },
  "less-than-nothing": {
    litellm_provider: "openai",
    input_cost_per_token: -1e-6,
    output_cost_per_token: 1e-6,
  },
};
const file = (text) => ({
  name: `${hostile.markup.slice(0, 40).replaceAll("/", "")}.json`,
  mimeType: "application/json",
  buffer: Buffer.from(text),
});

async function start(page, kind, fill = async () => {}) {
  await page.getByRole("button", { name: "New job" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: kind }).click();
  await fill(dialog);
  await dialog.getByRole("button", { name: "Start" }).click();
  return dialog;
}
// Of a new request: its tokens and what it cost, as the ledger's file has it.
async function cost(world) {
  await world.ask("Hello", { model: "gemini-flash" });
  const rows = world.sql(
    `select start_ms, cost_nano nano, input, output from request
     where provider_model='gemini-2.5-flash' order by start_ms desc limit 1`,
  );
  const { nano, input, output } = rows.sort((a, b) => b.start_ms - a.start_ms)[0];
  return { nano, input, output };
}

export const tests = {
  async "a catalogue is tried, then taken, and requests cost what it says"(world) {
    const before = await cost(world);
    assert.equal(before.nano, before.input * 300 + before.output * 2500);
    await world.open({});
    const page = await world.go("/settings/jobs");
    const pick = (dryRun) => async (dialog) => {
      await dialog.getByLabel("Catalogue").selectOption("litellm");
      await dialog.getByLabel("Files").setInputFiles(file(JSON.stringify(catalogue)));
      await dialog.getByLabel("Only tell what would change").setChecked(dryRun);
      assert.deepEqual(await violations(page), []);
    };
    await (await start(page, "Import prices", pick(true))).waitFor({ state: "detached" });
    const tried = page.getByRole("row").filter({ hasText: "Prices of litellm, dry run" });
    await tried.getByText("done", { exact: true }).waitFor();
    await tried.getByText(/dry run: yes · rows: 1 · held back: 1 .*refused: 1/).waitFor();
    await tried.getByRole("button", { name: "Show" }).click();
    const shown = await page.getByRole("dialog").innerText();
    assert.ok(shown.includes("gemini-2.5-flash") && shown.includes("gpt-4o-2024-11-20"), shown);
    assert.deepEqual(await isTame(page), tame);
    await page.keyboard.press("Escape");
    assert.deepEqual(await cost(world), before, "a dry run changes nothing");

    await start(page, "Import prices", pick(false));
    const taken = page.getByRole("row").filter({ hasText: /Prices of litellm(?!, dry)/ });
    await taken.getByText("done", { exact: true }).waitFor();
    await taken.getByText(/dry run: no · rows: 1/).waitFor();
    await world.gateway.until("the new price", 15_000, async () => {
      const { nano, input, output } = await cost(world);
      return nano === input * 600 + output * 5000;
    });
    for (const row of [tried, taken]) {
      await row.getByRole("button", { name: "Forget" }).click();
      await row.waitFor({ state: "detached" });
    }
    assert.deepEqual(world.complaints, []);
  },

  async "a file that is no catalogue fails, and says so"(world) {
    const page = await world.go("/settings/jobs");
    await start(page, "Import prices", async (dialog) => {
      await dialog.getByLabel("Files").setInputFiles(file(hostile.markup));
    });
    const row = page.getByRole("row").filter({ hasText: "Prices of litellm" });
    await row.getByText("failed", { exact: true }).waitFor();
    assert.deepEqual(await isTame(page), tame);
    await row.getByRole("button", { name: "Forget" }).click();
    await row.waitFor({ state: "detached" });
    assert.deepEqual(world.complaints, []);
  },

  async "a compaction leaves every row of the ledger"(world) {
    const [{ n: before }] = world.sql("select count(*) n from request");
    const page = await world.go("/settings/jobs");
    await start(page, "Compact");
    const row = page.getByRole("row").filter({ hasText: "Compaction of the ledger's files" });
    await row.getByText("done", { exact: true }).waitFor();
    await row.getByText(/files: \d+ · compacted: \d+ · left as they are: \d+/).waitFor();
    assert.deepEqual(await violations(page), []);
    const [{ n: after }] = world.sql("select count(*) n from request");
    assert.ok(after >= before, `${after} rows of ${before}`);
    await row.getByRole("button", { name: "Forget" }).click();
    await row.waitFor({ state: "detached" });
    assert.deepEqual(world.complaints, []);
  },
};
