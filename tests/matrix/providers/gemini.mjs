// Google's Gemini API, as a provider. https://ai.google.dev/api/generate-content
import assert from "node:assert/strict";

import { mergeTurns, only, sse } from "../lib/forms.mjs";
import { piecesOf } from "../lib/scenes.mjs";

const models = { plain: "gemini-2.5-flash", thinking: "gemini-3-flash-preview" };
const finishes = { stop: "STOP", length: "MAX_TOKENS", calls: "STOP" };

const signatureOf = (step) => `Eqo+Cqc${step}Ab4+9vtgONaaz6qwy6WXdp7gCd2w0X/Wz2gaBgY0Gv6A12JK==`;

function partsOf(answer, step) {
  return (answer.calls ?? []).map(({ name, args }, i) => ({
    functionCall: { name, args },
    // Of parallel calls only the first one carries the signature.
    ...(answer.thinking && i === 0 && { thoughtSignature: signatureOf(step) }),
  }));
}

function bodyOf({ usage }, { model, step }, parts, finishReason) {
  return {
    candidates: [{ content: { parts, role: "model" },
      ...(finishReason && { finishReason }), index: 0 }],
    usageMetadata: {
      promptTokenCount: usage.input,
      ...(usage.cached && { cachedContentTokenCount: usage.cached }),
      candidatesTokenCount: finishReason ? usage.output - usage.reasoning : 1,
      totalTokenCount: usage.input + usage.output,
      promptTokensDetails: [{ modality: "TEXT", tokenCount: usage.input }],
      ...(usage.reasoning && { thoughtsTokenCount: usage.reasoning }),
    },
    modelVersion: model,
    responseId: `JniLac${step}qGqH0`,
  };
}

function whole(answer, context) {
  const parts = [];
  if (answer.thinking) parts.push({ text: answer.thinking, thought: true });
  if (answer.text) parts.push({ text: answer.text });
  return bodyOf(answer, context, [...parts, ...partsOf(answer, context.step)],
    finishes[answer.finish]);
}

function* events(answer, context) {
  const chunk = (parts, reason) => sse(bodyOf(answer, context, parts, reason), { eol: "\r\n" });
  for (const text of answer.thinking ? piecesOf(answer.thinking) : []) {
    yield chunk([{ text, thought: true }]);
  }
  for (const text of answer.text ? piecesOf(answer.text) : []) yield chunk([{ text }]);
  // Each call whole, in a chunk of its own.
  for (const part of partsOf(answer, context.step)) yield chunk([part]);
  yield chunk([{ text: "" }], finishes[answer.finish]);
}

function readResponse({ functionResponse: value }) {
  only(value, "functionResponse", "name", "response", "id");
  const [[key, text], ...more] = Object.entries(value.response);
  assert.equal(more.length, 0);
  assert.ok(["output", "error"].includes(key), `response.${key}`);
  return { result: { name: value.name, text, error: key === "error" } };
}

function readPart(part) {
  if (part.functionResponse) return readResponse(only(part, "part", "functionResponse"));
  if (part.functionCall) {
    only(part, "part", "functionCall", "thoughtSignature");
    const { name, args } = only(part.functionCall, "functionCall", "name", "args", "id");
    return { call: { name, args, signature: part.thoughtSignature } };
  }
  if (part.inlineData) {
    const { mimeType: type, data } = only(part.inlineData, "inlineData", "mimeType", "data");
    return { image: { type, data } };
  }
  if (part.fileData) {
    const { fileUri: url, mimeType } = only(part.fileData, "fileData", "fileUri", "mimeType");
    assert.equal(mimeType, "image/png");
    return { image: { url } };
  }
  only(part, "part", "text", "thought");
  return part.thought ? { thinking: { text: part.text } } : { text: part.text };
}

// A thought comes in pieces when it was streamed, and goes back in them.
function joined(parts) {
  const out = [];
  for (const part of parts) {
    const last = out.at(-1);
    if (part.thinking && last?.thinking) last.thinking.text += part.thinking.text;
    else out.push(part);
  }
  return out.filter((part) => part.text !== "");
}

function readTurn({ role, parts }) {
  assert.ok(["user", "model"].includes(role), role);
  return { role: role === "model" ? "assistant" : "user", parts: joined(parts.map(readPart)) };
}

const modes = { AUTO: "auto", NONE: "none", ANY: "any" };

function read(body) {
  only(body, "the body", "contents", "systemInstruction", "tools", "toolConfig",
    "generationConfig");
  const config = only(body.generationConfig ?? {}, "generationConfig", "maxOutputTokens",
    "temperature", "responseMimeType", "responseJsonSchema", "thinkingConfig");
  if (config.responseJsonSchema) assert.equal(config.responseMimeType, "application/json");
  const thinking = config.thinkingConfig &&
    only(config.thinkingConfig, "thinkingConfig", "thinkingLevel", "includeThoughts");
  if (thinking) assert.equal(thinking.includeThoughts, true, "includeThoughts");
  const calling = body.toolConfig?.functionCallingConfig;
  const [tools] = body.tools ?? [];
  return {
    system: body.systemInstruction.parts.map(({ text }) => text).join("\n"),
    turns: mergeTurns(body.contents.map(readTurn)),
    tools: (tools?.functionDeclarations ?? []).map((tool) => {
      const { name, description, parametersJsonSchema: schema } =
        only(tool, "functionDeclaration", "name", "description", "parametersJsonSchema");
      return { name, description, schema };
    }),
    choice: calling?.allowedFunctionNames ? { name: calling.allowedFunctionNames[0] }
      : modes[calling?.mode],
    format: config.responseJsonSchema && { schema: config.responseJsonSchema },
    effort: thinking?.thinkingLevel?.toLowerCase(),
    max: config.maxOutputTokens,
    temperature: config.temperature,
  };
}

// Calls and results have no ids of their own: place and name tell. The signature is the call's.
function expected({ model, stream, ...question }, client) {
  const turns = question.turns.map(({ role, parts }) => {
    const thinking = parts.find((part) => part.thinking)?.thinking;
    // Thoughts go back to Google only from its own clients, which send back all they got.
    const kept = client === "gemini" && thinking ? [{ thinking: { text: thinking.text } }] : [];
    let first = true;
    for (const part of parts) {
      if (part.thinking) continue;
      if (part.call) {
        const { name, args } = part.call;
        kept.push({ call: { name, args, signature: first ? thinking?.signature : undefined } });
        first = false;
      } else if (part.result) {
        const { id, ...rest } = part.result;
        kept.push({ result: rest });
      } else {
        kept.push(part);
      }
    }
    return { role, parts: kept };
  });
  return { ...question, turns };
}

export const gemini = {
  name: "gemini",
  dialect: "gemini",
  models,
  account: "provider: gemini, endpoint: \"${UPSTREAM}\", api_key: sk-up",
  path: (model, stream) => `/v1beta/models/${model}:` +
    (stream ? "streamGenerateContent?alt=sse" : "generateContent"),
  headers: () => ({ "x-goog-api-key": "sk-up" }),
  signatureOf,
  type: "text/event-stream",
  whole,
  events,
  read,
  expected,
  says: { resultErrors: true, resultNames: true, signatures: true },
  errors: {
    invalid: { status: 400, body: { error: { code: 400, message: "Pier 7 is closed.",
      status: "INVALID_ARGUMENT" } } },
    limited: { status: 429, headers: { "retry-after": "7" }, body: { error: { code: 429,
      message: "Quota exceeded at pier 7.", status: "RESOURCE_EXHAUSTED", details: [{
        "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "7s" }] } } },
    event: () => [sse({ error: { code: 503, message: "Overloaded at pier 7.",
      status: "UNAVAILABLE" } }, { eol: "\r\n" })],
  },
};
