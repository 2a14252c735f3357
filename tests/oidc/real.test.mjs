// oidc-provider, a certified server: sign-ins with each kind of key, roles by group, a rollover.
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import Provider from "oidc-provider";

import { Gateway } from "../lib/gateway.mjs";
import { Browser, configuration } from "./browser.mjs";

const accounts = {
  ada: { name: "Ada Lovelace", preferred_username: "ada", groups: ["staff", "weir-admins"] },
  bob: { name: "Bob", preferred_username: "bob", groups: ["accounting"] },
  eve: { name: "Eve", preferred_username: "eve", groups: ["staff"] },
};

function key(kid, kind) {
  const made = kind === "RS256" ? generateKeyPairSync("rsa", { modulusLength: 2048 })
    : kind === "ES256" ? generateKeyPairSync("ec", { namedCurve: "P-256" })
      : generateKeyPairSync("ed25519");
  return { ...made.privateKey.export({ format: "jwk" }), kid, use: "sig", alg: kind };
}

// The provider, listening; its keys and who signs in next can be changed.
class Server {
  async start() {
    this.http = createServer((request, response) => this.serve(request, response));
    await new Promise((resolve) => { this.http.listen(0, "127.0.0.1", resolve); });
    this.issuer = `http://127.0.0.1:${this.http.address().port}`;
    this.keyFetches = 0;
    this.account = "ada";
  }

  // `redirect` is Weir's; with other keys the provider is a new one at the same place.
  use(keys, algorithm, redirect) {
    this.provider = new Provider(this.issuer, {
      clients: [{
        client_id: "weir", client_secret: "a-secret-of-the-client", redirect_uris: [redirect],
        id_token_signed_response_alg: algorithm,
      }],
      claims: { openid: ["sub", "groups", "name", "preferred_username"] },
      conformIdTokenClaims: false,
      cookies: { keys: ["cookie-key"] },
      enabledJWA: { idTokenSigningAlgValues: ["RS256", "ES256", "EdDSA"] },
      features: { devInteractions: { enabled: false } },
      findAccount: (_context, id) => ({
        accountId: id, claims: () => ({ sub: `subject-of-${id}`, ...accounts[id] }),
      }),
      interactions: { url: (_context, interaction) => `/sign-in/${interaction.uid}` },
      jwks: { keys },
      // Nobody is asked for consent.
      loadExistingGrant: async (context) => {
        const grant = new context.oidc.provider.Grant({
          clientId: context.oidc.client.clientId, accountId: context.oidc.session.accountId,
        });
        grant.addOIDCScope("openid profile email");
        await grant.save();
        return grant;
      },
      pkce: { required: () => true },
      ttl: { AccessToken: 600, AuthorizationCode: 60, Grant: 600, IdToken: 600, Interaction: 600,
        Session: 600 },
    });
    this.handle = this.provider.callback();
  }

  async serve(request, response) {
    if (request.url === "/jwks") ++this.keyFetches;
    if (request.url.startsWith("/sign-in/")) {
      await this.provider.interactionFinished(request, response,
        { login: { accountId: this.account } }, { mergeWithLastSubmission: false });
      return;
    }
    this.handle(request, response);
  }
}

const server = new Server();
let gateway;
let redirect;

before(async () => {
  await server.start();
  gateway = await Gateway.start({ url: "http://127.0.0.1:9/v1", privateKey: "" },
    { configuration: configuration(server.issuer), key: "" });
  redirect = `${gateway.adminUrl}/api/v1/oidc/callback`;
});
after(async () => {
  await gateway?.stop();
  server.http.closeAllConnections();
  server.http.close();
});

async function signIn(account, returnTo = "/keys") {
  server.account = account;
  const browser = new Browser();
  const start = `${gateway.adminUrl}/api/v1/oidc/start?return_to=${encodeURIComponent(returnTo)}`;
  const end = await browser.visit(start);
  const me = await browser.get(`${gateway.adminUrl}/api/v1/me`);
  return { browser, end, me: { status: me.status, ...await me.json() } };
}

test("people sign in with every kind of key, and get the roles of their groups", async () => {
  for (const algorithm of ["RS256", "ES256", "EdDSA"]) {
    server.use([key(`${algorithm}-1`, algorithm)], algorithm, redirect);
    // Weir asks for keys that it does not know, now and then.
    await gateway.until(`a sign-in with ${algorithm}`, 60_000, async () => {
      const { me, end } = await signIn("ada");
      if (me.status !== 200) return false;
      assert.equal(end.url, `${gateway.adminUrl}/keys`);
      assert.equal(me.name, "ada");
      assert.equal(me.user.display, "Ada Lovelace");
      assert.equal(me.user.issuer, server.issuer);
      assert.deepEqual(me.roles, ["admin"]);
      return true;
    });
  }
  const { me: bob } = await signIn("bob");
  assert.deepEqual(bob.roles, ["finance", "viewer"]);
});

test("who is in no group with a role is not let in", async () => {
  const { me, end } = await signIn("eve");
  assert.equal(end.status, 403);
  assert.equal(me.status, 401);
  const users = await gateway.admin("/api/v1/users");
  assert.ok(users.users.every((user) => user.name !== "eve"));
});

test("roles follow the groups at the next sign-in", async () => {
  await signIn("bob");
  accounts.bob.groups = ["weir-admins"];
  assert.deepEqual((await signIn("bob")).me.roles, ["admin"]);
  accounts.bob.groups = [];
  assert.equal((await signIn("bob")).end.status, 403);
  accounts.bob.groups = ["accounting"];
  assert.deepEqual((await signIn("bob")).me.roles, ["finance", "viewer"]);
});

test("a new key is taken up, and keys are not asked for with each sign-in", async () => {
  const old = key("old", "RS256");
  const fresh = key("fresh", "RS256");
  server.use([old], "RS256", redirect);
  await gateway.until("the old key", 60_000, async () => (await signIn("ada")).me.status === 200);
  const before = server.keyFetches;
  for (let i = 0; i < 5; ++i) assert.equal((await signIn("ada")).me.status, 200);
  assert.equal(server.keyFetches, before);
  // Announced first, then used, then alone.
  server.use([fresh, old], "RS256", redirect);
  await gateway.until("the new key", 60_000, async () => (await signIn("ada")).me.status === 200);
  server.use([fresh], "RS256", redirect);
  assert.equal((await signIn("ada")).me.status, 200);
});

test("an answer serves one browser, once", async () => {
  server.account = "ada";
  const browser = new Browser();
  let { location } = await browser.visit(`${gateway.adminUrl}/api/v1/oidc/start`,
    { follow: false });
  let callback = "";
  while (callback === "") {
    const next = await browser.visit(location, { follow: false });
    const to = new URL(next.location, location).href;
    if (to.startsWith(redirect)) callback = to;
    else location = to;
  }
  // Another browser, that is without the cookie; then a changed state; then the right one, twice.
  assert.equal((await new Browser().visit(callback)).status, 403);
  assert.equal((await browser.visit(callback.replace("state=", "state=x"))).status, 403);
  assert.equal((await browser.visit(callback, { follow: false })).status, 303);
  assert.equal((await browser.visit(callback)).status, 403);
  assert.equal((await browser.get(`${gateway.adminUrl}/api/v1/me`)).status, 200);
});

test("it comes back to pages of the console only", async () => {
  for (const elsewhere of ["https://evil.example/", "//evil.example/", "/\\evil.example", "",
    "javascript:alert(1)", "/a\r\nset-cookie: a=b"]) {
    const { end } = await signIn("ada", elsewhere);
    assert.equal(end.url, `${gateway.adminUrl}/`, elsewhere);
  }
});

test("sign-ins are in the audit log, and no secret is in Weir's own", async () => {
  const { browser } = await signIn("ada");
  const audit = await gateway.admin("/api/v1/audit?actor=ada&limit=1");
  assert.equal(audit.records[0].action, "GET /api/v1/oidc/callback");
  const session = browser.cookies(gateway.adminUrl).get("weir_session");
  assert.ok(session.length > 30);
  for (const secret of [session, "a-secret-of-the-client"]) {
    assert.ok(!gateway.log().includes(secret));
  }
});
