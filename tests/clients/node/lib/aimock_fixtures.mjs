// What the independent mock answers in the scenes of scene.mjs: what the simulator says of itself.
import { amber, both, harbors, report, weather } from "./scene.mjs";

export function fixtures(mock) {
  // The mock counts nothing by itself for some dialects; each reads the names that are its own.
  const usage = {
    prompt_tokens: 21, completion_tokens: 9,
    input_tokens: 21, output_tokens: 9,
    promptTokenCount: 21, candidatesTokenCount: 9,
  };
  const call = ({ name, arguments: values }) => ({ name, arguments: JSON.stringify(values) });
  const said = ({ result }) => ({ usage, content: `The tool said: ${result}.` });
  const two = { usage, content: `The tool said: ${weather.result}; ${harbors.result}.` };
  mock.on({ userMessage: both.ask, hasToolResult: true }, two);
  mock.on({ userMessage: weather.ask, hasToolResult: true }, said(weather));
  mock.on({ userMessage: harbors.ask, hasToolResult: true }, said(harbors));
  mock.onMessage(both.ask, { usage, toolCalls: [call(weather), call(harbors)] });
  mock.onMessage(weather.ask, { usage, toolCalls: [call(weather)] });
  mock.onMessage(harbors.ask, { usage, toolCalls: [call(harbors)] });
  mock.onMessage(report.ask, { usage, content: JSON.stringify(report.value) });
  mock.onEmbedding("amber", { embedding: [0.6, 0.8, 0] });
  mock.onEmbedding("harbor", { embedding: [0.8, 0, 0.6] });
  mock.onMessage("Say amber", { usage, content: amber.answer });
}
