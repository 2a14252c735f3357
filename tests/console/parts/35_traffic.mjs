// Traffic: weights as the API has them; a drain takes a deployment out, is in the history with its
// sentence, and is undone.
import assert from "node:assert/strict";

export const tests = {
  async "a deployment is drained, seen to be, and brought back"(world) {
    await world.open({});
    const page = await world.go("/traffic");
    const line = page.getByRole("row").filter({ hasText: "openai-second/gpt-4o-2024-11-20" });
    await line.getByText("40 %").waitFor();
    await line.getByRole("button", { name: "Drain" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Drain" }).click();
    await line.getByText(/draining/).waitFor();
    await line.locator("td.share").getByText("0 %", { exact: true }).waitFor();
    const { models } = await world.gateway.admin("/api/v1/traffic");
    const drained = models
      .find((model) => model.name === "gpt-4o")
      .deployments.find((deployment) => deployment.name.startsWith("openai-second/"));
    assert.equal(drained.weight, 0);
    for (let i = 0; i < 8; i += 1) {
      const row = await world.ask("Hello", { model: "gpt-4o" });
      assert.equal(row.deployment, "openai-main/gpt-4o-2024-11-20");
    }
    await page
      .locator(".changes li")
      .first()
      .getByText(/goes from \d+ to 0/)
      .waitFor();
    await line.getByRole("button", { name: "Undo" }).click();
    await line.getByText("40 %").waitFor({ timeout: 20_000 });
    assert.deepEqual(world.complaints, []);
  },
};
