// Replays every recording through one gateway: relayed in its own dialect, translated for the
// clients of the others, and broken off. See README.md.
import { Checks } from "../lib/checks.mjs";
import { Gateway } from "../lib/gateway.mjs";
import { clientKey, configuration } from "./lib/accounts.mjs";
import { load, sharedFolder } from "./lib/recordings.mjs";
import { Upstream } from "./lib/upstream.mjs";
import { addCuts } from "./parts/cut.mjs";
import { addRelay } from "./parts/relay.mjs";
import { addTranslate } from "./parts/translate.mjs";

// An SDK warns of what a recording holds; that is no finding.
console.warn = () => {};

const checks = new Checks(process.argv.slice(2));
const { recordings, skipped, absent } = load();
if (absent) checks.skip("the recordings of shared/", `${sharedFolder} is absent`);
for (const { name, reason } of skipped) checks.skip(name, reason);

const upstream = await Upstream.start();
const gateway = await Gateway.start(upstream,
  { configuration: configuration(), key: clientKey });
const world = { upstream, gateway };
addRelay(checks, world, recordings);
addTranslate(checks, world, recordings);
addCuts(checks, world, recordings);
await checks.runAll(gateway);

process.exit(await checks.close(gateway, upstream) ? 0 : 1);
