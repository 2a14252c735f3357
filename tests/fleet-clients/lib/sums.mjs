// What one client saw, summed by second and endpoint, and sent to the fleet as its samples. Keeps
// the counts for the test to look at, too.
export class Sums {
  constructor(fleet, reporter, service) {
    Object.assign(this, { fleet, reporter, service, open: new Map(), recent: [], failed: 0 });
    this.timer = setInterval(() => this.send(), 250);
  }

  // `ok`: answered well; `ms`: how long it took.
  note(endpoint, ok, ms) {
    const second = Math.floor(Date.now() / 1000);
    this.recent.push({ at: Date.now(), endpoint, ok });
    if (!ok) ++this.failed;
    this.add(second, endpoint, 1, ok ? 0 : 1, ok ? 256 * Math.log(Math.max(1, ms * 1000)) : 0);
  }

  add(second, endpoint, requests, errors, lnLatency) {
    if (endpoint === undefined) return;
    if (!this.open.has(second)) this.open.set(second, new Map());
    const cells = this.open.get(second);
    const cell = cells.get(endpoint) ?? { requests: 0, errors: 0, ln: 0 };
    cell.requests += requests;
    cell.errors += errors;
    cell.ln += lnLatency;
    cells.set(endpoint, cell);
  }

  // The seconds that are over.
  async send() {
    const now = Math.floor(Date.now() / 1000);
    for (const [second, cells] of this.open) {
      if (second >= now) continue;
      this.open.delete(second);
      const samples = [...cells].map(([endpoint, cell]) => ({ service: this.service, endpoint,
        second, requests: cell.requests, errors: cell.errors, ln_latency: Math.round(cell.ln) }));
      await this.fleet.call("POST", "/v1/fleet/samples", { reporter: this.reporter, samples })
        .catch((error) => { this.trouble = error; });
    }
    const kept = Date.now() - 30_000;
    while (this.recent.length > 0 && this.recent[0].at < kept) this.recent.shift();
  }

  // The share of an endpoint in what was answered in the last `ms`.
  share(endpoint, ms) {
    const seen = this.recent.filter((one) =>
      one.at > Date.now() - ms && one.endpoint !== undefined);
    return seen.filter((one) => one.endpoint === endpoint).length / Math.max(1, seen.length);
  }

  count(ms) {
    return this.recent.filter((one) => one.at > Date.now() - ms).length;
  }

  stop() {
    clearInterval(this.timer);
  }
}
