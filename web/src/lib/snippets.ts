// How each client is pointed at Weir, ready to be pasted.
export const snippets = [
  { id: "curl", name: "curl" },
  { id: "python", name: "Python" },
  { id: "node", name: "Node.js" },
  { id: "claude", name: "Claude Code" },
  { id: "codex", name: "Codex" },
] as const;
export type Client = (typeof snippets)[number]["id"];

// A text inside quotes of a shell: closed, escaped and opened again.
const shell = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

export function snippet(client: Client, address: string, key: string, model: string): string {
  const base = `${address}/v1`;
  switch (client) {
    case "curl":
      return `curl ${base}/chat/completions \\
  -H ${shell(`authorization: Bearer ${key}`)} \\
  -H 'content-type: application/json' \\
  -d ${shell(JSON.stringify({ model, messages: [{ role: "user", content: "Hello" }] }))}`;
    case "python":
      return `# pip install openai
from openai import OpenAI

client = OpenAI(base_url=${JSON.stringify(base)}, api_key=${JSON.stringify(key)})
answer = client.chat.completions.create(
    model=${JSON.stringify(model)},
    messages=[{"role": "user", "content": "Hello"}],
)
print(answer.choices[0].message.content)`;
    case "node":
      return `// npm install openai
import OpenAI from "openai";

const client = new OpenAI({ baseURL: ${JSON.stringify(base)}, apiKey: ${JSON.stringify(key)} });
const answer = await client.chat.completions.create({
  model: ${JSON.stringify(model)},
  messages: [{ role: "user", content: "Hello" }],
});
console.log(answer.choices[0].message.content);`;
    case "claude":
      return `export ANTHROPIC_BASE_URL=${shell(address)}
export ANTHROPIC_AUTH_TOKEN=${shell(key)}
export ANTHROPIC_MODEL=${shell(model)}
claude`;
    case "codex":
      return `# ~/.codex/config.toml
model = ${JSON.stringify(model)}
model_provider = "weir"

[model_providers.weir]
name = "Weir"
base_url = ${JSON.stringify(base)}
env_key = "WEIR_KEY"
wire_api = "responses"

# then, in the shell
export WEIR_KEY=${shell(key)}
codex`;
  }
}
