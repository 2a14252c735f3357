// The provider behind every account: serves recorded bytes for the call that asks for them, and
// keeps what it was asked. A call names its plan in its prompt ("replay-17"), which reaches the
// upstream through every API; so calls may run at once.
import { createVerify, generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";

export const googleToken = "google-access-token";
export const entraToken = "entra-access-token";

export class Upstream {
  static async start() {
    const upstream = new Upstream();
    upstream.plans = new Map();
    upstream.surprises = [];
    const { privateKey, publicKey } = generateKeyPairSync("rsa", {
      modulusLength: 2048,
      publicKeyEncoding: { type: "spki", format: "pem" },
      privateKeyEncoding: { type: "pkcs8", format: "pem" },
    });
    Object.assign(upstream, { privateKey, publicKey });
    upstream.server = createServer({ noDelay: true }, (request, response) => {
      upstream.answer(request, response).catch((error) => {
        upstream.surprises.push(`${request.method} ${request.url}: ${error.message}`);
        response.destroy();
      });
    });
    await new Promise((resolve) => upstream.server.listen(0, "127.0.0.1", resolve));
    upstream.url = `http://127.0.0.1:${upstream.server.address().port}`;
    return upstream;
  }

  // How to answer the next call that carries the prompt: { status, type, pieces, end }. `end` is
  // "orderly" (as HTTP has it), "cut" (closed without HTTP's own end) or "reset".
  plan(answer) {
    const plan = { status: 200, end: "orderly", requests: [], ...answer };
    plan.id = this.plans.size + 1;
    plan.prompt = `Answer from the recording. replay-${plan.id}.`;
    this.plans.set(plan.id, plan);
    return plan;
  }

  async answer(request, response) {
    const body = Buffer.concat(await request.toArray());
    if (request.url === "/token") return this.giveGoogleToken(body.toString(), response);
    if (/^\/tenant-1\/oauth2\/v2\.0\/token$/.test(request.url)) {
      return this.giveToken(response, entraToken, body.includes("client_secret=sk-up-entra"));
    }
    const id = /replay-(\d+)\./.exec(body.toString())?.[1];
    const plan = this.plans.get(Number(id));
    if (!plan) throw new Error(`no plan for ${body.toString().slice(0, 200)}`);
    const { method, url, headers } = request;
    plan.requests.push({ method, url, headers, body: body.toString() });
    response.writeHead(plan.status, { "content-type": plan.type, ...plan.headers });
    response.flushHeaders();
    for (const piece of plan.pieces) {
      await new Promise((resolve) => response.write(piece, resolve));
    }
    const { socket } = response;
    if (plan.end === "orderly") response.end();
    else if (plan.end === "reset") socket.resetAndDestroy();
    else socket.end();
  }

  giveToken(response, token, known) {
    response.writeHead(known ? 200 : 401, { "content-type": "application/json" });
    response.end(JSON.stringify(
      known ? { access_token: token, expires_in: 3600, token_type: "Bearer" }
        : { error: "invalid_grant" }));
  }

  // A JWT that the service account's key has signed, for an hour at most, for this address.
  giveGoogleToken(body, response) {
    const form = new URLSearchParams(body);
    const [head, claims, signature] = (form.get("assertion") ?? "").split(".");
    const verify = createVerify("RSA-SHA256").update(`${head}.${claims}`);
    const said = JSON.parse(Buffer.from(claims ?? "", "base64url").toString() || "{}");
    const good = form.get("grant_type") === "urn:ietf:params:oauth:grant-type:jwt-bearer" &&
      verify.verify(this.publicKey, signature ?? "", "base64url") &&
      said.iss === "weir@acme.example" && said.aud === `${this.url}/token` &&
      said.exp - said.iat <= 3600;
    this.giveToken(response, googleToken, good);
  }

  stop() {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(resolve));
  }
}
