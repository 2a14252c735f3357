// What gets lost between two APIs because the one has no word for it: told to the client in
// x-weir-dropped, and to readers in docs/dialects.md. Everything else must arrive.

const notes = [
  {
    text: "Chat completions takes no thinking back: that of earlier turns stays behind",
    feature: "reasoning",
    step: 1,
    field: "thinking",
    applies: ({ provider, client }) =>
      !provider.says.signatures && client.dialect !== provider.dialect,
  },
  {
    text: "OpenAI's results of tools have no mark for failures: the text alone tells it",
    feature: "parallel tools",
    step: 1,
    field: "tool_result.is_error",
    applies: ({ provider, client }) => client.says.resultErrors && !provider.says.resultErrors,
  },
  {
    text: "Converse takes images as bytes or from S3: one by its address is left out",
    feature: "image in",
    step: 1,
    field: "image",
    applies: ({ provider }) => provider.dialect === "bedrock_converse",
  },
  {
    text: "By bytes: Claude at Bedrock refuses images by their address",
    feature: "image in",
    applies: ({ provider }) => provider.says.bytesOnly,
  },
  {
    text: "Google signs the call and not the thought: the signature goes back, the text of the " +
      "thought stays behind",
    feature: "reasoning",
    step: 1,
    field: "thinking",
    applies: ({ provider, client }) => provider.dialect === "gemini" && client.dialect !== "gemini",
  },
];

export const notesOf = (cell) =>
  notes.filter(({ feature, applies }) => feature === cell.feature && applies(cell));

export const expectedDropped = (cell, step) =>
  notesOf(cell).filter((note) => note.field && note.step === step).map(({ field }) => field);
