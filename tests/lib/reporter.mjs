// What `node --test` prints here: a line for each test that failed or was skipped, with the reason,
// and the totals in the form that `./dev test` adds up.
import { inspect } from "node:util";

// Failures of a child test are told once more for its suite; that is no second failure.
function isEcho(data) {
  return data.details?.type === "suite" || data.details?.error?.failureType === "subtestsFailed";
}

// The message and where in this suite it was thrown.
function explain(error) {
  const text = typeof error === "string" ? error : inspect(error, { depth: 2 });
  const foreign = /^\s+at .*(node:internal|node_modules)/;
  const lines = text.split("\n").filter((line) => !foreign.test(line));
  return lines.slice(0, 60).join("\n").replace(/^/gm, "    ");
}

export default async function* reporter(source) {
  const totals = { passed: 0, failed: 0, skipped: 0 };
  for await (const { type, data } of source) {
    const file = data?.file?.split("/").at(-1) ?? "";
    if (type === "test:fail") {
      if (isEcho(data)) continue;
      ++totals.failed;
      const error = data.details.error?.cause ?? data.details.error;
      yield `FAILED ${file}: ${data.name}\n${explain(error)}\n`;
    } else if (type === "test:pass" && data.details?.type !== "suite") {
      // A file is a test of its own, besides those it holds.
      if (data.name.endsWith(".mjs")) continue;
      if (data.skip !== undefined) {
        ++totals.skipped;
        yield `skipped ${file}: ${data.name}: ${data.skip}\n`;
      } else {
        ++totals.passed;
        if (process.env.WEIR_TEST_VERBOSE) yield `ok ${file}: ${data.name}\n`;
      }
    } else if (type === "test:stderr" || type === "test:stdout") {
      if (!isEcho(data)) yield data.message;
    }
  }
  yield `${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped\n`;
}
