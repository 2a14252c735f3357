// What frameworks are given to do: two tools, the second of which is called with what the first one
// found. One call of the first turn fails.
import assert from "node:assert/strict";

import { pairs } from "./conversation.mjs";

const name = { type: "object", properties: { name: { type: "string" } }, required: ["name"],
  additionalProperties: false };

export class CopyTask {
  system = "You are a careful copyist.";
  prompt = "Copy the word from the notes.";
  word = "amber-ö-7";
  answer = "The word is in the copy now. Good night, harbor.";
  written = {};

  tools = [{
    name: "read_note",
    description: "Reads a note",
    parameters: name,
    run: (values) => {
      if (values.name !== "first") throw new Error(`there is no note "${values.name}"`);
      return `The word is ${this.word}.`;
    },
  }, {
    name: "write_copy",
    description: "Writes a copy",
    parameters: { ...name, properties: { ...name.properties, content: { type: "string" } },
      required: ["name", "content"] },
    run: (values) => {
      this.written[values.name] = values.content;
      return "written";
    },
  }];

  async script(route) {
    this.signature = route.upstream === "gemini" ? "c2lnbmVkIGJ5IHRoZSBtb2RlbA==" : "";
    const { signature } = this;
    const read = (note) => ({ name: "read_note", arguments: { name: note } });
    await route.script([
      { result_of: "write_copy", reply: { text: this.answer } },
      { result_of: "read_note", take: { after: "The word is ", until: "." },
        reply: { thinking: "Now I know the word.", tool_calls: [
          { name: "write_copy", arguments: { name: "copy", content: "copied ${taken}" } }] } },
      { tool: "write_copy", system: this.system, match: this.prompt,
        reply: { text: "I read both notes.", tool_calls: [
          { ...read("first"), signature }, read("second")] } },
    ]);
  }

  // What the framework did, and what the provider was told of it. `signed`: whether this framework
  // gives signatures back.
  async check(route, answer, { signed = false } = {}) {
    assert.equal(answer, this.answer);
    assert.deepEqual(this.written, { copy: `copied ${this.word}` });
    const turns = await route.conversations(3);
    for (const turn of turns) {
      assert.equal(turn.system, this.system);
      assert.deepEqual(turn.tools, this.tools.map((tool) => tool.name));
      assert.ok(turn.users.includes(this.prompt));
    }
    const last = turns.at(-1);
    const [first, second, copy] = pairs(last);
    assert.deepEqual(first.values, { name: "first" });
    assert.match(first.result, new RegExp(`The word is ${this.word}`));
    assert.match(second.result, /there is no note/);
    assert.deepEqual(copy.values, { name: "copy", content: `copied ${this.word}` });
    assert.match(copy.result, /written/);
    assert.ok(last.said.includes("I read both notes.") || last.references.length > 0, last.said);
    if (signed && this.signature) assert.equal(first.signature, this.signature);
  }
}
