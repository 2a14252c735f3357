// The list of checks and how they are run: several at once, each with a name; then those parts that
// need the ledger, when all rows are there. Prints what failed or was skipped, and the totals in
// the form that `./dev test` adds up.
import { inspect } from "node:util";

const atOnce = 16;

export class Checks {
  // `suffix`: behind each name, where a list is run in several ways.
  constructor(filters, suffix = "") {
    this.filters = filters;
    this.suffix = suffix;
    this.list = [];
    this.skipped = [];
    this.failed = 0;
    this.passed = 0;
  }

  // `run` may return { id, verify(row) } or a list of such: what the ledger must say of a request.
  add(title, run) {
    const name = title + this.suffix;
    if (this.filters.length > 0 && !this.filters.some((text) => name.includes(text))) return;
    this.list.push({ name, run });
  }

  skip(name, reason) {
    this.skipped.push({ name, reason });
  }

  async runAll(gateway) {
    const waiting = [...this.list];
    const worker = async () => {
      for (let check = waiting.shift(); check; check = waiting.shift()) {
        try {
          check.rows = [await check.run()].flat().filter(Boolean);
        } catch (error) {
          check.error = error;
        }
      }
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
    const expected = this.list.flatMap((check) => check.rows ?? []);
    const rows = await gateway.rows(expected.map(({ id }) => id));
    for (const check of this.list) {
      try {
        for (const { id, verify } of check.rows ?? []) {
          if (!rows.has(id)) throw new Error(`the ledger has no row ${id}`);
          verify(rows.get(id));
        }
      } catch (error) {
        check.error ??= error;
      }
      this.report(check.name, check.error);
    }
  }

  report(name, error) {
    if (error === undefined) {
      ++this.passed;
      if (process.env.WEIR_TEST_VERBOSE) console.log(`ok ${name}`);
      return;
    }
    ++this.failed;
    const text = error instanceof Error ? error.stack : inspect(error);
    const lines = text.split("\n").filter((line) => !/^\s+at .*(node:|node_modules)/.test(line));
    console.log(`FAILED ${name}\n${lines.slice(0, 40).join("\n").replace(/^/gm, "    ")}`);
  }

  // Ends both and checks how they ended.
  async end(gateway, upstream) {
    const log = gateway.log();
    const code = await gateway.stop();
    this.report(`weir ends cleanly${this.suffix}`,
      code === 0 ? undefined : `${code}\n${log.slice(-4000)}`);
    const told = log.split("\n").filter((line) => /"level":"error"/.test(line));
    this.report(`the log tells no error of Weir's own${this.suffix}`,
      told.length ? told.join("\n") : undefined);
    this.report(`the upstream understood every request${this.suffix}`,
      upstream.surprises.length ? upstream.surprises.join("\n") : undefined);
    await upstream.stop();
    gateway.remove();
  }

  // Prints the last line; true where nothing failed.
  static verdict(lists) {
    const skipped = lists.flatMap((list) => list.skipped);
    for (const { name, reason } of skipped) console.log(`skipped ${name}: ${reason}`);
    const sum = (member) => lists.reduce((total, list) => total + list[member], 0);
    console.log(`${sum("passed")} passed, ${sum("failed")} failed, ${skipped.length} skipped`);
    return sum("failed") === 0;
  }
}
