// One call of a model through Weir's own public API, read as it streams.
import { authorization } from "./api";
import { deltaText } from "./conversation";

export interface Ask {
  key: string;
  model: string;
  system: string;
  prompt: string;
  image: string; // data: URL; empty: none
  temperature: string;
  maxTokens: string;
  json: boolean;
}

export interface Answer {
  text: string;
  problem: string;
  id: string; // of the request
  firstMs: number; // 0: nothing came yet
  totalMs: number; // 0: not over
  output: number; // tokens, as reported
}

const textMax = 1_000_000;

function body(ask: Ask): string {
  const content =
    ask.image === ""
      ? ask.prompt
      : [
          { type: "text", text: ask.prompt },
          { type: "image_url", image_url: { url: ask.image } },
        ];
  return JSON.stringify({
    model: ask.model,
    stream: true,
    stream_options: { include_usage: true },
    messages: [
      ...(ask.system.trim() === "" ? [] : [{ role: "system", content: ask.system }]),
      { role: "user", content },
    ],
    ...(ask.temperature === "" ? {} : { temperature: Number(ask.temperature) }),
    ...(ask.maxTokens === "" ? {} : { max_tokens: Number(ask.maxTokens) }),
    ...(ask.json ? { response_format: { type: "json_object" } } : {}),
  });
}

async function problemOf(answer: Response): Promise<string> {
  const text = (await answer.text()).slice(0, 4000);
  try {
    const told = (JSON.parse(text) as { error?: { message?: string } }).error?.message;
    return `${answer.status}: ${told ?? text}`;
  } catch {
    return `${answer.status}: ${text}`;
  }
}

// Tells of every change; the last call has totalMs set.
export async function send(
  ask: Ask,
  signal: AbortSignal,
  tell: (answer: Answer) => void,
): Promise<void> {
  const begun = performance.now();
  const since = () => Math.max(performance.now() - begun, 0.1);
  const answer: Answer = { text: "", problem: "", id: "", firstMs: 0, totalMs: 0, output: 0 };
  const read = (line: string) => {
    if (!line.startsWith("data:")) return false;
    const data = line.slice(5).trim();
    if (data === "[DONE]") return true;
    let event: unknown;
    try {
      event = JSON.parse(data);
    } catch {
      return false;
    }
    const told = event as { error?: { message?: string }; usage?: { completion_tokens?: number } };
    if (told.error) answer.problem = told.error.message ?? "";
    if (told.usage?.completion_tokens) answer.output = told.usage.completion_tokens;
    const more = deltaText(event);
    if (more !== "" && answer.firstMs === 0) answer.firstMs = since();
    if (answer.text.length < textMax) answer.text += more;
    return false;
  };
  try {
    const reply = await fetch("/api/v1/forward/v1/chat/completions", {
      method: "POST",
      headers: { ...authorization(), "content-type": "application/json", "x-weir-key": ask.key },
      body: body(ask),
      signal,
    });
    answer.id = reply.headers.get("x-weir-request-id") ?? "";
    if (!reply.ok || reply.body === null) {
      answer.problem = await problemOf(reply);
    } else {
      const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      let whole = false;
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        const lines = (rest + value).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) whole = read(line) || whole;
        tell({ ...answer });
      }
      whole = read(rest) || whole;
      if (!whole && answer.problem === "") answer.problem = "truncated";
    }
  } catch (problem) {
    answer.problem = signal.aborted ? "stopped" : String(problem);
  }
  answer.totalMs = since();
  tell({ ...answer });
}
