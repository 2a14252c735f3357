// What a role may not do is disabled and says why; pages it may not see are not in the list.
import assert from "node:assert/strict";

const admin = async (world, method, target, body) => {
  const answer = await fetch(`${world.gateway.adminUrl}/api/v1${target}`, {
    method,
    headers: { authorization: "Bearer admin-token-of-the-suite" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  assert.ok(answer.ok, `${method} ${target}: ${answer.status}`);
  return answer.json();
};

export const tests = {
  async "a viewer sees, and changes nothing"(world) {
    const user = await admin(world, "POST", "/users", {
      name: "watcher",
      kind: "service",
      roles: ["viewer"],
    });
    const { token } = await admin(world, "POST", `/users/${user.id}/tokens`, {
      name: "console",
      roles: ["viewer"],
      expires: new Date(Date.now() + 3_600_000).toISOString(),
    });
    const page = await world.open({ token });
    await world.go("/keys");
    const pages = page.getByRole("navigation", { name: "Pages" });
    await pages.getByRole("link", { name: "People" }).waitFor({ state: "detached" });
    await pages.getByRole("link", { name: "Keys" }).waitFor();
    for (const [target, name, permission] of [
      ["/keys", "New key", "keys.write"],
      ["/keys", "Change", "keys.write"],
      ["/accounts", "New account", "accounts.write"],
      ["/traffic", "Drain", "traffic.write"],
      ["/playground", "Make one for an hour", "keys.write"],
      ["/settings", "Read the file again", "config.write"],
      ["/settings/configuration", "Try a configuration", "config.write"],
    ]) {
      await world.go(target);
      const button = page.getByRole("button", { name }).first();
      await button.waitFor();
      await page.waitForFunction(
        ([text]) =>
          [...document.querySelectorAll("main button")].some(
            (one) => one.textContent.trim() === text && one.disabled,
          ),
        [name],
      );
      assert.equal(
        await button.getAttribute("title"),
        `Your role may not do this: it needs ${permission}.`,
        target,
      );
    }
    // By its address it is refused, and what to do is told.
    await world.go("/people");
    await page.getByText("An administrator gives roles").waitFor();
    assert.deepEqual(world.complaints, []);
    await admin(world, "DELETE", `/users/${user.id}`);
    await world.open({});
  },
};
