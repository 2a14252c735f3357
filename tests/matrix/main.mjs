// Every cell of the matrix through one gateway, and the table of docs/dialects.md. See README.md.
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

const checks = new Checks(filters);
const upstream = await Upstream.start();
const gateway = await Gateway.start(upstream, { configuration: configuration(), key: clientKey });
const world = { upstream, gateway };
const kinds = { error: failures, abort };
for (const cell of cells) {
  checks.add(cell.name, () => (kinds[cell.feature] ?? exchange)(world, cell));
}
await checks.runAll(gateway);
if (filters.length === 0) {
  const passed = new Map(cells.map((cell) =>
    [cell, checks.list.find(({ name }) => name === cell.name).error === undefined]));
  checks.report("docs/dialects.md has the table of this run", compareTable(passed, write));
}
process.exit(await checks.close(gateway, upstream) ? 0 : 1);
