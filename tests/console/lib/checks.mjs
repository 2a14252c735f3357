// One named check: what it throws is told, with a picture of the page as it was.
import { inspect } from "node:util";

export async function check(name, test, world) {
  try {
    const said = await test();
    if (typeof said === "string") {
      check.skipped += 1;
      console.log(`skipped ${name}: ${said}`);
      return;
    }
    check.passed += 1;
    if (process.env.WEIR_TEST_VERBOSE) console.log(`ok ${name}`);
  } catch (problem) {
    check.failed += 1;
    const text = problem instanceof Error ? problem.message : inspect(problem);
    const at =
      problem instanceof Error ? (/parts\/[^)\s]+/.exec(problem.stack ?? "")?.[0] ?? "") : "";
    console.log(`FAILED ${name}\n    ${text.split("\n").slice(0, 30).join("\n    ")}\n    ${at}`);
    await world.picture(`failed-${name.replaceAll(/[^a-z0-9]+/gi, "-")}`).catch(() => {});
  }
}
check.passed = 0;
check.failed = 0;
check.skipped = 0;
