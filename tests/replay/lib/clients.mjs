// Requests as a plain client writes them, one per API, and how that client tells an error.
import assert from "node:assert/strict";

import { argumentsOf } from "./answers.mjs";

// A member that no API knows, spelled in a way that a parser would not give back.
export const probe = '"x_replay_probe" : [1.50, 1E2, "a\\u00e9", {"deep" : null}]';

const jsonBodies = {
  openai_chat: (prompt) => `"messages":[{"role":"user","content":${prompt}}]`,
  openai_completions: (prompt) => `"prompt":${prompt}`,
  openai_responses: (prompt) => `"input":${prompt}`,
  openai_embeddings: (prompt) => `"input":[${prompt}]`,
  anthropic_messages: (prompt) =>
    `"max_tokens":512,"messages":[{"role":"user","content":${prompt}}]`,
  gemini: (prompt) => `"contents":[{"role":"user","parts":[{"text":${prompt}}]}]`,
  gemini_embedding: (prompt) => `"content":{"parts":[{"text":${prompt}}]}`,
  gemini_embeddings: (prompt) => `"requests":[{"content":{"parts":[{"text":${prompt}}]}}]`,
  images: (prompt) => `"prompt":${prompt}`,
  rerank: (prompt) => `"query":${prompt},"documents":["a","b"]`,
};

const targets = {
  openai_chat: "/v1/chat/completions",
  openai_completions: "/v1/completions",
  openai_responses: "/v1/responses",
  openai_embeddings: "/v1/embeddings",
  anthropic_messages: "/v1/messages",
  images: "/v1/images/generations",
  rerank: "/v1/rerank",
  transcription: "/v1/audio/transcriptions",
};

const embedMethods =
  { gemini_embedding: ":embedContent", gemini_embeddings: ":batchEmbedContents" };

function multipart(model, prompt) {
  const part = (name, value, more = "") =>
    `--replay\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n${value}\r\n`;
  const body = part("model", model) + part("prompt", prompt) +
    part("file", "RIFF....WAVE", '; filename="a.wav"') + "--replay--\r\n";
  return { body, headers: { "content-type": "multipart/form-data; boundary=replay" } };
}

// What to post for a call in this dialect. Options: stream, usage (ask for it in the stream), array
// (Gemini's stream as a JSON array).
export function requestFor(dialect, model, prompt, { stream = false, usage, array } = {}) {
  if (dialect === "transcription") {
    return { target: targets[dialect], ...multipart(model, prompt) };
  }
  const members = [jsonBodies[dialect](JSON.stringify(prompt)), probe];
  let target = targets[dialect];
  if (dialect === "gemini") {
    const method = stream ? `:streamGenerateContent${array ? "" : "?alt=sse"}` : ":generateContent";
    target = `/v1beta/models/${model}${method}`;
  } else if (dialect in embedMethods) {
    target = `/v1beta/models/${model}${embedMethods[dialect]}`;
  } else {
    members.unshift(`"model":"${model}"`);
    if (stream) members.push('"stream":true');
    if (usage) members.push('"stream_options":{"include_usage":true}');
  }
  return { target, body: `{${members.join(", ")}}` };
}

// Errors in the words of each API: asserts the form, gives the message.
const errorForms = {
  openai({ error }) {
    assert.equal(typeof error?.type, "string", "error.type");
    assert.ok("param" in error && "code" in error, "error.param and error.code");
    return error.message;
  },
  anthropic_messages({ type, error }) {
    assert.equal(type, "error");
    assert.match(error.type, /_error$|^request_too_large$/);
    return error.message;
  },
  gemini({ error }) {
    assert.ok(error.code >= 400 && error.code < 600, "error.code");
    assert.match(error.status, /^[A-Z_]+$/);
    return error.message;
  },
};

export function checkError(dialect, value) {
  const message = (errorForms[dialect] ?? errorForms.openai)(value);
  assert.ok(typeof message === "string" && message.length > 0, "the error's message");
  return message;
}

// Some servers send an empty `error` with every chunk.
const says = (error) => (typeof error === "string" ? error !== ""
  : Boolean(error) && Object.keys(error).length > 0);
const isError = {
  openai_chat: (value) => says(value.error) || says(value.x_groq?.error),
  openai_responses: (value) => value.type === "error" || value.type === "response.failed",
  anthropic_messages: (value) => value.type === "error",
};
export function tellsError(dialect, data) {
  const value = argumentsOf(data);
  return (isError[dialect] ?? (({ error }) => Boolean(error)))(value);
}

// Whether the events say that the answer is whole, by the table of docs/dialects.md. `closed`: the
// bytes ended as HTTP has it.
export function isWhole(dialect, events, closed) {
  const values = events.map(argumentsOf);
  const has = (type) => values.some((value) => value.type === type);
  const every = (list, index, finished) => {
    const known = new Map();
    for (const value of values) {
      for (const item of value[list] ?? []) {
        known.set(item.index ?? 0, finished(item) || (known.get(item.index ?? 0) ?? false));
      }
    }
    return known.size > 0 && [...known.values()].every(Boolean);
  };
  switch (dialect) {
    case "openai_chat":
    case "openai_completions":
      return events.includes("[DONE]") ||
        (closed && every("choices", "index", (choice) => Boolean(choice.finish_reason)));
    case "openai_responses":
      return has("response.completed") || has("response.incomplete");
    case "anthropic_messages":
      return has("message_stop");
    case "bedrock_converse":
      return values.some((value) => value.messageStop) &&
        (closed || values.some((value) => value.metadata));
    case "gemini":
      return values.some((value) => value.promptFeedback?.blockReason && !value.candidates) ||
        every("candidates", "index", (candidate) => Boolean(candidate.finishReason));
    default:
      return closed;
  }
}

// The last events that only a success has.
export function isTerminator(dialect, data) {
  if (data === "[DONE]") return true;
  const { type } = argumentsOf(data);
  return ["message_stop", "response.completed", "response.incomplete"].includes(type);
}
