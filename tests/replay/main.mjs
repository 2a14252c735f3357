// Replays every recording through one gateway: relayed in its own dialect, translated for the
// clients of the others, and broken off. See README.md.
import { Checks } from "./lib/checks.mjs";
import { Gateway } from "./lib/gateway.mjs";
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
const gateway = await Gateway.start(upstream);
const world = { upstream, gateway };
addRelay(checks, world, recordings);
addTranslate(checks, world, recordings);
addCuts(checks, world, recordings);
await checks.runAll(gateway);

const log = gateway.log();
const code = await gateway.stop();
checks.report("weir ends cleanly", code === 0 ? undefined : `${code}\n${log.slice(-4000)}`);
const told = log.split("\n").filter((line) => /"level":"error"/.test(line));
checks.report("the log tells no error of Weir's own", told.length ? told.join("\n") : undefined);
checks.report("the upstream understood every request",
  upstream.surprises.length ? upstream.surprises.join("\n") : undefined);
await upstream.stop();
gateway.remove();
process.exit(checks.finish() ? 0 : 1);
