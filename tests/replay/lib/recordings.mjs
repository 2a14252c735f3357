// The recordings, and what each of them is: the API whose answer it holds and the kinds of provider
// that give such answers. Chosen by rules over the folder's name and the content, never by file, so
// that a recording added tomorrow is replayed without a change here.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";

const suite = path.resolve(import.meta.dirname, "..");
export const sharedFolder =
  path.resolve(suite, "../../../shared/fixtures/recorded-provider-replies");
// Made by hand for what the recordings of shared/ may lack; the same format.
const ownFolder = path.join(suite, "made");

// By the shape: a folder is a package of an SDK and holds several APIs.
export function dialectOf(value) {
  if (Array.isArray(value) || value === null || typeof value !== "object") return undefined;
  const type = typeof value.type === "string" ? value.type : "";
  if (Array.isArray(value.candidates) || value.promptFeedback) return "gemini";
  if (value.object === "text_completion") return "openai_completions";
  if (Array.isArray(value.choices)) return "openai_chat";
  if (value.object === "response" || type.startsWith("response.")) return "openai_responses";
  if (type === "message" || type === "message_start") return "anthropic_messages";
  if (value.output?.message || value.messageStart || value.contentBlockStart ||
    value.contentBlockDelta) {
    return "bedrock_converse";
  }
  if (Array.isArray(value.data) && value.data[0]?.embedding) return "openai_embeddings";
  if (value.response_type?.startsWith("embeddings_")) return "bedrock_cohere";
  if (Array.isArray(value.embedding?.values)) return "gemini_embedding";
  if (Array.isArray(value.embeddings) && value.embeddings[0]?.values) return "gemini_embeddings";
  if (Array.isArray(value.data) && (value.data[0]?.b64_json || value.data[0]?.url)) return "images";
  if (Array.isArray(value.embedding)) return "bedrock_titan";
  if (Array.isArray(value.embeddings) && value.embeddings[0]?.embeddingType) return "bedrock_nova";
  if (Array.isArray(value.results) && value.results[0]?.relevanceScore) return "bedrock_rerank";
  if (Array.isArray(value.results) && value.results[0]?.relevance_score) return "rerank";
  if (typeof value.text === "string" && ("segments" in value || "duration" in value)) {
    return "transcription";
  }
  return undefined;
}

// An answer that is nothing but an error has no shape of its own: the folder tells whose it is.
function dialectOfFolder(folder) {
  if (/responses/.test(folder)) return "openai_responses";
  if (/completion/.test(folder)) return "openai_completions";
  if (/anthropic/.test(folder)) return "anthropic_messages";
  if (/^google(-vertex)?$/.test(folder)) return "gemini";
  if (/bedrock|interactions|speech/.test(folder)) return undefined;
  return "openai_chat";
}

const notServed = [
  [/interactions/, "Google's Interactions API is not served"],
  [/speech|live/, "Google's Live API is not served"],
];

// The accounts of gateway.mjs through which a recording is replayed, the first one in most detail.
const defaults = {
  openai_chat: ["compatible", "openai"],
  openai_completions: ["compatible", "openai"],
  openai_responses: ["openai", "compatible", "openai-responses"],
  openai_embeddings: ["openai", "compatible"],
  anthropic_messages: ["anthropic", "vertex-claude", "compatible-claude"],
  gemini: ["gemini", "vertex-gemini"],
  bedrock_converse: ["bedrock"],
  bedrock_titan: ["bedrock-titan"],
  bedrock_nova: ["bedrock-nova"],
  bedrock_cohere: ["bedrock-cohere"],
  bedrock_rerank: ["bedrock-rerank"],
  gemini_embedding: ["gemini"],
  gemini_embeddings: ["gemini"],
  images: ["openai"],
  rerank: ["compatible"],
  transcription: ["compatible"],
};

function accountsOf(folder, dialect) {
  const openai = dialect.startsWith("openai_");
  if (/^azure/.test(folder) && openai) return ["azure-v1", "azure-classic"];
  if (/^openai/.test(folder) && !/compatible/.test(folder) && openai) {
    return ["openai", "azure-classic", "azure-v1", "compatible"];
  }
  if (/bedrock-invoked/.test(folder)) return ["bedrock-key"];
  if (/vertex/.test(folder) && dialect === "gemini") return ["vertex-gemini", "gemini"];
  if (/vertex/.test(folder) && dialect === "anthropic_messages") {
    return ["vertex-claude", "anthropic"];
  }
  return defaults[dialect];
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const endsTurn = {
  anthropic_messages: ["message_stop"],
  openai_responses: [
    "response.completed", "response.incomplete", "response.failed", "response.cancelled"],
};

// A file may hold the streams of several turns, one behind the other.
function turnsOf(dialect, lines) {
  const ends = endsTurn[dialect];
  if (!ends) return [lines];
  const turns = [[]];
  for (const line of lines) {
    turns.at(-1).push(line);
    if (ends.includes(parsed(line)?.type)) turns.push([]);
  }
  if (turns.at(-1).length === 0) turns.pop();
  return turns;
}

function readOne(folder, file, text) {
  const streamed = file.endsWith(".chunks.txt");
  const name = `${folder}/${file.replace(/\.chunks\.txt$/, " (stream)").replace(/\.json$/, "")}`;
  // The wire's terminator is put back by wire.mjs, whether a file holds it or not.
  const lines = streamed ? text.split(/\r?\n/).filter((line) => !/^(\s*|\[DONE\])$/.test(line))
    : [text];
  const values = lines.map(parsed);
  const refusal = notServed.find(([pattern]) => pattern.test(folder))?.[1];
  let dialect = values.map(dialectOf).find(Boolean);
  if (!dialect && values.some((value) => value?.error || value?.type === "error")) {
    dialect = dialectOfFolder(folder);
  }
  if (!dialect) return { name, reason: refusal ?? "no served API answers in this form" };
  const accounts = accountsOf(folder, dialect);
  // Cohere's form of an answer is its clients' as well, but the request is Bedrock's.
  if (accounts[0] === "bedrock-key") dialect = "bedrock_rerank";
  return { name, folder, dialect, streamed, text, lines, accounts };
}

// { recordings, skipped: [{name, reason}], absent }. A recording: { name, folder, dialect,
// streamed, accounts }, with `text` (whole) or `lines` (stream) and `turns`, each a recording of
// its own.
export function load() {
  const recordings = [];
  const skipped = [];
  for (const root of [sharedFolder, ownFolder]) {
    if (!existsSync(root)) continue;
    for (const file of readdirSync(root, { recursive: true }).sort()) {
      if (!file.endsWith(".json") && !file.endsWith(".chunks.txt")) continue;
      const folder = path.dirname(file).split(path.sep).at(-1);
      const text = readFileSync(path.join(root, file), "utf8");
      const recording = readOne(folder, path.basename(file), text);
      if (recording.reason) {
        skipped.push(recording);
        continue;
      }
      const turns = recording.streamed ? turnsOf(recording.dialect, recording.lines) : [];
      recording.turns = turns.length < 2 ? [recording] : turns.map((lines, i) => (
        { ...recording, name: `${recording.name} turn ${i + 1}`, lines }));
      recordings.push(recording);
    }
  }
  return { recordings, skipped, absent: !existsSync(sharedFolder) };
}
