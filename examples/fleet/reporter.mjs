// A reporter for Weir's fleet in Node.js, without dependencies: it sums what a process sees of its
// endpoints second by second and sends the sums as a binary batch. A request costs a few additions;
// nothing here ever waits for the fleet, and what finds no room is dropped and counted.
//
//   import { Reporter } from "./reporter.mjs";
//   const reporter = new Reporter({ url: "http://weir:8095", service: "search", name: "web-7" });
//   const call = reporter.begin("a-1");        // a request goes out to endpoint "a-1"
//   ... call.end({ error: status >= 500 });    // and came back
//   await reporter.close();
//
// The wire format is described in docs/fleet.md.

const FIELDS = ["requests", "lnLatency", "errors", "inflight", "utilization", "throttled",
  "unreachable", "callerFaults", "streams", "lnTtft"];
const LN_MOST = 24 * 256;
const ENDPOINTS_MOST = 10_000; // of one reporter
const SECONDS_MOST = 5;        // kept while the fleet does not answer
const RESOLVE_EVERY_MS = 60_000;

// ln of a duration in 1/256, as samples count it.
function lnUnits(ms) {
  const us = ms * 1000;
  return us > 1 ? Math.min(LN_MOST, Math.round(Math.log(us) * 256)) : 0;
}

class Call {
  constructor(reporter, endpoint, state) {
    this.reporter = reporter;
    this.endpoint = endpoint;
    this.state = state;
    this.started = performance.now();
    this.ended = false;
  }

  // `error`: 5xx, time-out, reset; `unreachable`: not even a connection; `throttled`: 429;
  // `callerFault`: another 4xx; `firstTokenMs` for a streamed answer.
  end({ error = false, unreachable = false, throttled = false, callerFault = false,
    firstTokenMs } = {}) {
    if (this.ended) return;
    this.ended = true;
    this.state.inflight -= 1;
    const sums = this.reporter.sums(this.endpoint);
    if (sums === null) return;
    if (throttled) sums.throttled += 1;
    else if (callerFault) sums.callerFaults += 1;
    else {
      sums.requests += 1;
      if (error || unreachable) {
        sums.errors += 1;
        if (unreachable) sums.unreachable += 1;
      } else {
        sums.lnLatency += lnUnits(performance.now() - this.started);
        if (firstTokenMs !== undefined) {
          sums.streams += 1;
          sums.lnTtft += lnUnits(firstTokenMs);
        }
      }
    }
  }
}

export class Reporter {
  constructor({ url, service, name, token, now = Date.now, fetch = globalThis.fetch }) {
    Object.assign(this, { url, service, name, token, now, fetch });
    this.endpoints = new Map(); // name -> {inflight, number, tag}
    this.seconds = new Map();   // second -> Map(endpoint -> sums)
    this.resolved = null;       // {reporter, numbersId, at}
    this.counters = { sent: 0, refused: 0, dropped: 0, failures: 0, batches: 0 };
    this.sending = null;
    this.timer = setInterval(() => this.flush(), 1000);
    this.timer.unref();
  }

  begin(endpoint) {
    let state = this.endpoints.get(endpoint);
    if (state === undefined) {
      state = { inflight: 0 };
      if (this.endpoints.size < ENDPOINTS_MOST) this.endpoints.set(endpoint, state);
    }
    state.inflight += 1;
    const sums = this.sums(endpoint);
    if (sums !== null) sums.inflight = Math.max(sums.inflight, Math.min(state.inflight, 0xffff));
    return new Call(this, endpoint, state);
  }

  // The sums of the running second; null where there is no room.
  sums(endpoint) {
    const second = Math.floor(this.now() / 1000);
    let all = this.seconds.get(second);
    if (all === undefined) {
      all = new Map();
      this.seconds.set(second, all);
      while (this.seconds.size > SECONDS_MOST) {
        const [oldest] = this.seconds.keys();
        this.counters.dropped += this.seconds.get(oldest).size;
        this.seconds.delete(oldest);
      }
    }
    let sums = all.get(endpoint);
    if (sums === undefined) {
      if (all.size >= ENDPOINTS_MOST) {
        this.counters.dropped += 1;
        return null;
      }
      sums = Object.fromEntries(FIELDS.map((field) => [field, 0]));
      sums.utilization = 255; // unknown
      all.set(endpoint, sums);
    }
    return sums;
  }

  // Sends the seconds that are over. One batch at a time.
  flush(all = false) {
    this.sending ??= this.sendOver(all).catch(() => { this.counters.failures += 1; })
      .finally(() => { this.sending = null; });
    return this.sending;
  }

  async sendOver(all) {
    const running = Math.floor(this.now() / 1000);
    const over = [...this.seconds.keys()].filter((second) => all || second < running);
    if (over.length === 0) return;
    await this.resolve();
    const { bytes, count, unnamed } = this.encode(over);
    const answer = count === 0 ? null : await this.post("/v1/fleet/samples", bytes,
      "application/vnd.weir.samples");
    if (answer?.status === 409) { // another fleet, or one that lost its state
      this.resolved = null;
      return;
    }
    if (answer !== null && answer.status !== 200) throw new Error(`status ${answer.status}`);
    for (const second of over) this.seconds.delete(second);
    this.counters.dropped += unnamed;
    if (answer === null) return;
    this.counters.batches += 1;
    this.counters.sent += answer.body.accepted;
    this.counters.refused += count - answer.body.accepted;
    if (answer.body.refused.unknown_endpoint) this.resolved = null;
  }

  // The handshake: names to numbers, anew when one is missing or after a while.
  async resolve() {
    const missing = [...this.endpoints.values()].some((state) => state.number === undefined);
    const age = this.now() - (this.resolved?.at ?? 0);
    if (this.resolved && age < (missing ? 1000 : RESOLVE_EVERY_MS)) return;
    const body = JSON.stringify({ reporter: this.name, service: this.service,
      endpoints: [...this.endpoints.keys()] });
    const answer = await this.post("/v1/fleet/resolve", body, "application/json");
    if (answer.status !== 200) throw new Error(`status ${answer.status}`);
    for (const [name, state] of this.endpoints) {
      [state.number, state.tag] = answer.body.endpoints[name] ?? [];
    }
    this.resolved = { reporter: answer.body.reporter, at: this.now(),
      numbersId: BigInt(`0x${answer.body.numbers_id}`) };
  }

  encode(seconds) {
    const base = Math.min(...seconds);
    const out = [];
    const varint = (value) => {
      for (; value >= 0x80; value = Math.floor(value / 128)) out.push((value % 128) | 0x80);
      out.push(value);
    };
    let count = 0;
    let unnamed = 0;
    for (const second of seconds) {
      for (const [endpoint, sums] of this.seconds.get(second)) {
        const state = this.endpoints.get(endpoint);
        if (state?.number === undefined) {
          unnamed += 1;
          continue;
        }
        varint(state.number);
        out.push(state.tag, second - base);
        let mask = 0;
        FIELDS.forEach((field, bit) => {
          if (sums[field] !== (field === "utilization" ? 255 : 0)) mask |= 1 << bit;
        });
        varint(mask);
        FIELDS.forEach((field, bit) => { if (mask & (1 << bit)) varint(sums[field]); });
        count += 1;
      }
    }
    const head = Buffer.alloc(24);
    head.write("WFB1");
    head.writeUInt32LE(this.resolved.reporter, 4);
    head.writeBigUInt64LE(this.resolved.numbersId, 8);
    head.writeUInt32LE(base, 16);
    head.writeUInt32LE(count, 20);
    return { bytes: Buffer.concat([head, Buffer.from(out)]), count, unnamed };
  }

  async post(path, body, type) {
    const headers = { "content-type": type };
    if (this.token) headers.authorization = `Bearer ${this.token}`;
    const response = await this.fetch(this.url + path,
      { method: "POST", headers, body, signal: AbortSignal.timeout(2000) });
    const text = await response.text();
    return { status: response.status, body: response.ok ? JSON.parse(text) : text };
  }

  // Sends what is left, the running second included.
  async close() {
    clearInterval(this.timer);
    await this.sending;
    await this.flush(true);
  }
}
