// Every cell of the matrix through one gateway, and the table of docs/dialects.md; then once more
// with providers that speak HTTP/2. See README.md.
import { Checks } from "../lib/checks.mjs";
import { Gateway } from "../lib/gateway.mjs";
import { exchange } from "./lib/exchange.mjs";
import { abort, failures } from "./lib/failures.mjs";
import { compareTable } from "./lib/table.mjs";
import { Upstream } from "./lib/upstream.mjs";
import { cells, clientKey, configuration } from "./lib/world.mjs";

const args = process.argv.slice(2);
const write = args.includes("--write");
const filters = args.filter((arg) => arg !== "--write");
const kinds = { error: failures, abort };

async function run({ http2 }) {
  const checks = new Checks(filters, http2 ? ", HTTP/2" : "");
  const upstream = await Upstream.start({ http2 });
  const gateway = await Gateway.start(upstream,
    { configuration: configuration({ http2 }), key: clientKey });
  const world = { upstream, gateway };
  for (const cell of cells) {
    checks.add(cell.name, () => (kinds[cell.feature] ?? exchange)(world, cell));
  }
  await checks.runAll(gateway);
  if (filters.length === 0 && !http2) {
    const passed = new Map(cells.map((cell) =>
      [cell, checks.list.find(({ name }) => name === cell.name).error === undefined]));
    checks.report("docs/dialects.md has the table of this run", compareTable(passed, write));
  }
  await checks.end(gateway, upstream);
  return checks;
}

const lists = [await run({ http2: false }), await run({ http2: true })];
process.exit(Checks.verdict(lists) ? 0 : 1);
