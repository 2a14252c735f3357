// A bad night: the provider is overloaded when an agent calls, then its answer breaks off; the
// agent is told of both as its own provider would tell it, tries again and gets its answer.
import assert from "node:assert/strict";

const lost = "This is a long answer, of which nobody will ever hear more than the beginning.";
const answer = "Good night, harbor.";

// `ask(route, prompt)` gives what the agent said in the end. Some keep what they had of the answer
// that broke off.
export async function goodNight(route, ask) {
  await route.script([
    { times: 1, fault: { kind: "status", status: 503 } },
    { times: 1, fault: { kind: "close", after_events: 5 }, reply: { text: lost } },
    { match: "Say good night", reply: { text: answer } },
  ]);
  const said = await ask(route, "Say good night.");
  assert.ok(said.endsWith(answer), said);
  await route.conversations(1, { broken: 2 });
}
