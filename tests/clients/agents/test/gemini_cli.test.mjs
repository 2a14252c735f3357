// The Gemini CLI with one prompt, at providers of every dialect: it reads a file and a picture at
// once, fails to read another, writes one, runs a command, and ends with a text.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";

import { pairs } from "../lib/conversation.mjs";
import { goodNight } from "../lib/good_night.mjs";
import { runProgram } from "../lib/program.mjs";
import { picture } from "../../node/lib/scene.mjs";
import { key, modelsFor, World } from "../lib/world.mjs";

const program = path.join(import.meta.dirname,
  "../node_modules/@google/gemini-cli/bundle/gemini.js");

function rules(route, signature) {
  const read = (name) => ({ name: "read_file", arguments: { file_path: route.file(name) } });
  return [
    { result_of: "run_shell_command", take: { after: "copied ", until: "\n" },
      reply: { text: "The copy says ${taken}." } },
    { result_of: "write_file", reply: { text: "Let me see.", tool_calls: [
      { name: "run_shell_command", signature,
        arguments: { command: "cat copy.txt", description: "Show the copy" } },
      read("picture.png")] } },
    { result_of: "read_file", take: { after: "The word is ", until: "." },
      reply: { thinking: "Now I know the word.", tool_calls: [{ name: "write_file", signature,
        arguments: { file_path: route.file("copy.txt"), content: "copied ${taken}\n" } }] } },
    { tool: "write_file", system: "Gemini CLI", match: "Copy the word",
      reply: { text: "I read both files.", tool_calls: [
        { ...read("note.txt"), signature }, read("missing.txt")] } },
  ];
}

async function ask(route, prompt) {
  const settings = path.join(route.home, ".gemini");
  mkdirSync(settings, { recursive: true });
  writeFileSync(path.join(settings, "settings.json"), JSON.stringify({
    security: { auth: { selectedType: "gemini-api-key" } },
    privacy: { usageStatisticsEnabled: false },
    general: { enableAutoUpdate: false, enableAutoUpdateNotification: false },
  }));
  const result = await runProgram(process.execPath, [program, "--prompt", prompt,
    "--model", route.model, "--approval-mode", "yolo", "--output-format", "json"], {
    cwd: route.work, home: route.home, trap: route.trap,
    env: {
      GOOGLE_GEMINI_BASE_URL: route.url,
      GEMINI_API_KEY: key,
      GEMINI_CLI_TRUST_WORKSPACE: "true",
    },
  });
  assert.equal(result.code, 0, result.out + result.err);
  return JSON.parse(result.out);
}

async function copies(route) {
  const word = "amber-ö-7";
  const signature = route.upstream === "gemini" ? "c2lnbmVkIGJ5IHRoZSBtb2RlbA==" : "";
  route.write("note.txt", `Some text.\nThe word is ${word}.\n`);
  route.write("picture.png", Buffer.from(picture.base64, "base64"));
  await route.script(rules(route, signature));

  const said = await ask(route, "Copy the word from note.txt and missing.txt");
  assert.equal(said.response, `The copy says ${word}.`);
  assert.equal(route.read("copy.txt"), `copied ${word}\n`);
  assert.equal(said.stats.tools.totalCalls, 5);
  assert.equal(said.stats.tools.totalFail, 1);

  const turns = await route.conversations(4);
  for (const turn of turns) {
    assert.match(turn.system, /Gemini CLI/);
    assert.ok(["read_file", "write_file", "run_shell_command"]
      .every((name) => turn.tools.includes(name)), turn.tools);
    pairs(turn);
  }
  assert.deepEqual(turns.map(({ calls }) => calls.length), [0, 2, 3, 5]);
  const last = turns.at(-1);
  const [note, missing, copy, shown] = pairs(last);
  assert.match(note.result, new RegExp(`The word is ${word}`));
  assert.match(missing.result, /not found/i);
  assert.deepEqual(copy.values, { file_path: route.file("copy.txt"), content: `copied ${word}\n` });
  assert.match(shown.result, new RegExp(`copied ${word}`));
  assert.equal(last.images, 1);
  assert.ok(last.said.includes("Let me see."), last.said);
  if (signature) {
    assert.deepEqual([note.signature, copy.signature], [signature, signature]);
  }
}

const tasks = {
  "gemini-cli-copies": copies,
  "gemini-cli-good-night": (route) =>
    goodNight(route, async (...args) => (await ask(...args)).response),
};
const world = await World.start(modelsFor(Object.keys(tasks)));
world.tests(tasks);
