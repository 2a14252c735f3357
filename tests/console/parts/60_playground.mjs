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
    await page.getByRole("button", { name: "Send", exact: true }).click();
    await page.waitForFunction(
      () =>
        [...document.querySelectorAll(".side footer b")].filter((b) =>
          b.textContent.startsWith("$"),
        ).length === 2,
    );
    await page.getByText("fastest").waitFor();
    assert.equal(await page.getByText("cheapest").count(), 1);
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
    await page.getByRole("button", { name: "Send", exact: true }).click();
    await page.locator(".answer pre").getByText("<img src=x onerror=").waitFor();
    assert.deepEqual(await isTame(page), tame);
    await page.locator(".side footer a").waitFor();
  },

  async "a refusal is told as the API tells it"(world) {
    const page = world.page;
    await page.getByLabel("Key", { exact: true }).fill("wrong-key");
    await page.getByRole("button", { name: "Send", exact: true }).click();
    await page.locator(".answer .bad").getByText("401").waitFor();
    await page.evaluate(() => sessionStorage.removeItem("weir.key"));
  },

  async "tools are called, answered, and what the model makes of it is shown"(world) {
    const page = await world.go("/playground");
    await page.getByRole("button", { name: "Make one for an hour" }).click();
    await page.waitForFunction(() => sessionStorage.getItem("weir.key")?.startsWith("weir_sk_"));
    await page.getByLabel("Prompt", { exact: true }).fill("What is the weather in Oslo?");
    await page.locator("summary").getByText("Tools").click();
    await page.getByLabel("Tools").fill("{ no json");
    await page.getByRole("button", { name: "Send", exact: true }).click();
    await page.getByText("The tools are not what they should be").waitFor();
    await page.getByLabel("Tools").fill("");
    await page.getByRole("button", { name: "An example" }).click();
    await page.locator(".side select").selectOption("gpt-4o");
    await page.getByRole("button", { name: "Send", exact: true }).click();
    const side = page.locator(".side");
    await side.locator(".call").getByText("get_weather").waitFor();
    // The row of the first call, so that the second can be told from it.
    const target = side.getByRole("link");
    await target.waitFor();
    const first = await target.getAttribute("href");
    await side.getByLabel("Result of get_weather").fill(`{"sky": "${"rain over the fjord"}"}`);
    await side.getByRole("button", { name: "Hand the results back" }).click();
    await side.locator("pre").filter({ hasText: "rain over the fjord" }).nth(1).waitFor();
    // Both requests count: the cost is the sum of their rows.
    await page.waitForFunction(
      ([before]) => document.querySelector(".side footer a")?.getAttribute("href") !== before,
      [first],
    );
    const id = /req_[0-9a-z]+/.exec(await target.getAttribute("href"))[0];
    const row = (await world.gateway.rows([id])).get(id);
    assert.equal(row.status, 200);
    const shown = await world.gateway.admin(`/api/v1/requests/${id}`);
    assert.match(shown.capture.request, /"role":"tool"/);
    assert.match(shown.capture.request, /rain over the fjord/);

    await page.getByLabel("Prompt", { exact: true }).fill("And now in short");
    await page.getByRole("button", { name: "Send as a follow-up" }).click();
    await side.locator(".asked").getByText("And now in short").waitFor();
    await page.waitForFunction(
      () => document.querySelectorAll(".side .answer[aria-busy=false]").length === 1,
    );
    assert.deepEqual(world.complaints, []);
  },

  async "images go along as data, and a schema is kept to"(world) {
    const page = await world.go("/playground");
    const png = Buffer.from(
      "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAA" +
        "AABJRU5ErkJggg==",
      "base64",
    );
    await page.locator("input[type=file]").setInputFiles([
      { name: "not.png", mimeType: "text/plain", buffer: Buffer.from("x") },
      { name: `${hostile.markup}.png`, mimeType: "image/png", buffer: png },
    ]);
    await page.getByText("not.png is no image").waitFor();
    assert.deepEqual(await isTame(page), tame);
    await page.locator(".image img").waitFor();
    await page.getByLabel("Prompt", { exact: true }).fill("What is in the picture?");
    await page.getByLabel("Form of the answer").selectOption("schema");
    await page.locator(".side select").selectOption("gpt-4o");
    await page.getByRole("button", { name: "Send", exact: true }).click();
    await page.getByText("valid JSON", { exact: true }).waitFor();
    const link = page.locator(".side footer a");
    const id = /req_[0-9a-z]+/.exec(await link.getAttribute("href"))[0];
    const { capture } = await world.gateway.admin(`/api/v1/requests/${id}`);
    const sent = JSON.parse(capture.request);
    assert.equal(sent.response_format.json_schema.schema.required[0], "title");
    assert.ok(sent.messages[0].content[1].image_url.url.startsWith("data:image/png;base64,"));
    assert.deepEqual(world.complaints, []);
  },

  async "what a tool is called with stays text"(world) {
    const page = world.page;
    const delta = {
      choices: [
        {
          delta: {
            content: hostile.markup,
            tool_calls: [
              {
                index: 0,
                id: hostile.markup,
                function: { name: hostile.template, arguments: Object.values(hostile).join("") },
              },
            ],
          },
        },
      ],
    };
    await page.route("**/api/v1/forward/**", (route) =>
      route.fulfill({
        contentType: "text/event-stream",
        body: `data: ${JSON.stringify(delta)}\n\ndata: [DONE]\n\n`,
      }),
    );
    await page.getByRole("button", { name: "Send", exact: true }).click();
    await page.locator(".call").getByText("<img src=x").first().waitFor();
    assert.deepEqual(await isTame(page), tame);
    await page.unrouteAll();
    assert.deepEqual(world.complaints, []);
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
