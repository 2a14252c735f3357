// npm @google/genai.
import assert from "node:assert/strict";
import { ApiError, FunctionCallingConfigMode, GoogleGenAI, ThinkingLevel } from "@google/genai";

const modes = { auto: FunctionCallingConfigMode.AUTO, any: FunctionCallingConfigMode.ANY };

function partOf({ text, image, result }) {
  if (image?.url) return { fileData: { mimeType: "image/png", fileUri: image.url } };
  if (image) return { inlineData: { mimeType: image.type, data: image.data } };
  if (result) {
    const { id, name } = result;
    return { functionResponse: { id, name,
      response: { [result.error ? "error" : "output"]: result.text } } };
  }
  return { text };
}

const contentOf = ({ role, parts }) => (
  { role: role === "assistant" ? "model" : "user", parts: parts.map(partOf) });

const chosen = (choice) => (choice && { toolConfig: { functionCallingConfig: choice.name
  ? { mode: modes.any, allowedFunctionNames: [choice.name] } : { mode: modes[choice] } } });

function request(question, model) {
  const { system, turns, tools, choice, format, effort, max, temperature } = question;
  return {
    model,
    contents: turns.map(contentOf),
    config: {
      systemInstruction: system,
      maxOutputTokens: max,
      ...(temperature && { temperature }),
      ...(tools.length && { tools: [{ functionDeclarations:
        tools.map(({ name, description, schema }) => (
          { name, description, parametersJsonSchema: schema })) }] }),
      ...chosen(choice),
      ...(format && { responseMimeType: "application/json",
        responseJsonSchema: format.schema }),
      ...(effort && { thinkingConfig: { includeThoughts: true,
        thinkingLevel: ThinkingLevel[effort.toUpperCase()] } }),
    },
  };
}

function follow(before, native, turn, choice) {
  return { ...before, config: { ...before.config, ...chosen(choice) },
    contents: [...before.contents, native, contentOf(turn)] };
}

async function streamed(client, body, onText) {
  const chunks = [];
  let text = "";
  for await (const chunk of await client.models.generateContentStream(body)) {
    chunks.push(chunk);
    const parts = chunk.candidates?.[0]?.content?.parts ?? [];
    const said = parts.filter((part) => part.text && !part.thought).map((part) => part.text);
    text += said.join("");
    if (said.length > 0) onText?.(text);
  }
  return chunks;
}

async function ask({ url, key }, body, options) {
  const client = new GoogleGenAI({ apiKey: key, httpOptions: { baseUrl: url } });
  const call = { ...body, config: { ...body.config, abortSignal: options.signal } };
  const chunks = options.stream ? await streamed(client, call, options.onText)
    : [await client.models.generateContent(call)];
  const candidates = chunks.flatMap((chunk) => chunk.candidates ?? []);
  const finished = candidates.filter((candidate) => candidate.finishReason);
  assert.equal(finished.length, 1, "finishReason is told once");
  assert.equal(finished[0], candidates.at(-1), "nothing behind the finishReason");
  const parts = candidates.flatMap((candidate) => candidate.content?.parts ?? [])
    .filter((part) => part.text !== "" || part.thoughtSignature);
  const texts = (thought) => parts.filter((part) => Boolean(part.thought) === thought)
    .map((part) => part.text ?? "").join("");
  const usage = chunks.at(-1).usageMetadata;
  return {
    text: texts(false),
    reasoning: texts(true),
    calls: parts.filter((part) => part.functionCall).map(({ functionCall: call_ }) => (
      { id: call_.id, name: call_.name, args: call_.args ?? {} })),
    finish: finished[0].finishReason,
    usage: {
      input: usage.promptTokenCount,
      cached: usage.cachedContentTokenCount ?? 0,
      output: (usage.candidatesTokenCount ?? 0) + (usage.thoughtsTokenCount ?? 0),
      reasoning: usage.thoughtsTokenCount ?? 0,
    },
    native: { role: "model", parts },
  };
}

function failure(error) {
  assert.ok(error instanceof ApiError, `${error?.stack}`);
  const told = JSON.parse(/\{.*\}/s.exec(error.message)[0]).error;
  return { status: error.status, type: told.status, name: error.name, message: told.message };
}

export const gemini = {
  name: "gemini",
  dialect: "gemini",
  sdk: "@google/genai",
  says: { resultErrors: true },
  request,
  follow,
  ask,
  finishes: { stop: "STOP", length: "MAX_TOKENS", calls: "STOP" },
  failure,
  invalid: { status: 400, type: "INVALID_ARGUMENT", name: "ApiError" },
  limited: { status: 429, type: "RESOURCE_EXHAUSTED", name: "ApiError" },
};
