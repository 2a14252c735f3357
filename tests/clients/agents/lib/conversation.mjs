// A provider's request as an agent's conversation, the same form for every dialect:
//   { system, tools: [name], users: [text], calls: [{ id, name, values, signature }],
//     results: [{ id, text }], images, said: [text], references: [ids of what OpenAI has stored] }
import assert from "node:assert/strict";

const list = (value) => Array.isArray(value) ? value : (value ?? null) === null ? [] : [value];

function chat(body, out) {
  out.tools = list(body.tools).map((tool) => tool.function?.name ?? tool.custom?.name);
  const parts = (content) => typeof content === "string" ? [{ type: "text", text: content }]
    : list(content ?? []);
  for (const message of body.messages) {
    const content = parts(message.content);
    const text = content.filter(({ type }) => type === "text").map(({ text }) => text);
    out.images += content.filter(({ type }) => type === "image_url").length;
    if (["system", "developer"].includes(message.role)) out.system.push(...text);
    if (message.role === "user") out.users.push(...text);
    if (message.role === "tool") {
      out.results.push({ id: message.tool_call_id, text: text.join("") });
    }
    if (message.role !== "assistant") continue;
    out.said.push(...text);
    for (const call of list(message.tool_calls)) {
      const { name, arguments: json, input } = call.function ?? call.custom;
      out.calls.push({ id: call.id, name, values: json ? JSON.parse(json) : { input } });
    }
  }
}

function messages(body, out) {
  const blocks = (content) => typeof content === "string" ? [{ type: "text", text: content }]
    : list(content);
  out.system.push(...blocks(body.system).map(({ text }) => text));
  out.tools = list(body.tools).map(({ name }) => name);
  const count = (content) => content.filter(({ type }) => type === "image").length;
  for (const message of body.messages) {
    const content = blocks(message.content);
    out.images += count(content);
    for (const block of content) {
      if (block.type === "text") (message.role === "user" ? out.users : out.said).push(block.text);
      if (block.type === "tool_use") {
        out.calls.push({ id: block.id, name: block.name, values: block.input });
      }
      if (block.type !== "tool_result") continue;
      const inner = blocks(block.content);
      out.images += count(inner);
      out.results.push({ id: block.tool_use_id,
        text: inner.map(({ text }) => text ?? "").join("") });
    }
  }
}

// Where Gemini has no ids, the results stand in the order of the calls.
function gemini(body, out) {
  out.system.push(...list(body.systemInstruction?.parts).map(({ text }) => text));
  out.tools = list(body.tools).flatMap(({ functionDeclarations }) =>
    list(functionDeclarations).map(({ name }) => name));
  let open = [];
  for (const { role, parts } of body.contents) {
    for (const part of parts) {
      if (part.inlineData) ++out.images;
      if (part.text !== undefined && !part.thought) {
        (role === "user" ? out.users : out.said).push(part.text);
      }
      if (part.functionCall) {
        const { name, args, id } = part.functionCall;
        const call = { id: id ?? `call ${out.calls.length}`, name, values: args ?? {},
          signature: part.thoughtSignature };
        out.calls.push(call);
        open.push(call);
      }
      if (part.functionResponse) {
        const { name, response, id } = part.functionResponse;
        const call = open.find((one) => id ? one.id === id : one.name === name);
        assert.ok(call, `a result of ${name} without its call`);
        open = open.filter((one) => one !== call);
        out.results.push({ id: call.id,
          text: Object.values(response).map((value) => typeof value === "string" ? value
            : JSON.stringify(value)).join("") });
        out.images += list(part.functionResponse.parts).filter((one) => one.inlineData).length;
      }
    }
  }
}

function responses(body, out) {
  if (body.instructions) out.system.push(body.instructions);
  out.tools = list(body.tools).map(({ name, type }) => name ?? type);
  const texts = (content) => typeof content === "string" ? [content]
    : list(content).map(({ text }) => text ?? "");
  for (const item of list(body.input)) {
    const type = item.type ?? "message";
    if (type === "message") {
      const to = { user: out.users, assistant: out.said }[item.role] ?? out.system;
      to.push(...texts(item.content));
    }
    out.images += [item.content, item.output].flatMap(list)
      .filter((part) => part.type === "input_image").length;
    if (type === "item_reference") out.references.push(item.id);
    if (type === "function_call") {
      out.calls.push({ id: item.call_id, name: item.name, values: JSON.parse(item.arguments) });
    }
    if (type === "custom_tool_call") {
      out.calls.push({ id: item.call_id, name: item.name, values: { input: item.input } });
    }
    if (type.endsWith("_call_output")) {
      out.results.push({ id: item.call_id, text: texts(item.output).join("") });
    }
  }
}

function converse(body, out) {
  out.system.push(...list(body.system).map(({ text }) => text ?? ""));
  out.tools = list(body.toolConfig?.tools).flatMap(({ toolSpec }) => toolSpec?.name ?? []);
  for (const { role, content } of body.messages) {
    for (const block of content) {
      if (block.image) ++out.images;
      if (block.text !== undefined) (role === "user" ? out.users : out.said).push(block.text);
      if (block.toolUse) {
        const { toolUseId, name, input } = block.toolUse;
        out.calls.push({ id: toolUseId, name, values: input });
      }
      if (!block.toolResult) continue;
      const inner = list(block.toolResult.content);
      out.images += inner.filter(({ image }) => image).length;
      out.results.push({ id: block.toolResult.toolUseId,
        text: inner.map(({ text, json }) => text ?? (json ? JSON.stringify(json) : "")).join("") });
    }
  }
}

const readers = { bedrock_converse: converse,
  openai_chat: chat, anthropic_messages: messages, gemini, openai_responses: responses };

export function readConversation(dialect, body) {
  const out = { dialect, system: [], tools: [], users: [], said: [], calls: [], results: [],
    references: [], images: 0, body };
  assert.ok(readers[dialect], `a provider was called in ${dialect}`);
  readers[dialect](body, out);
  out.system = out.system.join("\n");
  return out;
}

// The results in the order of the calls; each call has one result and each result its call.
export function pairs({ calls, results }) {
  assert.equal(new Set(calls.map(({ id }) => id)).size, calls.length, "ids of calls are unique");
  assert.deepEqual(results.map(({ id }) => id).sort(), calls.map(({ id }) => id).sort());
  return calls.map((call) => ({ ...call, result: results.find(({ id }) => id === call.id).text }));
}
