// The accounts of the gateway under test, one for each kind of provider and each way to log in, and
// what a request to such a provider must look like. The model that clients ask for has the
// account's name.
import assert from "node:assert/strict";

import { checkSigned } from "../../matrix/lib/sigv4.mjs";
import { entraToken, googleToken } from "./upstream.mjs";

export const clientKey = "sk-weir-replay-client-key-000001";

const openaiPaths = {
  openai_chat: "/chat/completions",
  openai_completions: "/completions",
  openai_responses: "/responses",
  openai_embeddings: "/embeddings",
  images: "/images/generations",
  transcription: "/audio/transcriptions",
  rerank: "/rerank",
};
const googleMethods = {
  gemini: (stream) => (stream ? ":streamGenerateContent?alt=sse" : ":generateContent"),
  gemini_embedding: () => ":embedContent",
  gemini_embeddings: () => ":batchEmbedContents",
};
const vertex = "/v1/projects/acme/locations/us-central1/publishers";
const signed =
  { id: "AKIAREPLAY", secret: "sk-up-bedrock", region: "us-east-1", service: "bedrock" };
const bearer = (token) => ({ authorization: `Bearer ${token}` });

// provider: what weir.yaml calls the kind; upstream: the provider's name for the model; speaks: the
// dialect in which it answers a conversation; path(dialect, stream); headers: those that must be
// there; names: whether the body says the model.
export const accounts = {
  openai: {
    provider: "openai",
    config: "endpoint: ${UPSTREAM}, api_key: sk-up-openai, organization: org-acme",
    upstream: "gpt-recorded",
    speaks: "openai_chat",
    path: (dialect) => `/v1${openaiPaths[dialect]}`,
    headers: { ...bearer("sk-up-openai"), "openai-organization": "org-acme" },
    names: true,
  },
  compatible: {
    provider: "openai_compatible",
    config: "endpoint: ${UPSTREAM}/local/v1, api_key: sk-up-local, headers: { x-team: replay }",
    upstream: "local-recorded",
    speaks: "openai_chat",
    path: (dialect) => `/local/v1${openaiPaths[dialect]}`,
    headers: { ...bearer("sk-up-local"), "x-team": "replay" },
    names: true,
  },
  "azure-classic": {
    provider: "azure_openai",
    config: 'endpoint: ${UPSTREAM}, api_key: sk-up-azure, api_version: "2024-10-21"',
    upstream: "azure-recorded",
    speaks: "openai_chat",
    path: (dialect) => {
      const place = dialect === "openai_responses" ? "" : "/deployments/azure-recorded";
      return `/openai${place}${openaiPaths[dialect]}?api-version=2024-10-21`;
    },
    headers: { "api-key": "sk-up-azure" },
    names: true,
  },
  "azure-v1": {
    provider: "azure_openai",
    config: "endpoint: ${UPSTREAM}, entra: { tenant: tenant-1, client_id: weir, " +
      "client_secret: sk-up-entra, authority: ${TOKENS} }",
    upstream: "entra-recorded",
    speaks: "openai_chat",
    path: (dialect) => `/openai/v1${openaiPaths[dialect]}`,
    headers: bearer(entraToken),
    names: true,
  },
  anthropic: {
    provider: "anthropic",
    config: "endpoint: ${UPSTREAM}, api_key: sk-up-anthropic",
    upstream: "claude-recorded",
    speaks: "anthropic_messages",
    path: () => "/v1/messages",
    headers: { "x-api-key": "sk-up-anthropic", "anthropic-version": "2023-06-01" },
    names: true,
  },
  "vertex-claude": {
    provider: "vertex_ai",
    shares: "vertex",
    upstream: "claude-vertex-recorded",
    speaks: "anthropic_messages",
    path: (_, stream) => `${vertex}/anthropic/models/claude-vertex-recorded:` +
      (stream ? "streamRawPredict" : "rawPredict"),
    headers: bearer(googleToken),
    body: { anthropic_version: "vertex-2023-10-16" },
  },
  // Servers that have one of OpenAI's two APIs only, and the configuration says so.
  "openai-responses": {
    provider: "openai",
    shares: "openai",
    dialect: "openai_responses",
    upstream: "responses-recorded",
    speaks: "openai_responses",
    path: () => "/v1/responses",
    headers: { ...bearer("sk-up-openai"), "openai-organization": "org-acme" },
    names: true,
  },
  "compatible-chat": {
    provider: "openai_compatible",
    shares: "compatible",
    dialect: "openai_chat",
    upstream: "chat-local-recorded",
    speaks: "openai_chat",
    path: () => "/local/v1/chat/completions",
    headers: { ...bearer("sk-up-local"), "x-team": "replay" },
    names: true,
  },
  "compatible-claude": {
    provider: "openai_compatible",
    shares: "compatible",
    dialect: "anthropic_messages",
    upstream: "claude-local-recorded",
    speaks: "anthropic_messages",
    path: () => "/local/v1/messages",
    headers: bearer("sk-up-local"),
    names: true,
  },
  gemini: {
    provider: "gemini",
    config: "endpoint: ${UPSTREAM}, api_key: sk-up-gemini",
    upstream: "gemini-recorded",
    speaks: "gemini",
    path: (dialect, stream) =>
      `/v1beta/models/gemini-recorded${googleMethods[dialect](stream)}`,
    headers: { "x-goog-api-key": "sk-up-gemini" },
  },
  bedrock: {
    provider: "bedrock",
    config: "endpoint: ${UPSTREAM}, region: us-east-1, access_key_id: AKIAREPLAY, " +
      "secret_access_key: sk-up-bedrock",
    upstream: "amazon.nova-recorded-v1:0",
    speaks: "bedrock_converse",
    path: (_, stream) =>
      `/model/amazon.nova-recorded-v1%3A0/converse${stream ? "-stream" : ""}`,
    headers: {},
    signed,
  },
  // Models of Bedrock that are invoked in forms of their own.
  ...Object.fromEntries([
    ["bedrock-titan", "amazon.titan-embed-recorded-v2:0"],
    ["bedrock-nova", "amazon.nova-2-multimodal-embeddings-v1:0"],
    ["bedrock-cohere", "us.cohere.embed-recorded-v4:0"],
  ].map(([name, upstream]) => [name, {
    provider: "bedrock",
    shares: "bedrock",
    upstream,
    path: () => `/model/${encodeURIComponent(upstream)}/invoke`,
    headers: {},
    signed,
  }])),
  "bedrock-rerank": {
    provider: "bedrock",
    shares: "bedrock",
    upstream: "amazon.rerank-recorded-v1:0",
    path: () => "/rerank",
    headers: {},
    signed,
  },
  // The agents' runtime takes no API keys.
  "bedrock-key": {
    provider: "bedrock",
    config: "endpoint: ${UPSTREAM}, region: us-east-1, api_key: sk-up-bedrock-key",
    upstream: "cohere.rerank-recorded-v3-5:0",
    path: () => "/model/cohere.rerank-recorded-v3-5%3A0/invoke",
    headers: bearer("sk-up-bedrock-key"),
  },
  "vertex-gemini": {
    provider: "vertex_ai",
    shares: "vertex",
    upstream: "gemini-vertex-recorded",
    speaks: "gemini",
    path: (dialect, stream) =>
      `${vertex}/google/models/gemini-vertex-recorded${googleMethods[dialect](stream)}`,
    headers: bearer(googleToken),
  },
};

// The account at which a client of `client` gets that recording translated, or relayed where both
// speak the same.
export function accountFor({ dialect, accounts: names }, client) {
  if (dialect === "openai_responses") return "openai-responses";
  if (dialect === "openai_chat" && client === "openai_responses") return "compatible-chat";
  return names.find((name) => accounts[name].speaks === dialect) ?? names[0];
}

// Dollars per million tokens of every model here, one for each class: numbers that no sum of others
// makes, so a token that is counted as another shows in the cost.
export const prices = {
  input: "2.000003", cache_read: "0.300007", cache_write_5m: "2.500013", cache_write_1h: "4.000037",
  input_audio: "40.000039", input_image: "3.000041", output: "8.000051", output_audio: "80.000059",
  output_image: "30.000061",
};
const perToolCall = "0.010000067";

// What that usage costs, in nano-dollars: each class rounded half up.
export function costOf(usage) {
  const nano = Object.entries(prices).reduce((sum, [name, rate]) => {
    const pico = BigInt(rate.replace(".", ""));  // per token: millionths of a dollar a million
    return sum + (BigInt(usage[name]) * pico + 500n) / 1000n;
  }, 0n);
  return nano + BigInt(usage.tool_calls) * BigInt(perToolCall.replace(".", ""));
}

function priceLines() {
  const rates = Object.entries(prices).map(([name, rate]) => `${name}: ${rate}`).join(", ");
  const models = new Set(Object.values(accounts).map(({ provider, upstream }) =>
    `provider: ${provider}, model: "${upstream}"`));
  const tiers = ["", ", service_tier: flex", ", service_tier: priority",
    ", service_tier: provisioned"];
  return [...models].flatMap((model) => tiers.map((tier) => `  - { ${model}${tier}, ` +
    `usd_per_tool_call: ${perToolCall}, usd_per_million: { ${rates} } }`));
}

export function configuration({ http2 }) {
  const lines = [
    'server: { listen: "127.0.0.1:0", workers: 2, drain: 2s }',
    'admin: { listen: "127.0.0.1:0", token: "${ADMIN_TOKEN}" }',
    // Every recording is answered once: a failure must be seen, not repaired, nor asked after.
    "defaults:",
    "  timeouts: { connect: 5s, first_token: 20s, idle: 20s, total: 60s }",
    "  retries: { attempts: 1 }",
    `keys: [{ name: replay, key: ${clientKey} }]`,
    "accounts:",
    `  - { name: vertex, http2: ${http2}, provider: vertex_ai, project: acme, ` +
      "endpoint: \"${UPSTREAM}\", location: us-central1, " +
      "service_account: \"${SERVICE_ACCOUNT}\", token_endpoint: \"${TOKENS}/token\" }",
  ];
  const quoted = (text) => text.replace(/\$\{(UPSTREAM|TOKENS)\}[^\s,]*/g, '"$&"');
  for (const [name, { provider, config }] of Object.entries(accounts)) {
    if (!config) continue;
    lines.push(`  - { name: ${name}, http2: ${http2}, provider: ${provider}, ` +
      `${quoted(config)} }`);
  }
  lines.push("models:");
  for (const [name, account] of Object.entries(accounts)) {
    const model = account.provider === "azure_openai" ? "deployment" : "model";
    const dialect = account.dialect ? `, dialect: ${account.dialect}` : "";
    lines.push(`  - { name: ${name}, deployments: [{ account: ${account.shares ?? name}, ` +
      `${model}: ${account.upstream}${dialect} }], probe: off }`);
  }
  lines.push("prices:", ...priceLines());
  return `${lines.join("\n")}\n`;
}

// One request, to the right address, with the account's own credentials and no trace of the
// client's. `dialect` is the API that was spoken to the provider; `array`: the client asked for
// Gemini's stream as an array. Gives the body, parsed.
export function checkRequest(plan, name, dialect, stream, array = false) {
  const account = accounts[name];
  assert.equal(plan.requests.length, 1, "requests that the provider got");
  const [request] = plan.requests;
  assert.equal(request.method, "POST");
  const target = account.path(dialect, stream);
  assert.equal(request.url, array ? target.replace("?alt=sse", "") : target);
  for (const [header, value] of Object.entries(account.headers)) {
    assert.equal(request.headers[header], value, header);
  }
  if (account.signed) checkSigned(request, account.signed);
  const whole = JSON.stringify(request);
  assert.ok(!whole.includes(clientKey), "the client's key reached the provider");
  if (!/json/.test(request.headers["content-type"])) return undefined;
  const body = JSON.parse(request.body);
  for (const [member, value] of Object.entries(account.body ?? {})) {
    assert.equal(body[member], value, member);
  }
  if (account.names) assert.equal(body.model, account.upstream, "model");
  else if (account.speaks === "anthropic_messages") assert.ok(!("model" in body), "model");
  if (["openai_chat", "openai_completions"].includes(dialect) && stream) {
    assert.equal(body.stream_options?.include_usage, true, "stream_options.include_usage");
  }
  return body;
}
