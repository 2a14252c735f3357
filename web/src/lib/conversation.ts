// What was said, out of the bodies that were kept: requests and answers of the dialects that Weir
// speaks, whole or as a stream of events. What is not understood is shown as it is.
export interface Turn {
  role: string;
  text: string;
}

type Json = Record<string, unknown>;
const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

// The text of a message's content: a string, or parts of several kinds.
function contentText(content: unknown): string {
  if (typeof content === "string") return content;
  return list(content)
    .map((part) => {
      if (typeof part === "string") return part;
      if (!isObject(part)) return "";
      if (typeof part["text"] === "string") return part["text"];
      if (isObject(part["functionCall"])) return JSON.stringify(part["functionCall"]);
      if (part["type"] === "tool_use") {
        return `${String(part["name"])}(${JSON.stringify(part["input"])})`;
      }
      if (part["type"] === "tool_result") return contentText(part["content"]);
      return `[${String(part["type"] ?? Object.keys(part)[0] ?? "part")}]`;
    })
    .filter((text) => text !== "")
    .join("\n");
}

function messageTurn(message: unknown, fallback: string): Turn | undefined {
  if (!isObject(message)) return undefined;
  const calls = list(message["tool_calls"]).map((toolCall) => {
    const called = isObject(toolCall) ? toolCall["function"] : undefined;
    return isObject(called) ? `${String(called["name"])}(${String(called["arguments"])})` : "";
  });
  const text = [contentText(message["content"] ?? message["parts"]), ...calls]
    .filter((part) => part !== "")
    .join("\n");
  return { role: typeof message["role"] === "string" ? message["role"] : fallback, text };
}

export function requestTurns(text: string): Turn[] {
  const body = parse(text);
  if (!isObject(body)) return [];
  const turns: (Turn | undefined)[] = [];
  const system = body["system"] ?? body["instructions"] ?? body["systemInstruction"];
  if (system !== undefined && system !== null) {
    turns.push({
      role: "system",
      text: contentText(isObject(system) ? system["parts"] : system),
    });
  }
  if (typeof body["input"] === "string") turns.push({ role: "user", text: body["input"] });
  if (typeof body["prompt"] === "string") turns.push({ role: "user", text: body["prompt"] });
  for (const message of [
    ...list(body["messages"]),
    ...list(body["input"]),
    ...list(body["contents"]),
  ]) {
    turns.push(messageTurn(message, "user"));
  }
  return turns.filter((turn): turn is Turn => turn !== undefined && turn.text !== "");
}

// What one event of a stream adds to the answer.
export function deltaText(event: unknown): string {
  if (!isObject(event)) return "";
  const choice = list(event["choices"])[0];
  if (isObject(choice)) {
    const delta = choice["delta"];
    if (isObject(delta)) return typeof delta["content"] === "string" ? delta["content"] : "";
    return typeof choice["text"] === "string" ? choice["text"] : "";
  }
  const delta = event["delta"];
  if (typeof delta === "string" && String(event["type"]).endsWith("output_text.delta"))
    return delta;
  if (isObject(delta) && typeof delta["text"] === "string") return delta["text"];
  const candidate = list(event["candidates"])[0];
  if (isObject(candidate)) return messageTurn(candidate["content"], "model")?.text ?? "";
  return "";
}

export function answerTurns(text: string): Turn[] {
  const body = parse(text);
  if (isObject(body)) {
    const turns: (Turn | undefined)[] = [];
    for (const choice of list(body["choices"])) {
      if (isObject(choice)) turns.push(messageTurn(choice["message"], "assistant"));
    }
    if (body["content"] !== undefined) turns.push(messageTurn(body, "assistant"));
    for (const item of list(body["output"])) turns.push(messageTurn(item, "assistant"));
    for (const candidate of list(body["candidates"])) {
      if (isObject(candidate)) turns.push(messageTurn(candidate["content"], "model"));
    }
    if (isObject(body["error"])) {
      turns.push({ role: "error", text: String(body["error"]["message"] ?? "") });
    }
    return turns.filter((turn): turn is Turn => turn !== undefined && turn.text !== "");
  }
  let said = "";
  for (const line of text.split("\n")) {
    if (line.startsWith("data:")) said += deltaText(parse(line.slice(5).trim()));
  }
  return said === "" ? [] : [{ role: "assistant", text: said }];
}
