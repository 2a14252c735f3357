// Codex in exec mode, at providers of every dialect: it runs two commands at once (one fails),
// makes a file with its patch tool, which takes text and not JSON, looks at a picture, and ends
// with a text; then the session is resumed. It has a sub-agent look, and goes on when the provider
// breaks off. What Codex offers its model depends on the model's name: for one that begins with
// gpt-5.5 it has the patch tool, for one that it does not know sub-agents.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";

import { pairs } from "../lib/conversation.mjs";
import { goodNight } from "../lib/good_night.mjs";
import { runProgram } from "../lib/program.mjs";
import { picture } from "../../node/lib/scene.mjs";
import { key, modelsFor, upstreams, World } from "../lib/world.mjs";

const program = path.join(import.meta.dirname, "../node_modules/@openai/codex/bin/codex.js");
const patch = "*** Begin Patch\n*** Add File: copy.txt\n" +
  "+copied ${taken} \"quoted\\\n*** End Patch\n";

function rules(route, custom) {
  const run = (cmd) => ({ name: "exec_command", arguments: { cmd } });
  const edit = { name: "apply_patch",
    ...custom ? { input: patch } : { arguments: { input: patch } } };
  return [
    { match: "Which word was it", reply: { text: "It stands in the copy." } },
    { result_of: "view_image", take: { after: "copied ", until: " " },
      reply: { text: "The copy says ${taken}." } },
    { result_of: "apply_patch", reply: { text: "Let me see.", tool_calls: [
      run("cat copy.txt"),
      { name: "view_image", arguments: { path: route.file("picture.png") } }] } },
    { result_of: "exec_command", take: { after: "The word is ", until: "." },
      reply: { thinking: "Now I know the word.", tool_calls: [edit] } },
    { tool: "exec_command", system: "Codex", match: "Copy the word",
      reply: { text: "I read both files.",
        tool_calls: [run("cat note.txt"), run("cat missing.txt")] } },
  ];
}

function configure(route) {
  const folder = path.join(route.home, "codex");
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, "config.toml"), `
model = "${route.model}"
model_provider = "weir"
check_for_update_on_startup = false

[analytics]
enabled = false

[features]
apps = false
plugins = false

[model_providers.weir]
name = "Weir"
base_url = "${route.url}/v1"
env_key = "WEIR_KEY"
wire_api = "responses"
`);
  return folder;
}

async function ask(route, ...args) {
  const result = await runProgram(process.execPath, [program, "exec", "--json",
    "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", ...args], {
    cwd: route.work, home: route.home, trap: route.trap,
    env: { CODEX_HOME: configure(route), WEIR_KEY: key },
  });
  assert.equal(result.code, 0, result.out + result.err);
  const events = result.out.trim().split("\n").map((line) => JSON.parse(line));
  const wrong = ({ type, item, message }) => type === "turn.failed" ||
    (type === "error" && !message.startsWith("Reconnecting")) ||
    (item?.type === "error" && !item.message.startsWith("Model metadata"));
  assert.deepEqual(events.filter(wrong), [], result.out);
  const items = events.filter(({ type }) => type === "item.completed").map(({ item }) => item);
  const told = events.filter(({ type }) => type === "error").map(({ message }) => message);
  return { items, told, said: items.filter(({ type }) => type === "agent_message").at(-1)?.text,
    usage: events.at(-1).usage };
}

async function copies(route) {
  const word = "amber-ö-7";
  route.write("note.txt", `Some text.\nThe word is ${word}.\n`);
  route.write("picture.png", Buffer.from(picture.base64, "base64"));
  const custom = ["chat", "responses"].includes(route.upstream);
  await route.script(rules(route, custom));

  const first = await ask(route, "Copy the word from note.txt and missing.txt");
  assert.equal(first.said, `The copy says ${word}.`);
  assert.equal(route.read("copy.txt"), `copied ${word} "quoted\\\n`);
  const commands = first.items.filter(({ type }) => type === "command_execution");
  assert.deepEqual(commands.map(({ exit_code: code }) => code).sort(), [0, 0, 1]);

  const second = await ask(route, "resume", "--last", "Which word was it?");
  assert.equal(second.said, "It stands in the copy.");

  const turns = await route.conversations(5);
  for (const turn of turns) {
    // Custom tools are OpenAI's own; to all others it is a function.
    assert.equal(JSON.stringify(turn.body.tools ?? "").includes('"type":"custom"'), custom);
    assert.match(turn.system, /Codex/);
    assert.ok(["exec_command", "apply_patch", "view_image"]
      .every((name) => turn.tools.includes(name)), turn.tools);
    pairs(turn);
  }
  assert.deepEqual(turns.map(({ calls }) => calls.length), [0, 2, 3, 5, 5]);
  const last = turns.at(-1);
  const [note, missing, copy, shown] = pairs(last);
  assert.match(note.result, new RegExp(`The word is ${word}`));
  assert.match(missing.result, /No such file/);
  assert.deepEqual(copy.values, { input: patch.replace("${taken}", word) });
  assert.match(shown.result, new RegExp(`copied ${word}`));
  assert.equal(last.images, 1);
  assert.ok(last.said.includes("Let me see."), last.said);
  assert.ok(last.said.includes(`The copy says ${word}.`), last.said);
}

// Sub-agents are in a namespace, which is a kind of tool that only OpenAI's responses have.
async function delegates(route) {
  const space = "multi_agent_v1__";
  route.write("note.txt", "The word is amber-ö-8.\n");
  await route.script([
    { result_of: `${space}wait_agent`, take: { after: "I found ", until: "!" },
      reply: { text: "They found ${taken}." } },
    { result_of: `${space}spawn_agent`, take: { after: '"agent_id":"', until: '"' },
      reply: { tool_calls: [{ name: `${space}wait_agent`,
        arguments: { targets: ["${taken}"], timeout_ms: 30_000 } }] } },
    { result_of: "exec_command", take: { after: "The word is ", until: "." },
      reply: { text: "I found ${taken}!" } },
    { match: "Find the word", reply: { tool_calls: [
      { name: "exec_command", arguments: { cmd: "cat note.txt" } }] } },
    { match: "Let somebody look", reply: { tool_calls: [
      { name: `${space}spawn_agent`, arguments: { message: "Find the word." } }] } },
  ]);
  const { said } = await ask(route, "Let somebody look for it");
  assert.equal(said, "They found amber-ö-8.");
  const turns = await route.conversations(5);
  turns.forEach(pairs);
  assert.ok(turns[0].tools.includes(`${space}spawn_agent`), turns[0].tools);
}

const translated = upstreams.filter((upstream) => upstream !== "responses");
const tasks = {
  "gpt-5.5-copies": copies,
  "gpt-5.5-good-night": (route) => goodNight(route, async (...args) => {
    const { said, told } = await ask(...args);
    assert.match(told.join("\n"), /the answer ended early/, "Codex is told of it in words");
    return said;
  }),
};
const world = await World.start({
  ...modelsFor(Object.keys(tasks)),
  ...modelsFor("codex-delegates", translated),
});
world.tests({ ...tasks, "codex-delegates": delegates });
