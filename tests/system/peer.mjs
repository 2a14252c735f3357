// The independent other side of the HTTP/2 tests: Node.js' own http2, as a client or as a provider.
// Each role prints one line of JSON and ends, or serves until its input does.
import http2 from "node:http2";
import https from "node:https";
import { readFileSync } from "node:fs";

const [role, ...words] = process.argv.slice(2);
const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

// client URL CA-FILE|- KEY COUNT BYTES: that many streams at once on one connection.
async function client(url, ca, key, count, bytes) {
  const session = http2.connect(url, {
    ca: ca === "-" ? undefined : readFileSync(ca),
    maxSessionMemory: 1000,
  });
  const one = (index) => new Promise((resolve) => {
    const request = session.request({
      ":method": "POST", ":path": "/v1/chat/completions",
      authorization: `Bearer ${key}`, "content-type": "application/json",
    });
    const answer = { status: 0, body: "", code: 0 };
    request.setEncoding("utf8");
    request.on("response", (head) => { answer.status = head[":status"]; });
    request.on("data", (piece) => { answer.body += piece; });
    request.on("error", (problem) => { answer.problem = problem.code; });
    request.on("close", () => { resolve({ ...answer, code: request.rstCode }); });
    request.end(JSON.stringify({
      model: "quick", stream: index % 2 === 1,
      messages: [{ role: "user", content: "x".repeat(Number(bytes)) }],
    }));
  });
  const numbers = Array.from({ length: Number(count) }, (_, index) => index);
  const answers = await Promise.all(numbers.map(one));
  session.close();
  say({ protocol: session.alpnProtocol, answers });
}

// reset URL KEY COUNT: requests that are given up at once, over and over (CVE-2023-44487).
async function reset(url, key, count) {
  const session = http2.connect(url);
  let goaway = null;
  let closed = false;
  session.on("goaway", (code) => { goaway = code; });
  session.on("error", () => {});
  session.on("close", () => { closed = true; });
  await new Promise((resolve) => { session.on("connect", resolve); });
  for (let i = 0; i < Number(count) && !closed && !session.destroyed; i += 1) {
    const request = session.request({
      ":method": "POST", ":path": "/v1/chat/completions", authorization: `Bearer ${key}`,
    });
    request.on("error", () => {});
    request.write("{");
    request.close(http2.constants.NGHTTP2_CANCEL);
    if (i % 10 === 9) await new Promise((resolve) => { setImmediate(resolve); });
  }
  await new Promise((resolve) => {
    if (session.destroyed) resolve();
    session.on("close", resolve);
  });
  say({ goaway });
}

// provider CERTIFICATE|- KEY|- MODE: answers chat completions; the mode decides how.
function provider(certificate, key, mode) {
  const files = certificate === "-"
    ? {}
    : { cert: readFileSync(certificate), key: readFileSync(key) };
  let server;
  if (mode === "http1") server = https.createServer({ ...files, ALPNProtocols: ["http/1.1"] });
  else if (certificate === "-") server = http2.createServer();
  else server = http2.createSecureServer(files);
  let connections = 0;
  server.on(certificate === "-" ? "connection" : "secureConnection", () => { connections += 1; });
  const seen = new Map();
  server.on("session", (session) => { seen.set(session, 0); });
  server.on("request", (request, response) => {
    const session = request.stream?.session;
    const number = (seen.get(session) ?? 0) + 1;
    if (session) seen.set(session, number);
    let body = "";
    request.setEncoding("utf8");
    request.on("data", (piece) => { body += piece; });
    request.on("end", () => {
      if (mode === "refuse" && number === 1) {
        request.stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
        return;
      }
      const asked = JSON.parse(body);
      const version = `HTTP/${request.httpVersion} ${connections}`;
      const message = { role: "assistant", content: version };
      const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 };
      const base = { id: "c", created: 1, model: asked.model };
      if (!asked.stream) {
        response.setHeader("content-type", "application/json");
        response.end(JSON.stringify({
          ...base, object: "chat.completion", usage,
          choices: [{ index: 0, message, finish_reason: "stop" }],
        }));
        return;
      }
      response.setHeader("content-type", "text/event-stream");
      const chunk = (delta, finish_reason, more = {}) => response.write(`data: ${JSON.stringify({
        ...base, object: "chat.completion.chunk", choices: [{ index: 0, delta, finish_reason }],
        ...more,
      })}\n\n`);
      chunk(message, null);
      if (mode === "cut") {
        setTimeout(() => request.stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR), 50);
        return;
      }
      chunk({}, "stop");
      response.write(`data: ${JSON.stringify({
        ...base, object: "chat.completion.chunk", choices: [], usage,
      })}\n\n`);
      response.end("data: [DONE]\n\n");
      if (mode === "goaway") session.close();
    });
  });
  server.listen(0, "127.0.0.1", () => say({ port: server.address().port }));
  process.stdin.on("end", () => process.exit(0)).resume();
}

await ({ client, reset, provider })[role](...words);
