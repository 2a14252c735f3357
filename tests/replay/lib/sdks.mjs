// The vendors' SDKs as clients of Weir, unmodified: one call each, whole or streamed, and what the
// caller of the SDK sees, in the form of answers.mjs.
import assert from "node:assert/strict";

import Anthropic from "@anthropic-ai/sdk";
import { GoogleGenAI } from "@google/genai";
import OpenAI from "openai";

import { withHead } from "../../lib/heads.mjs";
import { answerOf, argumentsOf, finishOf } from "./answers.mjs";

const parameters = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
};
const system = "You answer from recordings.";
const tool = { name: "get_weather", description: "The weather of a city." };

// --- openai ---

function openaiAnswer(completion, reasoning) {
  const { message, finish_reason: reason } = completion.choices[0];
  const calls = (message.tool_calls ?? []).map((call) => (
    { name: call.function.name, args: argumentsOf(call.function.arguments) }));
  const usage = completion.usage;
  return {
    text: (message.content ?? "") + (message.refusal ?? ""),
    reasoning,
    images: message.images?.length ?? 0,
    calls,
    finish: finishOf("openai_chat", reason, calls),
    usage: usage && {
      input: usage.prompt_tokens,
      cached: usage.prompt_tokens_details?.cached_tokens ?? 0,
      written: 0,
      output: usage.completion_tokens,
      reasoning: usage.completion_tokens_details?.reasoning_tokens ?? 0,
    },
  };
}

async function openai({ url, key, model, prompt, stream }) {
  const client = new OpenAI({ apiKey: key, baseURL: `${url}/v1`, maxRetries: 0 });
  const body = {
    model,
    messages: [{ role: "system", content: system }, { role: "user", content: prompt }],
    max_completion_tokens: 512,
    tools: [{ type: "function", function: { ...tool, parameters } }],
  };
  if (!stream) {
    const completion = await client.chat.completions.create(body);
    return openaiAnswer(completion, completion.choices[0].message.reasoning_content ?? "");
  }
  const running = client.chat.completions.stream(
    { ...body, stream_options: { include_usage: true } });
  // The helper does not gather what is no part of OpenAI's own API.
  let reasoning = "";
  let images = 0;
  running.on("chunk", (chunk) => {
    reasoning += chunk.choices[0]?.delta.reasoning_content ?? "";
    images += chunk.choices[0]?.delta.images?.length ?? 0;
  });
  return { ...openaiAnswer(await running.finalChatCompletion(), reasoning), images };
}

// --- openai, Responses ---

async function responses({ url, key, model, prompt, stream }) {
  const client = new OpenAI({ apiKey: key, baseURL: `${url}/v1`, maxRetries: 0 });
  const body = {
    model,
    instructions: system,
    input: prompt,
    max_output_tokens: 512,
    store: false,
    include: ["reasoning.encrypted_content"],
    tools: [{ type: "function", ...tool, parameters, strict: false }],
  };
  const response = stream ? await client.responses.stream(body).finalResponse()
    : await client.responses.create(body);
  const answer = answerOf(
    { dialect: "openai_responses", streamed: false, lines: [JSON.stringify(response)] });
  assert.equal(response.output_text, response.output.flatMap(({ content }) => content ?? [])
    .filter(({ type }) => type === "output_text").map(({ text }) => text).join(""));
  const { usage } = response;
  return { ...answer, usage: usage && {
    input: usage.input_tokens,
    cached: usage.input_tokens_details.cached_tokens,
    written: 0,
    output: usage.output_tokens,
    reasoning: usage.output_tokens_details.reasoning_tokens,
  } };
}

// --- @anthropic-ai/sdk ---

async function anthropic({ url, key, model, prompt, stream }) {
  const client = new Anthropic({ apiKey: key, baseURL: url, maxRetries: 0 });
  const body = {
    model,
    system,
    messages: [{ role: "user", content: prompt }],
    max_tokens: 512,
    tools: [{ ...tool, input_schema: parameters }],
  };
  const message = stream ? await client.messages.stream(body).finalMessage()
    : await client.messages.create(body);
  const of = (type) => message.content.filter((block) => block.type === type);
  const calls = of("tool_use").map(({ name, input }) => ({ name, args: input }));
  const { usage } = message;
  const cached = usage.cache_read_input_tokens ?? 0;
  const written = usage.cache_creation_input_tokens ?? 0;
  return {
    text: of("text").map((block) => block.text).join(""),
    reasoning: of("thinking").map((block) => block.thinking).join(""),
    images: 0,
    calls,
    finish: finishOf("anthropic_messages", message.stop_reason, calls),
    usage: {
      input: usage.input_tokens + cached + written,
      cached,
      written,
      output: usage.output_tokens,
      reasoning: usage.output_tokens_details?.thinking_tokens ?? 0,
    },
  };
}

// --- @google/genai ---

async function genai({ url, key, model, prompt, stream }) {
  const client = new GoogleGenAI({ apiKey: key, httpOptions: { baseUrl: url } });
  const body = {
    model,
    contents: prompt,
    config: {
      systemInstruction: system,
      maxOutputTokens: 512,
      tools: [{ functionDeclarations: [{ ...tool, parametersJsonSchema: parameters }] }],
    },
  };
  const chunks = [];
  if (stream) {
    for await (const chunk of await client.models.generateContentStream(body)) chunks.push(chunk);
  } else {
    chunks.push(await client.models.generateContent(body));
  }
  // Chunks come for one candidate each.
  const first = chunks.flatMap((chunk) => chunk.candidates ?? [])
    .filter((candidate) => (candidate.index ?? 0) === 0);
  const parts = first.flatMap((candidate) => candidate.content?.parts ?? []);
  const texts = (thought) => parts.filter((part) => Boolean(part.thought) === thought)
    .map((part) => part.text ?? "").join("");
  const calls = parts.filter((part) => part.functionCall)
    .map(({ functionCall }) => ({ name: functionCall.name, args: functionCall.args ?? {} }));
  const usage = chunks.findLast((chunk) => chunk.usageMetadata)?.usageMetadata;
  const reason = first.findLast((candidate) => candidate.finishReason)?.finishReason;
  return {
    text: texts(false),
    reasoning: texts(true),
    images: parts.filter((part) => part.inlineData).length,
    calls,
    finish: finishOf("gemini", reason, calls),
    usage: usage && {
      input: usage.promptTokenCount ?? 0,
      cached: usage.cachedContentTokenCount ?? 0,
      written: 0,
      output: (usage.candidatesTokenCount ?? 0) + (usage.thoughtsTokenCount ?? 0),
      reasoning: usage.thoughtsTokenCount ?? 0,
    },
  };
}

const calls = { openai_chat: openai, openai_responses: responses, anthropic_messages: anthropic,
  gemini: genai };
export const sdkNames = {
  openai_chat: "openai",
  openai_responses: "openai, responses",
  anthropic_messages: "@anthropic-ai/sdk",
  gemini: "@google/genai",
};

// { answer or error, head: {status, headers} }.
export function callSdk(dialect, options) {
  return withHead(() => calls[dialect](options));
}
