// Sign-in, the frame, what the browser is told about the files.
import assert from "node:assert/strict";

export const tests = {
  async "the token is asked for, and a wrong one is refused"(world) {
    const page = await world.open({ token: "" });
    await world.go("/");
    await page.getByLabel("Admin token").fill("wrong");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText("does not accept this token").waitFor();
    await page.getByLabel("Admin token").fill("admin-token-of-the-suite");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Overview" }).waitFor();
    assert.deepEqual(world.complaints, []);
    await world.open({});
  },

  async "files are compressed, immutable, tagged, and under a strict policy"(world) {
    const base = world.gateway.adminUrl;
    const document = await fetch(base, { headers: { "accept-encoding": "br" } });
    const policy = document.headers.get("content-security-policy");
    assert.equal(document.headers.get("content-encoding"), "br");
    assert.equal(document.headers.get("cache-control"), "no-cache");
    assert.match(policy, /default-src 'none'; script-src 'self'; style-src 'self'/);
    assert.doesNotMatch(policy, /unsafe/);
    const html = await document.text();
    const script = /src="(\/assets\/[^"]+\.js)"/.exec(html)[1];
    const file = await fetch(base + script, { headers: { "accept-encoding": "gzip" } });
    assert.match(file.headers.get("cache-control"), /max-age=31536000, immutable/);
    assert.equal(file.headers.get("content-encoding"), "gzip");
    const again = await fetch(base, { headers: { "if-none-match": document.headers.get("etag") } });
    assert.equal(again.status, 304);
  },

  async "the first load is at most 120 kB, and asks nobody else"(world) {
    await world.open({});
    let bytes = 0;
    const session = await world.context.newCDPSession(world.page);
    await session.send("Network.enable");
    session.on("Network.loadingFinished", (event) => (bytes += event.encodedDataLength));
    await world.go("/");
    await world.page.getByText("Latest failures").waitFor();
    assert.ok(bytes > 10_000 && bytes < 120_000, `${bytes} bytes`);
    assert.deepEqual(world.foreign, []);
  },

  async "a control plane that is gone is said plainly, and its return too"(world) {
    const page = await world.go("/");
    await page.getByText("live", { exact: true }).waitFor();
    await page.route("**/api/**", (route) => route.abort());
    await page.getByRole("link", { name: "Traffic", exact: true }).click();
    await page.getByText("control plane does not answer").waitFor({ timeout: 30_000 });
    await page.getByRole("heading", { name: "Traffic" }).waitFor();
    await page.unroute("**/api/**");
    await page
      .getByText("control plane does not answer")
      .waitFor({ state: "detached", timeout: 30_000 });
  },

  async "language and theme change and are remembered"(world) {
    const page = await world.go("/");
    await page.getByRole("button", { name: "中文" }).click();
    await page.getByRole("heading", { name: "总览" }).waitFor();
    assert.equal(await page.locator("html").getAttribute("lang"), "zh-CN");
    await page.getByRole("button", { name: /主题/ }).click();
    await page.getByRole("button", { name: /主题/ }).click();
    assert.equal(await page.locator("html").getAttribute("data-theme"), "dark");
    await world.open({});
  },
};
