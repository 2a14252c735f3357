// The first run leads from a key to the first request that arrives; every snippet names this Weir.
import assert from "node:assert/strict";

export const tests = {
  async "a key, snippets, and the request is seen to arrive"(world) {
    await world.open({});
    const page = await world.go("/start");
    await page.getByText("5 models can be asked for").waitFor();
    await page.getByLabel(/^Model/).selectOption("gpt-4o");
    await page.getByLabel("Name", { exact: true }).fill("first-run");
    await page.getByRole("button", { name: "Make a key" }).click();
    await page.locator(".secret code").waitFor();
    const secret = await page.locator(".secret code").innerText();
    for (const client of ["Python", "Node.js", "Claude Code", "Codex", "curl"]) {
      await page.getByRole("button", { name: client, exact: true }).click();
      const code = await page.locator("pre.code").innerText();
      assert.ok(code.includes(secret) && code.includes(world.gateway.url), client);
      assert.ok(code.includes("gpt-4o"), client);
    }
    await page.getByText("Waiting for a request").waitFor();
    // What the page says, done: the curl snippet's own request.
    const code = await page.locator("pre.code").innerText();
    const body = /-d '(.*)'$/s.exec(code)[1];
    const reply = await fetch(`${world.gateway.url}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${secret}`, "content-type": "application/json" },
      body,
    });
    assert.equal(reply.status, 200);
    await page.getByText(/It arrived: gpt-4o, 200 ok/).waitFor();
    assert.deepEqual(world.complaints, []);
  },
};
