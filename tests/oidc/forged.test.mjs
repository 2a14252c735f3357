// A scripted provider whose answers are each wrong in one way: nobody is signed in by any.
import assert from "node:assert/strict";
import { createHmac, generateKeyPairSync, sign } from "node:crypto";
import { createServer } from "node:http";
import { after, before, test } from "node:test";

import { Gateway } from "../lib/gateway.mjs";
import { Browser, configuration } from "./browser.mjs";

const pair = generateKeyPairSync("rsa", { modulusLength: 2048 });
const other = generateKeyPairSync("rsa", { modulusLength: 2048 });
const jwk = { ...pair.publicKey.export({ format: "jwk" }), kid: "k1", use: "sig", alg: "RS256" };
const pem = pair.publicKey.export({ format: "pem", type: "spki" });

const encode = (value) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value))
  .toString("base64url");

function token(header, claims, signer = (text) => sign("sha256", text, pair.privateKey)) {
  const text = `${encode(header)}.${encode(claims)}`;
  return `${text}.${signer(Buffer.from(text)).toString("base64url")}`;
}

const world = { asked: [] };
const http = createServer((request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    const url = new URL(request.url, world.issuer);
    world.asked.push({ path: url.pathname, headers: request.headers,
      body: new URLSearchParams(Buffer.concat(chunks).toString()) });
    const send = (status, body) => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify(body));
    };
    if (url.pathname === "/.well-known/openid-configuration") {
      return send(200, { issuer: world.issuer, authorization_endpoint: `${world.issuer}/authorize`,
        token_endpoint: `${world.issuer}/token`, jwks_uri: `${world.issuer}/keys` });
    }
    if (url.pathname === "/keys") return send(200, { keys: [jwk] });
    return world.token(send);
  });
});

let gateway;
before(async () => {
  await new Promise((resolve) => { http.listen(0, "127.0.0.1", resolve); });
  world.issuer = `http://127.0.0.1:${http.address().port}`;
  gateway = await Gateway.start({ url: "http://127.0.0.1:9/v1", privateKey: "" },
    { configuration: configuration(world.issuer), key: "" });
});
after(async () => {
  await gateway?.stop();
  http.closeAllConnections();
  http.close();
});

// Begins, and comes back with a code; `make` gives the token from the claims that would be right.
async function comeBack(make, query = "") {
  const browser = new Browser();
  const start = await browser.visit(`${gateway.adminUrl}/api/v1/oidc/start`, { follow: false });
  const asked = new URL(start.location).searchParams;
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: world.issuer, aud: "weir", sub: "s-1", iat: now, exp: now + 300,
    nonce: asked.get("nonce"), groups: ["weir-admins"], preferred_username: "ada" };
  world.token = (send) => {
    const made = make(claims);
    made.status === undefined ? send(200, { id_token: made, access_token: "a" })
      : send(made.status, made.body);
  };
  const end = await browser.visit(`${gateway.adminUrl}/api/v1/oidc/callback?code=c&state=${
    asked.get("state")}${query}`, { follow: false });
  const signedIn = browser.cookies(gateway.adminUrl).has("weir_session");
  return { status: end.status, signedIn, asked };
}

const header = { alg: "RS256", kid: "k1" };

test("what is right signs in, and the code is redeemed with its verifier", async () => {
  const { status, signedIn, asked } = await comeBack((claims) => token(header, claims));
  assert.deepEqual({ status, signedIn }, { status: 303, signedIn: true });
  assert.equal(asked.get("code_challenge_method"), "S256");
  const redeemed = world.asked.findLast((one) => one.path === "/token");
  const { createHash } = await import("node:crypto");
  assert.equal(createHash("sha256").update(redeemed.body.get("code_verifier")).digest("base64url"),
    asked.get("code_challenge"));
  assert.equal(redeemed.headers.authorization,
    `Basic ${Buffer.from("weir:a-secret-of-the-client").toString("base64")}`);
});

const forgeries = {
  "no signature": (claims) => token({ alg: "none" }, claims, () => Buffer.alloc(0)),
  "the public key as a shared secret": (claims) => token({ alg: "HS256", kid: "k1" }, claims,
    (text) => createHmac("sha256", pem).update(text).digest()),
  "another's key": (claims) => token(header, claims, (text) =>
    sign("sha256", text, other.privateKey)),
  "a key of its own": (claims) => token({ alg: "RS256",
    jwk: other.publicKey.export({ format: "jwk" }) }, claims, (text) =>
    sign("sha256", text, other.privateKey)),
  "a key that is not published": (claims) => token({ alg: "RS256", kid: "k2" }, claims),
  "another issuer": (claims) => token(header, { ...claims, iss: "https://evil.example" }),
  "another audience": (claims) => token(header, { ...claims, aud: "somebody" }),
  "an old one": (claims) => token(header, { ...claims, exp: claims.iat - 3600 }),
  "one of tomorrow": (claims) => token(header, { ...claims, iat: claims.iat + 86_400 }),
  "another sign-in's nonce": (claims) => token(header, { ...claims, nonce: "n" }),
  "no nonce": (claims) => token(header, { ...claims, nonce: undefined }),
  "a claim twice": (claims) => token(header,
    JSON.stringify(claims).replace("{", `{"sub":"root",`)),
  "no group": (claims) => token(header, { ...claims, groups: [] }),
  "groups that are none": (claims) => token(header, { ...claims, groups: { "weir-admins": 1 } }),
  "a refusal": () => ({ status: 400, body: { error: "invalid_grant" } }),
  "no token": () => ({ status: 200, body: { access_token: "a" } }),
  "no JSON object": () => ({ status: 200, body: 7 }),
};
for (const [name, make] of Object.entries(forgeries)) {
  test(`refused: ${name}`, async () => {
    const { status, signedIn } = await comeBack(make);
    assert.deepEqual({ status, signedIn }, { status: 403, signedIn: false });
  });
}

test("refused: an answer that another issuer gave", async () => {
  const { status, signedIn } = await comeBack((claims) => token(header, claims),
    "&iss=https%3A%2F%2Fevil.example");
  assert.deepEqual({ status, signedIn }, { status: 403, signedIn: false });
});

test("forgeries do not make Weir ask for keys each time", async () => {
  const before = world.asked.filter((one) => one.path === "/keys").length;
  for (let i = 0; i < 20; ++i) {
    const header = { alg: "RS256", kid: `other-${i}` };
    const { status } = await comeBack((claims) => token(header, claims));
    assert.equal(status, 403);
  }
  assert.ok(world.asked.filter((one) => one.path === "/keys").length - before <= 3);
});
