// What axe finds on the page as it is, by WCAG 2.2 A and AA.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

export async function violations(page) {
  // By the debugger: the page's own policy lets no script in.
  const session = await page.context().newCDPSession(page);
  await session.send("Runtime.evaluate", { expression: axe });
  const { result } = await session.send("Runtime.evaluate", {
    expression: `axe.run(document, { runOnly: ${JSON.stringify(rules)} }).then((found) =>
      JSON.stringify(found.violations.map((one) => one.id + ": " + one.nodes.slice(0, 3)
        .map((node) =>
        node.target + " " + (node.any[0]?.message ?? node.failureSummary)).join("; "))))`,
    awaitPromise: true,
    returnByValue: true,
  });
  await session.detach();
  return JSON.parse(result.value);
}
