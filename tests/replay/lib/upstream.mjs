// The provider behind every account: serves recorded bytes for the call that asks for them, and
// keeps what it was asked. A call names its plan in its prompt ("replay-17"), which reaches the
// upstream through every API; so calls may run at once.
import { createVerify, generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import { createServer as createHttp2Server } from "node:http2";

export const googleToken = "google-access-token";
export const entraToken = "entra-access-token";

export class Upstream {
  // With `http2` its models are at a server that speaks that and nothing else, from a connection's
  // first byte. HTTP/1.1 is at `plainUrl` in any case: for tokens, and SDKs without Weir.
  static async start({ http2 = false } = {}) {
    const upstream = new Upstream();
    upstream.plans = new Map();
    upstream.surprises = [];
    upstream.servers = [];
    const { privateKey, publicKey } = generateKeyPairSync("rsa", {
      modulusLength: 2048,
      publicKeyEncoding: { type: "spki", format: "pem" },
      privateKeyEncoding: { type: "pkcs8", format: "pem" },
    });
    Object.assign(upstream, { privateKey, publicKey });
    const listener = (request, response) => {
      upstream.answer(request, response).catch((error) => {
        upstream.surprises.push(`${request.method} ${request.url}: ${error.message}`);
        response.destroy();
      });
    };
    const listen = async (server) => {
      await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
      upstream.servers.push(server);
      return `http://127.0.0.1:${server.address().port}`;
    };
    upstream.plainUrl = await listen(createServer({ noDelay: true }, listener));
    upstream.url = http2 ? await listen(createHttp2Server(listener)) : upstream.plainUrl;
    return upstream;
  }

  // How to answer the next call that carries the prompt: { status, type, pieces, end }. `end` is
  // "orderly" (as HTTP has it), "cut" (closed without HTTP's own end) or "reset". The last two
  // are not for HTTP/2: Node.js 20 itself aborts where it resets a stream that was written to.
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
    plan.requests.push({ method, url, headers: { host: headers[":authority"], ...headers },
      body: body.toString() });
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
      said.iss === "weir@acme.example" && said.aud === `${this.plainUrl}/token` &&
      said.exp - said.iat <= 3600;
    this.giveToken(response, googleToken, good);
  }

  stop() {
    return Promise.all(this.servers.map((server) => {
      server.closeAllConnections?.();
      return new Promise((resolve) => server.close(resolve));
    }));
  }
}
