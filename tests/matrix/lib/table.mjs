// The table of docs/dialects.md, made from what a run has found: a row per pair, a column per
// feature, in each field the marks of {whole, stream}.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";

import { notesOf } from "./losses.mjs";
import { cells, clients, features, modes, providers } from "./world.mjs";

const root = path.resolve(import.meta.dirname, "../../..");
const page = path.join(root, "docs/dialects.md");
const begin = "<!-- tests/matrix/run --write: begin -->\n";
const end = "<!-- tests/matrix/run --write: end -->\n";

function render(passed) {
  const notes = [];
  const marksOf = (client, provider, feature) => {
    const field = cells.filter((cell) => cell.client === client &&
      cell.provider === provider && cell.feature === feature);
    if (field.length === 0) return "";
    const marks = modes.map((mode) => {
      const cell = field.find((one) => one.mode === mode);
      return passed.get(cell) ? "✓" : "✗";
    }).join(" ");
    const numbers = notesOf(field[0]).map(({ text }) => {
      if (!notes.includes(text)) notes.push(text);
      return `[${notes.indexOf(text) + 1}]`;
    });
    return [marks, ...numbers].join(" ");
  };
  const lines = [
    `| client | provider | ${features.join(" | ")} |`,
    `|---|---|${features.map(() => "---").join("|")}|`,
  ];
  for (const provider of providers) {
    for (const client of clients) {
      const fields = features.map((feature) => marksOf(client, provider, feature));
      lines.push(`| ${client.name} | ${provider.name} | ${fields.join(" | ")} |`);
    }
  }
  lines.push("", "Not expressible in the provider's API:", "",
    ...notes.map((text, i) => `${i + 1}. ${text}.`), "");
  return lines.join("\n");
}

// Writes the table to build/matrix/ and, if `write`, into the page; tells how the page differs.
export function compareTable(passed, write) {
  const table = render(passed);
  const folder = path.join(root, "build/matrix");
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, "table.md"), table);
  const text = readFileSync(page, "utf8");
  const from = text.indexOf(begin) + begin.length;
  const to = text.indexOf(end);
  if (to < 0 || from < begin.length) return `${page} lacks its marks ${begin}... ${end}`;
  if (write) writeFileSync(page, `${text.slice(0, from)}\n${table}\n${text.slice(to)}`);
  else if (text.slice(from, to) !== `\n${table}\n`) {
    return "docs/dialects.md has another table than build/matrix/table.md. Where that one is " +
      "right: tests/matrix/run --write";
  }
  return undefined;
}
