// What an account needs at each provider, as docs/accounts.md has it: which fields a form shows,
// in which order, and which of them prove who one is.
import type { MessageName } from "./i18n";

export interface ProviderField {
  field: string; // its path in the configuration
  text: MessageName;
  secret?: boolean;
  required?: boolean;
  placeholder?: string;
  hint?: MessageName;
}
// Ways to prove who one is, of which one is taken.
export interface Way {
  text: MessageName;
  fields: ProviderField[];
}
export interface Provider {
  id: string;
  name: string;
  fields: ProviderField[];
  ways: Way[];
  more: ProviderField[]; // seldom needed
  fileOnly?: boolean; // its credential is a file of the machine
}

const key = (required: boolean, placeholder: string): ProviderField => ({
  field: "api_key",
  text: "accounts.api_key",
  secret: true,
  required,
  placeholder,
});
const endpoint = (placeholder: string, required = false): ProviderField => ({
  field: "endpoint",
  text: "accounts.endpoint",
  placeholder,
  required,
});

export const providers: Provider[] = [
  {
    id: "openai",
    name: "OpenAI",
    fields: [],
    ways: [{ text: "accounts.by_key", fields: [key(true, "sk-…")] }],
    more: [
      { field: "organization", text: "accounts.organization", placeholder: "org-…" },
      endpoint("https://api.openai.com/v1"),
    ],
  },
  {
    id: "anthropic",
    name: "Anthropic",
    fields: [],
    ways: [{ text: "accounts.by_key", fields: [key(true, "sk-ant-…")] }],
    more: [
      { field: "api_version", text: "accounts.api_version", placeholder: "2023-06-01" },
      endpoint("https://api.anthropic.com"),
    ],
  },
  {
    id: "gemini",
    name: "Google Gemini",
    fields: [],
    ways: [{ text: "accounts.by_key", fields: [key(true, "AIza…")] }],
    more: [endpoint("https://generativelanguage.googleapis.com")],
  },
  {
    id: "azure_openai",
    name: "Azure OpenAI",
    fields: [endpoint("https://acme.openai.azure.com", true)],
    ways: [
      { text: "accounts.by_key", fields: [key(true, "")] },
      {
        text: "accounts.by_entra",
        fields: [
          { field: "entra.tenant", text: "accounts.tenant", required: true },
          { field: "entra.client_id", text: "accounts.client_id", required: true },
          {
            field: "entra.client_secret",
            text: "accounts.client_secret",
            secret: true,
            required: true,
          },
        ],
      },
    ],
    more: [
      {
        field: "api_version",
        text: "accounts.api_version",
        placeholder: "2024-10-21",
        hint: "accounts.azure_version_hint",
      },
    ],
  },
  {
    id: "bedrock",
    name: "Amazon Bedrock",
    fields: [
      { field: "region", text: "accounts.region", required: true, placeholder: "us-east-1" },
    ],
    ways: [
      {
        text: "accounts.by_access_key",
        fields: [
          { field: "access_key_id", text: "accounts.access_key_id", required: true, secret: true },
          {
            field: "secret_access_key",
            text: "accounts.secret_access_key",
            secret: true,
            required: true,
          },
          { field: "session_token", text: "accounts.session_token", secret: true },
        ],
      },
      { text: "accounts.by_bedrock_key", fields: [key(true, "")] },
      {
        text: "accounts.by_environment",
        fields: [{ field: "profile", text: "accounts.profile", placeholder: "default" }],
      },
    ],
    more: [endpoint("https://bedrock-runtime.us-east-1.amazonaws.com")],
  },
  {
    id: "openai_compatible",
    name: "vLLM, Ollama, Groq, Mistral, …",
    fields: [
      { ...endpoint("http://127.0.0.1:8000/v1", true), hint: "accounts.compatible_hint" },
    ],
    ways: [{ text: "accounts.by_key", fields: [key(false, "")] }],
    more: [],
  },
  {
    id: "vertex_ai",
    name: "Google Vertex AI",
    fields: [],
    ways: [],
    more: [],
    fileOnly: true,
  },
];

export const limitFields: ProviderField[] = [
  { field: "limits.rpm", text: "keys.rpm" },
  { field: "limits.tpm", text: "keys.tpm" },
  { field: "limits.concurrency", text: "keys.concurrency" },
];

export function providerName(id: string): string {
  const found = providers.find((provider) => provider.id === id);
  return found === undefined || id === "openai_compatible" ? id : found.name;
}

// A member of nested objects by its path: at({limits: {rpm: 5}}, "limits.rpm") is "5".
export function at(value: unknown, path: string): string {
  let found = value;
  for (const name of path.split(".")) {
    found =
      typeof found === "object" && found !== null
        ? (found as Record<string, unknown>)[name]
        : undefined;
  }
  return found === undefined || found === null ? "" : String(found);
}
export function put(target: Record<string, unknown>, path: string, value: unknown): void {
  const names = path.split(".");
  const last = names.pop() ?? "";
  let into = target;
  for (const name of names) into = (into[name] ??= {}) as Record<string, unknown>;
  into[last] = value;
}
