// The clients by their lowest common denominator, for what must hold alike for all of them: text as
// a whole, text in pieces, cancelling, and what an error says.
import { generateText, streamText } from "ai";

import { makers } from "../conformance/ai.mjs";
import { makeAnthropic } from "../conformance/anthropic.mjs";
import { makeGoogle } from "../conformance/google.mjs";
import { makeOpenAI } from "../conformance/openai.mjs";

const header = (headers, name) =>
  typeof headers?.get === "function" ? headers.get(name) : headers?.[name];

// whole(): the text. stream(): async iteration over pieces of text; what goes wrong is thrown.
// failure(): { status, retryAfter, text } of a thrown error; status is undefined inside a stream.
const openai = {
  async whole(context, ask, options = {}) {
    const reply = await makeOpenAI(context).chat.completions.create(
      { model: context.model.name, messages: [{ role: "user", content: ask }] },
      options);
    return reply.choices[0].message.content;
  },
  async *stream(context, ask, options = {}) {
    let finished = false;
    for await (const chunk of await makeOpenAI(context).chat.completions.create(
      { model: context.model.name, messages: [{ role: "user", content: ask }], stream: true },
      options)) {
      const [choice] = chunk.choices;
      if (choice?.delta.content) yield choice.delta.content;
      finished ||= Boolean(choice?.finish_reason);
    }
    if (!finished && !options.signal?.aborted) throw new Error("a stream without a finish_reason");
  },
  failure: (error) => ({
    status: error.status, retryAfter: header(error.headers, "retry-after"), text: `${error}`,
  }),
};

const anthropic = {
  async whole(context, ask, options = {}) {
    const reply = await makeAnthropic(context).messages.create({
      model: context.model.name, max_tokens: 1000, messages: [{ role: "user", content: ask }],
    }, options);
    return reply.content[0].text;
  },
  async *stream(context, ask, options = {}) {
    let finished = false;
    for await (const event of await makeAnthropic(context).messages.create({
      model: context.model.name, max_tokens: 1000, stream: true,
      messages: [{ role: "user", content: ask }],
    }, options)) {
      if (event.delta?.text) yield event.delta.text;
      finished ||= event.type === "message_stop";
    }
    if (!finished && !options.signal?.aborted) throw new Error("a stream without message_stop");
  },
  failure: openai.failure,
};

const google = {
  async whole(context, ask, options = {}) {
    const reply = await makeGoogle(context).models.generateContent({
      model: context.model.name, contents: ask,
      config: {
        abortSignal: options.signal,
        ...(options.timeout && { httpOptions: { timeout: options.timeout } }),
      },
    });
    return reply.text;
  },
  async *stream(context, ask, options = {}) {
    let finished = false;
    for await (const chunk of await makeGoogle(context).models.generateContentStream(
      { model: context.model.name, contents: ask, config: { abortSignal: options.signal } })) {
      if (chunk.text) yield chunk.text;
      finished ||= Boolean(chunk.candidates?.[0]?.finishReason);
    }
    if (!finished && !options.signal?.aborted) throw new Error("a stream without a finishReason");
  },
  failure: (error) => ({ status: error.status, text: `${error}` }),
};

const ai = (provider) => ({
  async whole(context, ask, options = {}) {
    const limit = options.timeout && AbortSignal.timeout(options.timeout);
    const result = await generateText({
      model: makers[provider](context), prompt: ask, maxRetries: 0,
      abortSignal: options.signal ?? limit,
    });
    return result.text;
  },
  async *stream(context, ask, options = {}) {
    const result = streamText({
      model: makers[provider](context), prompt: ask, maxRetries: 0, abortSignal: options.signal,
      onError: () => {},
    });
    for await (const part of result.fullStream) {
      if (part.type === "text-delta") yield part.text;
      if (part.type === "error") throw part.error;
      if (part.type === "abort") return;
    }
    const finish = await result.finishReason;
    if (!["stop", "length"].includes(finish)) throw new Error(`finished with ${finish}`);
  },
  failure: (error) => ({
    status: error.statusCode, retryAfter: header(error.responseHeaders, "retry-after"),
    text: `${error}`,
  }),
});

export const drivers = {
  openai, anthropic, google,
  "ai (chat)": ai("chat"), "ai (responses)": ai("responses"),
  "ai (anthropic)": ai("anthropic"), "ai (google)": ai("google"),
};
