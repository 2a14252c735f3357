// Claude at Amazon Bedrock by InvokeModel: Anthropic's own bodies, in Amazon's frames.
// https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages.html
import assert from "node:assert/strict";

import { eventFrame } from "../lib/event_stream.mjs";
import { anthropicMessages, eventData } from "./anthropic_messages.mjs";
import { bedrockConverse } from "./bedrock_converse.mjs";

function* events(answer, context) {
  for (const data of eventData(answer, context)) {
    const { input, output } = answer.usage;
    if (data.type === "message_stop") {
      data["amazon-bedrock-invocationMetrics"] = { inputTokenCount: input,
        outputTokenCount: output, invocationLatency: 2202, firstByteLatency: 410 };
    }
    const bytes = Buffer.from(JSON.stringify(data)).toString("base64");
    yield eventFrame("event", "chunk", { bytes, p: "abcdefghijk" });
  }
}

function read({ anthropic_version: version, ...body }) {
  assert.equal(version, "bedrock-2023-05-31");
  assert.ok(!("model" in body) && !("stream" in body), "model and stream are said by the path");
  return anthropicMessages.read(body);
}

export const bedrockInvoke = {
  ...bedrockConverse,
  name: "bedrock_invoke",
  dialect: "anthropic_messages",
  deployment: "dialect: anthropic_messages",
  path: (model, stream) => `/model/${encodeURIComponent(model)}/` +
    (stream ? "invoke-with-response-stream" : "invoke"),
  callId: anthropicMessages.callId,
  signatureOf: anthropicMessages.signatureOf,
  whole: anthropicMessages.whole,
  events,
  read,
  expected: ({ model, stream, ...question }) => question,
  // An image by its address is sent and Bedrock refuses it, with words of its own.
  says: { ...anthropicMessages.says, bytesOnly: true },
};
