// Replays every recording through one gateway: relayed in its own dialect, translated for the
// clients of the others, and broken off; then once more from a provider that speaks HTTP/2. See
// README.md.
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

const filters = process.argv.slice(2);
const { recordings, skipped, absent } = load();

async function run({ http2 }) {
  const checks = new Checks(filters, http2 ? ", HTTP/2" : "");
  const upstream = await Upstream.start({ http2 });
  const gateway = await Gateway.start(upstream,
    { configuration: configuration({ http2 }), key: clientKey });
  const world = { upstream, gateway };
  addRelay(checks, world, recordings);
  addTranslate(checks, world, recordings);
  addCuts(checks, world, recordings, { orderly: http2 });
  await checks.runAll(gateway);
  await checks.end(gateway, upstream);
  return checks;
}

const lists = [await run({ http2: false }), await run({ http2: true })];
if (absent) lists[0].skip("the recordings of shared/", `${sharedFolder} is absent`);
for (const { name, reason } of skipped) lists[0].skip(name, reason);
process.exit(Checks.verdict(lists) ? 0 : 1);
