// How long the console's pages take from the address to the painted figures, in a real Chromium
// against a running Weir. Each time is of a browser that has nothing cached, from the start of the
// navigation to the second frame after the page shows all of what it asked for.
//
//   node painted.mjs ADMIN_URL UNTIL_MS ROUNDS
//
// Prints one JSON object: page -> times in milliseconds, in the order they were measured. Needs the
// packages of tests/console (tests/lib/npm.sh) and Debian's chromium.
import { createRequire } from "node:module";

const require = createRequire(new URL("../../tests/console/package.json", import.meta.url));
const { chromium } = require("playwright-core");

const [admin, untilText, roundsText] = process.argv.slice(2);
const until = Number(untilText);
const day = 86_400_000;
const range = (ms) => `since=${until - ms}&until=${until}`;
const pages = {
  "overview, 1 day": `/?${range(day)}`,
  "overview, 30 days": `/?${range(30 * day)}`,
  "costs, by team": "/costs?by=team",
  "costs, by key": "/costs?by=key",
  "requests, newest": `/requests?${range(day)}`,
  "requests, 5xx of a model": `/requests?${range(30 * day)}&status_class=5&model=rerank`,
  "requests, a user": `/requests?${range(30 * day)}&user=user-77`,
};
const limitMs = 60_000;

// In the page: resolves `painted` with the time since the navigation began.
function watch() {
  const whole = () => {
    const main = document.querySelector("main");
    if (main?.querySelector("h1") === null || main === null) return false;
    if (main.querySelector(".skeleton") !== null || main.textContent.includes("Loading")) {
      return false;
    }
    if (location.pathname === "/requests") {
      return main.querySelector('[role="rowgroup"] [role="row"]') !== null;
    }
    const plots = location.pathname === "/" ? 6 : 1;
    return (
      main.querySelectorAll("canvas").length >= plots &&
      main.querySelectorAll("tbody tr").length > 0 &&
      [...main.querySelectorAll(".figures dd")].some((figure) => figure.textContent.trim() !== "")
    );
  };
  window.painted = new Promise((resolve) => {
    const observer = new MutationObserver(() => {
      if (!whole()) return;
      observer.disconnect();
      requestAnimationFrame(() => requestAnimationFrame(() => resolve(performance.now())));
    });
    observer.observe(document, { childList: true, subtree: true, characterData: true });
  });
}

const browser = await chromium.launch({
  executablePath: process.env.WEIR_CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"],
});
const times = Object.fromEntries(Object.keys(pages).map((name) => [name, []]));
try {
  for (let round = 0; round < Number(roundsText); round += 1) {
    for (const [name, path] of Object.entries(pages)) {
      const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
      await context.addInitScript(() => localStorage.setItem("weir.language", "en"));
      await context.addInitScript(watch);
      const page = await context.newPage();
      await page.goto(admin + path, { waitUntil: "commit" });
      const took = await Promise.race([
        page.evaluate(() => window.painted),
        new Promise((_, reject) =>
          setTimeout(() => reject(new Error(`${name}: not painted in ${limitMs} ms`)), limitMs),
        ),
      ]);
      times[name].push(Math.round(took * 10) / 10);
      await context.close();
    }
  }
} finally {
  await browser.close();
}
console.log(JSON.stringify(times));
process.exit(0);
