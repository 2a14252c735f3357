// What is said in every cell, in a form that is no API's: what the client asks and what the model
// answers. Clients and providers each have it in their own words.
//
// A question: { system, turns, tools, choice, format, effort, max, temperature }. A turn: { role,
// parts }, a part one of { text }, { image: { type, data } or { url } }, { call: { id, name, args }
// }, { result: { id, name, text, error } }, { thinking: { text, signature } }.
// An answer: { text, thinking, calls: [{ name, args }], finish: "stop" | "length" | "calls",
// usage: { input, cached, output, reasoning } }; `input` counts what was cached, too.

// One pixel.
const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9" +
  "awAAAABJRU5ErkJggg==";

const weather = {
  name: "get_weather",
  description: "The weather of a city, as the harbor's own station says.",
  schema: {
    type: "object",
    properties: {
      city: { type: "string", description: "Where, e.g. \"Åsgårdstrand\"" },
      unit: { type: "string", enum: ["celsius", "fahrenheit"] },
      hours: { type: "array", items: { type: "integer" } },
    },
    required: ["city"],
  },
};
const harbors = {
  name: "list-harbors",
  description: "Every harbor there is.",
  schema: { type: "object", properties: {} },
};
const report = {
  name: "harbor_report",
  schema: {
    type: "object",
    properties: {
      city: { type: "string" },
      degrees: { type: "integer" },
      ships: {
        type: "array",
        items: {
          type: "object",
          properties: { name: { type: "string" }, draft: { type: "number" } },
          required: ["name", "draft"],
          additionalProperties: false,
        },
      },
    },
    required: ["city", "degrees", "ships"],
    additionalProperties: false,
  },
};

const system = "You are the harbor master's clerk.\nAnswer in one \"short\" sentence.";
const user = (...parts) => ({ role: "user", parts });
const base = { system, tools: [], max: 9000 };

// `steps`: the questions of a cell one behind the other. Each goes on from the one before: `say`
// gives what the user adds to it, out of the answer that was seen. `byAddress`: it has an image by
// its address.
const results = (given) => ({ calls }) => user(...calls.map(({ id, name }, i) => (
  { result: { id, name, error: false, ...given[i] } })));

export const scenes = {
  text: {
    ...base,
    temperature: 0.5,
    turns: [
      user({ text: "Who lies at pier 7?" }),
      { role: "assistant", parts: [{ text: "The \"Grøn Måge\" 🚢, since noon." }] },
      user({ text: "And at pier 8?\n\tBe brief — \\ no \u2028 jokes." }),
    ],
    steps: [
      { answer: {
        text: "Nobody: pier 8 is closed für Größe 🌊 und \"Tiefe\"\\n.\n",
        finish: "stop",
        usage: { input: 1300, cached: 1024, output: 17, reasoning: 0 },
      } },
      { say: () => user({ text: "Go on." }), answer: {
        text: "The dredger comes on Monday, and then",
        finish: "length",
        usage: { input: 1340, cached: 0, output: 9000, reasoning: 0 },
      } },
    ],
  },

  tools: {
    ...base,
    turns: [user({ text: "How is the weather in Åsgårdstrand?" })],
    tools: [weather],
    choice: { name: weather.name },
    steps: [
      { answer: {
        calls: [{ name: weather.name,
          args: { city: "Åsgårdstrand", unit: "celsius", hours: [6, 12] } }],
        finish: "calls",
        usage: { input: 120, cached: 0, output: 31, reasoning: 0 },
      } },
      { choice: "auto", say: results([{ text: "11 degrees, \"light\" rain\n🌧" }]), answer: {
        text: "It rains a little, at 11 degrees.",
        finish: "stop",
        usage: { input: 170, cached: 0, output: 12, reasoning: 0 },
      } },
    ],
  },

  "parallel tools": {
    ...base,
    turns: [user({ text: "Compare the weather of all harbors." })],
    tools: [weather, harbors],
    choice: "any",
    steps: [
      { answer: {
        text: "I look at both.",
        calls: [
          { name: weather.name, args: { city: "Oslo" } },
          { name: harbors.name, args: {} },
          { name: weather.name, args: { city: "Bergen", unit: "fahrenheit" } },
        ],
        finish: "calls",
        usage: { input: 210, cached: 0, output: 64, reasoning: 0 },
      } },
      {
        choice: "auto",
        say: results([{ text: "4 degrees" }, { text: "Oslo, Bergen" },
          { text: "the station is silent", error: true }]),
        answer: {
          text: "Oslo has 4 degrees; Bergen's station is silent.",
          finish: "stop",
          usage: { input: 300, cached: 0, output: 15, reasoning: 0 },
        },
      },
    ],
  },

  "image in": {
    ...base,
    turns: [user({ text: "Which flag is this?" }, { image: { type: "image/png", data: png } },
      { text: "One word." })],
    steps: [
      { answer: {
        text: "Quarantine.",
        finish: "stop",
        usage: { input: 350, cached: 0, output: 4, reasoning: 0 },
      } },
      {
        byAddress: true,
        say: () => user({ text: "And this?" }, { image: { url: "https://acme.example/b.png?s=1" } }),
        answer: {
          text: "Bravo.",
          finish: "stop",
          usage: { input: 610, cached: 0, output: 3, reasoning: 0 },
        },
      },
    ],
  },

  "structured output": {
    ...base,
    turns: [user({ text: "Report on Oslo." })],
    format: report,
    steps: [{ answer: {
      text: '{"city":"Oslo","degrees":-4,"ships":[{"name":"Grøn \\"Måge\\"","draft":2.50}]}',
      finish: "stop",
      usage: { input: 140, cached: 0, output: 28, reasoning: 0 },
    } }],
  },

  reasoning: {
    ...base,
    turns: [user({ text: "Can the ferry to Bergen leave?" })],
    tools: [weather],
    max: 20000,
    effort: "medium",
    steps: [
      { answer: {
        thinking: "The ferry needs calm weather 🌊.\n\nSo I look at \"Bergen\".",
        calls: [{ name: weather.name, args: { city: "Bergen" } }],
        finish: "calls",
        usage: { input: 150, cached: 0, output: 96, reasoning: 64 },
      } },
      { say: results([{ text: "9 degrees, calm" }]), answer: {
        text: "Yes, it can.",
        finish: "stop",
        usage: { input: 260, cached: 0, output: 8, reasoning: 0 },
      } },
    ],
  },
};

// The pieces in which a model gives a text: of uneven length, and never none.
export function piecesOf(text) {
  const letters = [...text];
  const pieces = [];
  for (let at = 0, size = 1; at < letters.length; at += size, size = (size * 5) % 11 || 1) {
    pieces.push(letters.slice(at, at + size).join(""));
  }
  return pieces.length > 0 ? pieces : [""];
}
