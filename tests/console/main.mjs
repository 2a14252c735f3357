// Runs the parts one after the other in one browser, against one Weir and one simulator, and
// prints what failed and the totals.
import { readdirSync } from "node:fs";
import { check } from "./lib/checks.mjs";
import { World } from "./lib/world.mjs";

const wanted = process.argv.slice(2);
const names = readdirSync(new URL("parts", import.meta.url))
  .filter((name) => name.endsWith(".mjs"))
  .filter((name) => wanted.length === 0 || wanted.some((text) => name.includes(text)))
  .sort();

const world = await World.start();
try {
  for (const name of names) {
    const part = await import(`./parts/${name}`);
    for (const [title, test] of Object.entries(part.tests)) {
      await check(`${name.replace(".mjs", "")}: ${title}`, () => test(world), world);
    }
  }
} finally {
  await world.stop();
}
const { passed, failed, skipped } = check;
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = failed === 0 ? 0 : 1;
