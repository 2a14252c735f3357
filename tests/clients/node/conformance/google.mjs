// npm @google/genai: generateContent over every route.
import assert from "node:assert/strict";
import { test } from "node:test";
import { FunctionCallingConfigMode, GoogleGenAI } from "@google/genai";

import { amber, both, harbors, picture, report, scenes, weather } from "../lib/scene.mjs";

export const makeGoogle = ({ url, key }) =>
  new GoogleGenAI({ apiKey: key, httpOptions: { baseUrl: url, timeout: 20_000 } });

const used = ({ usageMetadata: u }) => ({
  input: u.promptTokenCount,
  output: (u.candidatesTokenCount ?? 0) + (u.thoughtsTokenCount ?? 0),
});
const declared = (specs) => ({
  functionDeclarations: specs.map(({ name, description, parameters }) =>
    ({ name, description, parametersJsonSchema: parameters })),
});
const answers = { [weather.name]: weather.result, [harbors.name]: harbors.result };
const responses = (calls) => calls.map(({ id, name }) =>
  ({ functionResponse: { id, name, response: { output: answers[name] } } }));
const jsonOutput = { responseMimeType: "application/json", responseJsonSchema: report.schema };
// The same in the vendor's own form of a schema, with its upper-case types.
const schemaOfGoogle = {
  type: "OBJECT",
  properties: {
    city: { type: "STRING", enum: ["Oslo"] },
    degrees: { type: "INTEGER" },
    tags: { type: "ARRAY", items: { type: "STRING", enum: ["cold"] }, minItems: "1" },
  },
  required: ["city", "degrees", "tags"],
};

async function collect(stream) {
  const all = { text: "", calls: [], parts: [], chunks: 0 };
  for await (const chunk of stream) {
    ++all.chunks;
    for (const part of chunk.candidates?.[0]?.content?.parts ?? []) {
      if (part.text && !part.thought) all.text += part.text;
      if (part.functionCall) all.calls.push(part.functionCall);
      all.parts.push(part);
    }
    all.finish = chunk.candidates?.[0]?.finishReason ?? all.finish;
    all.usageMetadata = chunk.usageMetadata ?? all.usageMetadata;
  }
  return all;
}

export function generateScenes(world) {
  const scene = scenes(world, "google", makeGoogle);

  scene("text, whole", async (google, { model }) => {
    const reply = await google.models.generateContent({ model: model.name, contents: amber.ask });
    assert.equal(reply.text, amber.answer);
    assert.equal(reply.candidates[0].finishReason, "STOP");
    assert.equal(reply.usageMetadata.totalTokenCount, used(reply).input + used(reply).output);
    return [used(reply)];
  });

  scene("text, streamed", async (google, { model }) => {
    const all = await collect(await google.models.generateContentStream(
      { model: model.name, contents: amber.ask }));
    assert.equal(all.text, amber.answer);
    assert.equal(all.finish, "STOP");
    return [used(all)];
  });

  scene("several turns, as a chat", async (google, context) => {
    const chat = google.chats.create({
      model: context.model.name,
      config: { systemInstruction: "You are a lighthouse keeper." },
      history: [
        { role: "user", parts: [{ text: "My boat is the Petrel." }] },
        { role: "model", parts: [{ text: "A fine boat." }] },
      ],
    });
    const first = await chat.sendMessage({ message: amber.ask });
    assert.equal(first.text, amber.answer);
    const second = await collect(await chat.sendMessageStream({ message: amber.ask }));
    assert.equal(second.text, amber.answer);
    const said = chat.getHistory(true).filter(({ role }) => role === "model")
      .flatMap(({ parts }) => parts).map(({ text }) => text ?? "").join("");
    assert.equal(said, `A fine boat.${amber.answer}${amber.answer}`);
    await context.upstreamGot("lighthouse keeper", "Petrel", "A fine boat.", amber.answer);
    return [used(first), used(second)];
  });

  scene("a tool, called and answered", async (google, context) => {
    const contents = [{ role: "user", parts: [{ text: weather.ask }] }];
    const params = { model: context.model.name, config: { tools: [declared([weather])] } };
    const first = await google.models.generateContent({ ...params, contents });
    assert.equal(first.functionCalls.length, 1);
    assert.equal(first.functionCalls[0].name, weather.name);
    assert.deepEqual(first.functionCalls[0].args, weather.arguments);
    contents.push(first.candidates[0].content,
      { role: "user", parts: responses(first.functionCalls) });
    const second = await google.models.generateContent({ ...params, contents });
    assert.match(second.text, /7 degrees/);
    return [used(first), used(second)];
  });

  scene("two tools at once, streamed", async (google, context) => {
    const contents = [{ role: "user", parts: [{ text: both.ask }] }];
    const params = { model: context.model.name, config: { tools: [declared([weather, harbors])] } };
    const first = await collect(await google.models.generateContentStream({ ...params, contents }));
    assert.deepEqual(first.calls.map(({ name, args }) => ({ name, args: args ?? {} })), [
      { name: weather.name, args: weather.arguments },
      { name: harbors.name, args: {} },
    ]);
    contents.push({ role: "model", parts: first.parts },
      { role: "user", parts: responses(first.calls) });
    const second = await collect(
      await google.models.generateContentStream({ ...params, contents }));
    assert.match(second.text, /7 degrees.*Bergen/s);
    return [used(first), used(second)];
  });

  scene("a tool without arguments, run by the SDK", async (google, context) => {
    const seen = [];
    const reply = await google.models.generateContent({
      model: context.model.name,
      contents: harbors.ask,
      config: {
        tools: [{
          tool: async () => declared([harbors]),
          callTool: async (calls) => {
            seen.push(...calls.map(({ name, args }) => ({ name, args: args ?? {} })));
            return responses(calls);
          },
        }],
      },
    });
    assert.deepEqual(seen, [{ name: harbors.name, args: {} }]);
    assert.match(reply.text, /Bergen/);
    return [null, used(reply)];
  });

  scene("output by a JSON schema", async (google, { model }) => {
    const reply = await google.models.generateContent(
      { model: model.name, contents: report.ask, config: jsonOutput });
    assert.deepEqual(JSON.parse(reply.text), report.value);
    return [used(reply)];
  });

  scene("output by Google's own schema, streamed", async (google, { model }) => {
    const all = await collect(await google.models.generateContentStream({
      model: model.name, contents: report.ask,
      config: { responseMimeType: "application/json", responseSchema: schemaOfGoogle },
    }));
    assert.deepEqual(JSON.parse(all.text), report.value);
    return [used(all)];
  });

  scene("an image in the prompt", async (google, context) => {
    const reply = await google.models.generateContent({
      model: context.model.name,
      contents: [{ role: "user", parts: [
        { inlineData: { mimeType: picture.type, data: picture.base64 } },
        { text: picture.ask },
      ] }],
    });
    assert.equal(reply.text, amber.answer);
    await context.upstreamGot(picture.base64);
    return [used(reply)];
  });

  if (world.upstream.independent) return;

  scene("an answer cut at maxOutputTokens", async (google, { model }) => {
    const reply = await google.models.generateContent(
      { model: model.name, contents: amber.ask, config: { maxOutputTokens: 3 } });
    assert.equal(reply.candidates[0].finishReason, "MAX_TOKENS");
    assert.equal(used(reply).output, 3);
    return [used(reply)];
    // OpenAI's Responses take no limit below 16.
  }, { only: ({ name }) => name !== "via-responses-only" });

  scene("a tool that must be called", async (google, { model }) => {
    const reply = await google.models.generateContent({
      model: model.name, contents: "Go on.",
      config: {
        tools: [declared([weather, harbors])],
        toolConfig: { functionCallingConfig: {
          mode: FunctionCallingConfigMode.ANY, allowedFunctionNames: [harbors.name],
        } },
      },
    });
    assert.equal(reply.functionCalls[0].name, harbors.name);
    return [used(reply)];
  });

  for (const model of world.models) {
    test(`google -> ${model.name}: countTokens`, { timeout: 30_000 }, async () => {
      const { totalTokens } = await makeGoogle(await world.context(model)).models.countTokens(
        { model: model.name, contents: "How many tokens is this, roughly speaking?" });
      assert.ok(totalTokens > 3 && totalTokens < 40, `${totalTokens} tokens`);
    });
  }
}

export function googleEmbeddings(world) {
  for (const name of ["embed-gemini", "embed-openai", "embed-titan"]) {
    test(`google -> ${name}: embedContent`, { timeout: 30_000 }, async () => {
      const context = await world.context({ name });
      const google = makeGoogle(context);
      const one = await google.models.embedContent({ model: name, contents: "harbor" });
      const two = await google.models.embedContent(
        { model: name, contents: ["harbor", "amber"] });
      assert.equal(one.embeddings.length, 1);
      assert.equal(two.embeddings.length, 2);
      assert.deepEqual(one.embeddings[0].values, two.embeddings[0].values);
      assert.notDeepEqual(two.embeddings[0].values, two.embeddings[1].values);
      for (const row of await context.rows(2)) assert.equal(row.outcome, "ok", JSON.stringify(row));
    });
  }
}
