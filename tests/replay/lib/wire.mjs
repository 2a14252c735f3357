// Bytes: how a provider frames the events of a stream, and how the raw answer of Weir is read back.
import { eventFrame } from "../../matrix/lib/event_stream.mjs";

// Server-sent events on the wire of each API. `odd` is legal and rare: comments, fields nobody
// needs, no space behind the colon, a byte order mark.
export function frame(dialect, data, style) {
  const eol = style === "crlf" || (style === "native" && dialect === "gemini") ? "\r\n" : "\n";
  const colon = style === "odd" ? ":" : ": ";
  let text = style === "odd" ? `: keep-alive${eol}retry: 3000${eol}` : "";
  const name = eventName(dialect, data);
  if (name) text += `event${colon}${name}${eol}`;
  return `${text}data${colon}${data}${eol}${eol}`;
}

export function eventName(dialect, data) {
  if (dialect !== "anthropic_messages" && dialect !== "openai_responses") return "";
  try {
    return JSON.parse(data).type ?? "";
  } catch {
    return "";
  }
}

// The data of every event that the provider sent, its terminator included.
export function eventsOf(recording) {
  const done = ["openai_chat", "openai_completions"].includes(recording.dialect);
  return done ? [...recording.lines, "[DONE]"] : recording.lines;
}

// How a provider calls its streams.
export const streamType = (dialect) => (dialect === "bedrock_converse"
  ? "application/vnd.amazon.eventstream" : "text/event-stream");

export function streamBytes(dialect, events, style = "native") {
  if (dialect === "bedrock_converse") {
    return Buffer.concat(events.map((data) => {
      const [[name, payload]] = Object.entries(JSON.parse(data));
      return eventFrame("event", name, payload);
    }));
  }
  const text = events.map((data) => frame(dialect, data, style)).join("");
  return Buffer.from(style === "odd" ? `\uFEFF${text}` : text);
}

// Gemini without alt=sse: one JSON array.
export function arrayBytes(lines) {
  return Buffer.from(`[${lines.join("\r\n,\r\n")}\r\n]`);
}

// The events of a body, by the rules of the HTML standard: [{event, data}]. `rest` is what stood
// behind the last blank line.
export function readEvents(text) {
  const events = [];
  let event = "";
  let data = [];
  const lines = text.replace(/^\uFEFF/, "").split(/\r\n|\n|\r/);
  const rest = lines.pop();
  for (const line of lines) {
    if (line === "") {
      if (data.length > 0) events.push({ event, data: data.join("\n") });
      event = "";
      data = [];
      continue;
    }
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") event = value;
    if (field === "data") data.push(value);
  }
  return { events, rest: [...data, rest].join("") };
}
