// Amazon Bedrock's Converse API, as a provider.
// https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
import assert from "node:assert/strict";

import { eventFrame } from "../lib/event_stream.mjs";
import { fragments, mergeTurns, only } from "../lib/forms.mjs";
import { piecesOf } from "../lib/scenes.mjs";
import { checkSigned } from "../lib/sigv4.mjs";

const model = "anthropic.claude-sonnet-4-5-20250929-v1:0";
const finishes = { stop: "end_turn", length: "max_tokens", calls: "tool_use" };

export const callId = (step, i) => `tooluse_Vt5${step}Qm${i}-Zk_X4`;
const signatureOf = (step) => `EvYBCkgICxABGAIqQA9E9VC${step}/ImVkP+mhvsPGb5oQW2j/E1tZcNFoXIb26==`;

const usageOf = ({ input, cached, output }) => ({
  inputTokens: input - cached, outputTokens: output, totalTokens: input + output,
  cacheReadInputTokens: cached, cacheWriteInputTokens: 0, serverToolUsage: {},
});

function whole(answer, { step }) {
  const content = [];
  if (answer.thinking) {
    content.push({ reasoningContent: { reasoningText: { text: answer.thinking,
      signature: signatureOf(step) } } });
  }
  if (answer.text) content.push({ text: answer.text });
  for (const [i, { name, args }] of (answer.calls ?? []).entries()) {
    content.push({ toolUse: { toolUseId: callId(step, i), name, input: args } });
  }
  return { metrics: { latencyMs: 2202 }, output: { message: { content, role: "assistant" } },
    stopReason: finishes[answer.finish], usage: usageOf(answer.usage) };
}

function* events(answer, context) {
  // `p` is padding of a random length.
  const event = (type, payload) => eventFrame("event", type, { ...payload, p: "abcdefghijk" });
  yield event("messageStart", { role: "assistant" });
  const { content } = whole(answer, context).output.message;
  for (const [contentBlockIndex, block] of content.entries()) {
    const delta = (value) => event("contentBlockDelta", { contentBlockIndex, delta: value });
    if (block.toolUse) {
      const { input, ...start } = block.toolUse;
      yield event("contentBlockStart", { contentBlockIndex, start: { toolUse: start } });
      const text = JSON.stringify(input);
      for (const piece of text === "{}" ? [] : fragments(text)) {
        yield delta({ toolUse: { input: piece } });
      }
    } else if (block.reasoningContent) {
      const { text, signature } = block.reasoningContent.reasoningText;
      for (const piece of piecesOf(text)) yield delta({ reasoningContent: { text: piece } });
      yield delta({ reasoningContent: { signature } });
    } else {
      for (const text of piecesOf(block.text)) yield delta({ text });
    }
    yield event("contentBlockStop", { contentBlockIndex });
  }
  yield event("messageStop", { stopReason: finishes[answer.finish] });
  yield event("metadata", { metrics: { latencyMs: 2040 }, usage: usageOf(answer.usage) });
}

function readBlock(block) {
  const [[kind, value], ...more] = Object.entries(block);
  assert.equal(more.length, 0, "one member in a content block");
  switch (kind) {
    case "text":
      return { text: value };
    case "image":
      only(value, "image", "format", "source");
      return { image: { type: `image/${value.format}`,
        data: only(value.source, "source", "bytes").bytes } };
    case "reasoningContent":
      only(value, "reasoningContent", "reasoningText");
      return { thinking: only(value.reasoningText, "reasoningText", "text", "signature") };
    case "toolUse":
      only(value, "toolUse", "toolUseId", "name", "input");
      return { call: { id: value.toolUseId, name: value.name, args: value.input } };
    case "toolResult": {
      only(value, "toolResult", "toolUseId", "content", "status");
      const [{ text }, ...others] = value.content;
      assert.equal(others.length, 0);
      return { result: { id: value.toolUseId, text, error: value.status === "error" } };
    }
    default:
      return assert.fail(`a block ${kind}`);
  }
}

const effortOf = { 2048: "low", 8192: "medium", 16384: "high" };
const choices = { auto: "auto", any: "any" };

function read(body) {
  only(body, "the body", "system", "messages", "inferenceConfig", "toolConfig", "outputConfig",
    "additionalModelRequestFields");
  const config = only(body.inferenceConfig, "inferenceConfig", "maxTokens", "temperature");
  const more = only(body.additionalModelRequestFields ?? {}, "additional", "thinking");
  if (more.thinking) {
    only(more.thinking, "thinking", "type", "budget_tokens");
    assert.equal(more.thinking.type, "enabled");
    assert.ok(more.thinking.budget_tokens < config.maxTokens);
  }
  const format = body.outputConfig?.textFormat;
  if (format) {
    only(format, "textFormat", "type", "structure");
    assert.equal(format.type, "json_schema");
    only(format.structure.jsonSchema, "jsonSchema", "schema", "name", "description");
  }
  const { tools = [], toolChoice } = only(body.toolConfig ?? {}, "toolConfig", "tools",
    "toolChoice");
  const [chosen] = Object.keys(toolChoice ?? {});
  return {
    system: body.system.map(({ text }) => text).join("\n"),
    turns: mergeTurns(body.messages.map(({ role, content }, i) => {
      assert.equal(role, i % 2 === 0 ? "user" : "assistant", `messages[${i}].role`);
      return { role, parts: content.map(readBlock) };
    })),
    tools: tools.map(({ toolSpec }) => {
      const { name, description, inputSchema } =
        only(toolSpec, "toolSpec", "name", "description", "inputSchema");
      return { name, description, schema: only(inputSchema, "inputSchema", "json").json };
    }),
    choice: chosen === "tool" ? { name: toolChoice.tool.name } : choices[chosen],
    format: format && { schema: JSON.parse(format.structure.jsonSchema.schema) },
    effort: more.thinking && effortOf[more.thinking.budget_tokens],
    max: config.maxTokens,
    temperature: config.temperature,
  };
}

const failed = (status, type, message) =>
  ({ status, headers: { "x-amzn-errortype": type }, body: { message } });

export const bedrockConverse = {
  name: "bedrock_converse",
  dialect: "bedrock_converse",
  models: { plain: model, thinking: model },
  account: "provider: bedrock, endpoint: \"${UPSTREAM}\", region: us-east-1, " +
    "access_key_id: AKIAMATRIX, secret_access_key: sk-up-bedrock",
  deployment: "dialect: bedrock_converse",
  path: (name, stream) => `/model/${encodeURIComponent(name)}/` +
    (stream ? "converse-stream" : "converse"),
  headers: () => ({}),
  checkHead: (request) => checkSigned(request, { id: "AKIAMATRIX", secret: "sk-up-bedrock",
    region: "us-east-1", service: "bedrock" }),
  callId,
  signatureOf,
  type: "application/vnd.amazon.eventstream",
  whole,
  events,
  read,
  // Images come as bytes or from S3: one at any other place cannot be named.
  expected: ({ model: _, stream, ...question }) => ({ ...question,
    turns: question.turns.map(({ role, parts }) => (
      { role, parts: parts.filter(({ image }) => !image?.url) })) }),
  says: { resultErrors: true, signatures: true, noReasoningTokens: true },
  errors: {
    invalid: failed(400, "ValidationException", "The request is not valid: pier 7 is closed."),
    limited: failed(429, "ThrottlingException", "Too many requests at pier 7."),
    event: () => [eventFrame("exception", "modelStreamErrorException",
      { message: "The model had an error at pier 7.", originalStatusCode: 500 })],
  },
};
