// The pieces in which an upstream writes. Everything a seed decides is the same in every run.

function random(seed) {
  let state = seed >>> 0 || 1;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

// How a body travels: "whole", "bytes" (one at a time) or broken at "odd" places.
export function pieces(bytes, how, seed = 7) {
  if (how === "whole" || bytes.length === 0) return [bytes];
  const next = random(seed);
  const out = [];
  for (let at = 0; at < bytes.length;) {
    const size = how === "bytes" ? 1 : 1 + next(next(4) === 0 ? 40 : 1400);
    out.push(bytes.subarray(at, at + size));
    at += size;
  }
  return out;
}
