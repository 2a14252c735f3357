// The provider behind every account: answers the calls of a cell one behind the other as it was
// told to, and keeps what it was asked. The system prompt names the cell, through every API.
import { createServer } from "node:http";
import { createServer as createHttp2Server } from "node:http2";

import { pieces } from "../../lib/pieces.mjs";

const marker = /cell-(\d+)\./;

export class Upstream {
  surprises = [];
  plans = [];

  // With `http2` it speaks that and nothing else, from a connection's first byte.
  static async start({ http2 = false } = {}) {
    const upstream = new Upstream();
    const listener = (request, response) => {
      upstream.serve(request, response).catch((error) => {
        upstream.surprises.push(`${request.method} ${request.url}: ${error.message}`);
        response.destroy();
      });
    };
    upstream.server = http2 ? createHttp2Server(listener)
      : createServer({ noDelay: true }, listener);
    await new Promise((resolve) => upstream.server.listen(0, "127.0.0.1", resolve));
    upstream.url = `http://127.0.0.1:${upstream.server.address().port}`;
    return upstream;
  }

  // `replies`: { status, headers, type, bytes, hang } for each call. With `hang` the answer stays
  // open behind its bytes (its head too waits where there are none) until the caller hangs up.
  // `arrived` and `closed` resolve when a call has come, and when its caller has hung up on it.
  plan(replies) {
    const plan = { replies, requests: [], mark: `cell-${this.plans.length}.` };
    plan.arrived = new Promise((resolve) => { plan.tellArrived = resolve; });
    plan.closed = new Promise((resolve) => { plan.tellClosed = resolve; });
    this.plans.push(plan);
    return plan;
  }

  async serve(request, response) {
    const body = Buffer.concat(await request.toArray()).toString();
    const plan = this.plans[Number(marker.exec(body)?.[1])];
    if (!plan) throw new Error(`no plan for ${body.slice(0, 200)}`);
    const reply = plan.replies[plan.requests.length];
    const { method, url, headers } = request;
    plan.requests.push({ method, url, headers: { host: headers[":authority"], ...headers }, body });
    if (!reply) throw new Error(`call ${plan.requests.length} of ${plan.mark} is one too many`);
    response.once("close", () => {
      if (!response.writableEnded) plan.tellClosed();
    });
    plan.tellArrived();
    if (reply.hang && reply.bytes.length === 0) return;
    response.writeHead(reply.status ?? 200, { "content-type": reply.type, ...reply.headers });
    for (const piece of pieces(reply.bytes, "odd", this.plans.length)) {
      await new Promise((resolve) => response.write(piece, resolve));
    }
    if (!reply.hang) response.end();
  }

  stop() {
    this.server.closeAllConnections?.();
    return new Promise((resolve) => this.server.close(resolve));
  }
}
