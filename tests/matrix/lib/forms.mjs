// What the readers of providers' requests share. They are strict: a member that is not known is a
// finding, because a provider may refuse it.
import assert from "node:assert/strict";

// The object itself, if it has no other members than these.
export function only(object, where, ...names) {
  assert.ok(object && typeof object === "object" && !Array.isArray(object), `${where}: an object`);
  for (const name of Object.keys(object)) {
    assert.ok(names.includes(name), `${where}.${name} has no place there`);
  }
  return object;
}

// Neighbors of one role are one turn, and what the assistant said in several texts is one; the same
// for every API, for comparison.
export function mergeTurns(turns) {
  const merged = [];
  for (const { role, parts } of turns) {
    assert.ok(["user", "assistant"].includes(role), `role ${role}`);
    if (merged.at(-1)?.role !== role) merged.push({ role, parts: [] });
    const into = merged.at(-1).parts;
    for (const part of parts) {
      const joins = role === "assistant" && "text" in part && into.at(-1) && "text" in into.at(-1);
      if (joins) into.push({ text: into.pop().text + part.text });
      else into.push(part);
    }
  }
  return merged;
}

// Without the members that are undefined, which assert.deepEqual tells from absent ones.
export function tidy(value) {
  return JSON.parse(JSON.stringify(value));
}

// An image by the one address that OpenAI has for both, bytes and places.
export function imageAt(address) {
  const [, type, data] = /^data:([^;]+);base64,(.+)$/.exec(address) ?? [];
  if (type) return { type, data };
  assert.match(address, /^https:/);
  return { url: address };
}

// Server-sent events in the form that a provider uses.
export function sse(data, { event, eol = "\n" } = {}) {
  const text = typeof data === "string" ? data : JSON.stringify(data);
  return Buffer.from(`${event ? `event: ${event}${eol}` : ""}data: ${text}${eol}${eol}`);
}

// Fragments in which arguments of a call are streamed.
export function fragments(text) {
  return text.match(/[^]{1,9}/gu) ?? [];
}
