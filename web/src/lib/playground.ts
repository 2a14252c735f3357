// One turn of a conversation with a model through Weir's own public API, read as it streams.
import { authorization } from "./api";
import { deltaText } from "./conversation";
import { session } from "./session.svelte";

export interface ToolCall {
  id: string;
  name: string;
  arguments: string; // JSON, as the model wrote it
}
export interface Turn {
  role: "user" | "assistant" | "tool";
  text: string;
  images?: string[]; // data: URLs
  calls?: ToolCall[];
  callId?: string; // of the call that a tool's turn answers
}
export interface Ask {
  key: string;
  model: string;
  system: string;
  turns: Turn[];
  temperature: string;
  maxTokens: string;
  tools?: unknown[];
  format?: { type: "json_object" } | { type: "json_schema"; json_schema: unknown } | undefined;
}

export interface Answer {
  text: string;
  calls: ToolCall[];
  problem: string;
  id: string; // of the request
  firstMs: number; // 0: nothing came yet
  totalMs: number; // 0: not over
}

const textMax = 1_000_000;
const callsMax = 64;

function message(turn: Turn): unknown {
  if (turn.role === "tool") {
    return { role: "tool", tool_call_id: turn.callId, content: turn.text };
  }
  if (turn.calls !== undefined && turn.calls.length > 0) {
    const calls = turn.calls.map((call) => ({
      id: call.id,
      type: "function",
      function: { name: call.name, arguments: call.arguments },
    }));
    return { role: "assistant", content: turn.text === "" ? null : turn.text, tool_calls: calls };
  }
  if (turn.images === undefined || turn.images.length === 0) {
    return { role: turn.role, content: turn.text };
  }
  const images = turn.images.map((url) => ({ type: "image_url", image_url: { url } }));
  return { role: turn.role, content: [{ type: "text", text: turn.text }, ...images] };
}

function body(ask: Ask): string {
  return JSON.stringify({
    model: ask.model,
    stream: true,
    stream_options: { include_usage: true },
    messages: [
      ...(ask.system.trim() === "" ? [] : [{ role: "system", content: ask.system }]),
      ...ask.turns.map(message),
    ],
    ...(ask.temperature === "" ? {} : { temperature: Number(ask.temperature) }),
    ...(ask.maxTokens === "" ? {} : { max_tokens: Number(ask.maxTokens) }),
    ...(ask.tools === undefined || ask.tools.length === 0 ? {} : { tools: ask.tools }),
    ...(ask.format === undefined ? {} : { response_format: ask.format }),
  });
}

// Tools as they are typed: one function or a list of them, with or without the frame that the API
// wants around each. Throws what is wrong with it.
export function readTools(text: string): unknown[] {
  if (text.trim() === "") return [];
  const value = JSON.parse(text) as unknown;
  return (Array.isArray(value) ? (value as unknown[]) : [value]).map((tool) => {
    const plain = (tool ?? {}) as Record<string, unknown>;
    const inner = (plain["type"] === "function" ? plain["function"] : plain) as
      | Record<string, unknown>
      | undefined;
    if (typeof inner?.["name"] !== "string") throw new Error("name");
    return { type: "function", function: inner };
  });
}

// A JSON schema, bare or as the API's json_schema with a name around it.
export function readSchema(text: string): unknown {
  const value = JSON.parse(text) as Record<string, unknown>;
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("{}");
  return "schema" in value && "name" in value
    ? value
    : { name: "answer", strict: true, schema: value };
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

interface Delta {
  error?: { message?: string };
  choices?: {
    delta?: {
      tool_calls?: {
        index?: number;
        id?: string;
        function?: { name?: string; arguments?: string };
      }[];
    };
  }[];
}

// Adds what an event says of calls; true where it said something.
function addCalls(calls: ToolCall[], event: Delta): boolean {
  const parts = event.choices?.[0]?.delta?.tool_calls;
  if (!Array.isArray(parts) || parts.length === 0) return false;
  for (const part of parts) {
    const at = part.index ?? calls.length;
    if (at < 0 || at >= callsMax) continue;
    while (calls.length <= at) calls.push({ id: "", name: "", arguments: "" });
    const call = calls[at]!;
    if (part.id) call.id = part.id;
    if (part.function?.name) call.name = part.function.name;
    if (part.function?.arguments && call.arguments.length < textMax) {
      call.arguments += part.function.arguments;
    }
  }
  return true;
}

// Tells of every change; the last call has totalMs set.
export async function send(
  ask: Ask,
  signal: AbortSignal,
  tell: (answer: Answer) => void,
): Promise<void> {
  const begun = performance.now();
  const since = () => Math.max(performance.now() - begun, 0.1);
  const answer: Answer = { text: "", calls: [], problem: "", id: "", firstMs: 0, totalMs: 0 };
  const now = () => ({ ...answer, calls: answer.calls.map((call) => ({ ...call })) });
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
    const told = event as Delta;
    if (told.error) answer.problem = told.error.message ?? "";
    const called = addCalls(answer.calls, told);
    const more = deltaText(event);
    if ((called || more !== "") && answer.firstMs === 0) answer.firstMs = since();
    if (answer.text.length < textMax) answer.text += more;
    return false;
  };
  try {
    const reply = await fetch("/api/v1/forward/v1/chat/completions", {
      method: "POST",
      headers: {
        ...authorization(),
        ...(session.csrf === "" ? {} : { "x-weir-csrf": session.csrf }),
        "content-type": "application/json",
        "x-weir-key": ask.key,
      },
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
        tell(now());
      }
      whole = read(rest) || whole;
      if (!whole && answer.problem === "") answer.problem = "truncated";
    }
  } catch (problem) {
    answer.problem = signal.aborted ? "stopped" : String(problem);
  }
  answer.totalMs = since();
  tell(now());
}
