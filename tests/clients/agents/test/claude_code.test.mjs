// Claude Code in print mode, at providers of every dialect: it reads files (one of which is not
// there), writes one, runs a command and looks at a picture at once, and ends with a text; then the
// session is continued. It has a sub-agent read, and goes on when the provider breaks off.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import path from "node:path";

import { pairs } from "../lib/conversation.mjs";
import { goodNight } from "../lib/good_night.mjs";
import { runProgram } from "../lib/program.mjs";
import { picture } from "../../node/lib/scene.mjs";
import { key, modelsFor, World } from "../lib/world.mjs";

const packages = path.join(import.meta.dirname, "../node_modules/@anthropic-ai");
const program = ["", "-musl"].map((libc) =>
  path.join(packages, `claude-code-${process.platform}-${process.arch}${libc}`, "claude"))
  .find(existsSync);

const rules = (route, signature) => [
  { match: "Which word was it", reply: { text: "It stands in the copy." } },
  { result_of: "Bash", take: { after: "copied " }, reply: { text: "The copy says ${taken}." } },
  { result_of: "Write", reply: { text: "Let me see.", tool_calls: [
    { name: "Bash", arguments: { command: "cat copy.txt", description: "Show the copy" } },
    { name: "Read", arguments: { file_path: route.file("picture.png") } }] } },
  { result_of: "Read", take: { after: "The word is ", until: "." },
    reply: { thinking: "Now I know the word.", tool_calls: [
      { name: "Write", signature,
        arguments: { file_path: route.file("copy.txt"), content: "copied ${taken}\n" } }] } },
  { tool: "Write", system: "Claude", match: "Copy the word",
    reply: { text: "I read both files.", tool_calls: [
      { name: "Read", signature, arguments: { file_path: route.file("note.txt") } },
      { name: "Read", arguments: { file_path: route.file("missing.txt") } }] } },
];

async function ask(route, prompt, ...options) {
  const result = await runProgram(program, ["--print", ...options, "--model", route.model,
    "--output-format", "json", "--allowedTools", "Read,Write,Bash(cat:*)", "--", prompt], {
    cwd: route.work, home: route.home, trap: route.trap,
    env: {
      ANTHROPIC_BASE_URL: route.url,
      ANTHROPIC_AUTH_TOKEN: key,
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
    },
  });
  assert.equal(result.code, 0, result.out + result.err);
  const said = JSON.parse(result.out);
  assert.equal(said.is_error, false, result.out);
  assert.deepEqual(said.permission_denials, [], result.out);
  return said;
}

async function copies(route) {
  const word = "amber-ö-7";
  // What Gemini signs with; nobody else has a place for it.
  const signature = route.upstream === "gemini" ? "c2lnbmVkIGJ5IHRoZSBtb2RlbA==" : "";
  route.write("note.txt", `Some text.\nThe word is ${word}.\n`);
  route.write("picture.png", Buffer.from(picture.base64, "base64"));
  await route.script(rules(route, signature));

  const first = await ask(route, "Copy the word from note.txt and missing.txt");
  assert.equal(first.result, `The copy says ${word}.`);
  assert.equal(first.num_turns, 6);
  assert.equal(first.stop_reason, "end_turn");
  assert.equal(route.read("copy.txt"), `copied ${word}\n`);

  const second = await ask(route, "Which word was it?", "--continue");
  assert.equal(second.result, "It stands in the copy.");

  const turns = await route.conversations(5);
  for (const turn of turns) {
    assert.match(turn.system, /Claude/);
    if (route.upstream !== "anthropic") assert.doesNotMatch(turn.system, /billing-header/);
    assert.ok(["Bash", "Read", "Write"].every((name) => turn.tools.includes(name)), turn.tools);
    pairs(turn);
  }
  assert.deepEqual(turns.map(({ calls }) => calls.length), [0, 2, 3, 5, 5]);
  const last = turns.at(-1);
  const [note, missing, copy, shown, seen] = pairs(last);
  assert.match(note.result, new RegExp(`The word is ${word}`));
  assert.match(missing.result, /not exist/);
  assert.deepEqual(copy.values, { file_path: route.file("copy.txt"), content: `copied ${word}\n` });
  assert.match(shown.result, new RegExp(`copied ${word}`));
  assert.deepEqual(seen.values, { file_path: route.file("picture.png") });
  assert.equal(last.images, 1);
  assert.ok(JSON.stringify(last.body).includes(picture.base64), "the picture as it was");
  assert.ok(last.said.includes("Let me see."), last.said);
  assert.ok(last.said.includes(`The copy says ${word}.`), last.said);
  if (signature) {
    assert.deepEqual([note.signature, copy.signature], [signature, signature]);
  }
}

async function delegates(route) {
  route.write("note.txt", "The word is amber-ö-8.\n");
  await route.script([
    { result_of: "Agent", take: { after: "I found " }, reply: { text: "They found ${taken}" } },
    { result_of: "Read", take: { after: "The word is ", until: "." },
      reply: { text: "I found ${taken}!" } },
    { match: "Find the word", tool: "Read", reply: { tool_calls: [
      { name: "Read", arguments: { file_path: route.file("note.txt") } }] } },
    { match: "Let somebody look", tool: "Agent", reply: { tool_calls: [
      { name: "Agent", arguments: { description: "Find it", prompt: "Find the word.",
        subagent_type: "general-purpose", run_in_background: false } }] } },
  ]);
  const said = await ask(route, "Let somebody look for it");
  assert.equal(said.result, "They found amber-ö-8!");
  const turns = await route.conversations(4);
  turns.forEach(pairs);
  assert.equal(turns.filter(({ users }) => users.includes("Find the word.")).length, 2);
}

const tasks = {
  "claude-copies": copies,
  "claude-delegates": delegates,
  "claude-good-night": (route) =>
    goodNight(route, async (...args) => (await ask(...args)).result),
};
const world = await World.start(modelsFor(Object.keys(tasks)));
world.tests(tasks);
