// All cells of the matrix, and the gateway's configuration for them: each cell is a model of its
// own, so the ledger tells them apart; those that see failures have accounts of their own, because
// the gateway learns from failures.
import { chat } from "../clients/openai_chat.mjs";
import { messages } from "../clients/anthropic_messages.mjs";
import { gemini as geminiClient } from "../clients/gemini.mjs";
import { responses } from "../clients/openai_responses.mjs";
import { anthropicMessages } from "../providers/anthropic_messages.mjs";
import { bedrockConverse } from "../providers/bedrock_converse.mjs";
import { bedrockInvoke } from "../providers/bedrock_invoke.mjs";
import { gemini } from "../providers/gemini.mjs";
import { openaiChat } from "../providers/openai_chat.mjs";
import { openaiResponses } from "../providers/openai_responses.mjs";

export const clients = [chat, responses, messages, geminiClient];
export const providers = [
  openaiChat, openaiResponses, anthropicMessages, gemini, bedrockConverse, bedrockInvoke,
];
export const features = ["text", "tools", "parallel tools", "image in", "structured output",
  "reasoning", "error", "abort"];
export const modes = ["whole", "stream"];

export const clientKey = "sk-weir-matrix-client-key-000001";

export const cells = providers.flatMap((provider) => clients.flatMap((client) =>
  features.flatMap((feature) => modes.map((mode) => ({
    provider, client, feature, mode, stream: mode === "stream",
    name: `${client.name} to ${provider.name}, ${feature}, ${mode}`,
    model: [client.name, provider.name, feature.replaceAll(" ", "-"), mode].join("."),
    upstreamModel: provider.models[feature === "reasoning" ? "thinking" : "plain"],
  })))));

// The models of a cell; a mid-stream failure is not mixed up with those before the stream.
export const modelsOf = ({ feature, model, stream }) =>
  (feature === "error" && stream ? [model, `${model}.inside`] : [model]);

export function configuration({ http2 }) {
  const accounts = [];
  const models = [];
  for (const { name, account } of providers) accounts.push([name, account]);
  for (const cell of cells) {
    const { account, name, deployment } = cell.provider;
    for (const model of modelsOf(cell)) {
      const own = cell.feature === "error";
      if (own) accounts.push([model, account]);
      models.push(`  - { name: ${model}, deployments: [{ account: ${own ? model : name}, ` +
        `model: "${cell.upstreamModel}"${deployment ? `, ${deployment}` : ""} }] }`);
    }
  }
  const kindOf = (account) => /provider: (\w+)/.exec(account)[1];
  const priced = new Set(providers.flatMap(({ account, models: names }) =>
    Object.values(names).map((name) => `{ provider: ${kindOf(account)}, model: "${name}", ` +
      "usd_per_million: { input: 1, cache_read: 0.5, output: 2 } }")));
  return [
    'server: { listen: "127.0.0.1:0", workers: 2, drain: 2s }',
    'admin: { listen: "127.0.0.1:0", token: "${ADMIN_TOKEN}" }',
    "defaults:",
    "  timeouts: { connect: 5s, first_token: 20s, idle: 20s, total: 60s }",
    // A failure must be seen, not repaired.
    "  retries: { attempts: 1 }",
    `keys: [{ name: matrix, key: ${clientKey} }]`,
    "accounts:",
    ...accounts.map(([name, config]) => `  - { name: ${name}, http2: ${http2}, ${config} }`),
    "models:",
    ...models,
    "prices:",
    ...[...priced].map((line) => `  - ${line}`),
    "",
  ].join("\n");
}
