// The range of time that the pages show: the last so many minutes, moving along, or a fixed one
// that was dragged on a plot. It lives in the address.
import { place } from "./route.svelte";

export const spans = [
  { name: "15m", ms: 15 * 60_000 },
  { name: "1h", ms: 3_600_000 },
  { name: "6h", ms: 6 * 3_600_000 },
  { name: "24h", ms: 24 * 3_600_000 },
  { name: "7d", ms: 7 * 86_400_000 },
  { name: "30d", ms: 30 * 86_400_000 },
] as const;

const leastMs = 10_000;

class Range {
  fixed = $derived(place.get("since") !== "" && place.get("until") !== "");
  span = $derived(spans.find((span) => span.name === place.get("range")) ?? spans[1]);

  // As of now.
  bounds(): { since: number; until: number } {
    if (this.fixed) {
      return { since: Number(place.get("since")), until: Number(place.get("until")) };
    }
    const until = Date.now();
    return { since: until - this.span.ms, until };
  }
  choose(name: string): void {
    place.set({ range: name, since: "", until: "" }, true);
  }
  drag(since: number, until: number): void {
    if (until - since < leastMs) return;
    place.set({ since: String(Math.round(since)), until: String(Math.round(until)) }, true);
  }
  // Widens or moves by parts of its own length.
  shift(begin: number, end: number): void {
    const { since, until } = this.bounds();
    const length = until - since;
    this.drag(since + begin * length, Math.min(until + end * length, Date.now()));
  }
  follow(): void {
    place.set({ since: "", until: "" }, true);
  }
}

export const range = new Range();
