// The answer that a simulated model gives to a conversation: scripted where a rule says so, else
// made up, and always the same for the same seed, model and conversation. Pure; any thread.
//
// Without a script: a tool result in the last message gets a closing text that quotes it; a JSON
// schema gets its minimal instance; a tool is called when the request demands one, or when a word
// of its name occurs in the user's text; thinking is made where it was asked for; anything else is
// plain words, or in demo mode a few friendly sentences. max_tokens and stop sequences are obeyed.
// A line "#sim tokens=40 stop=refusal think=10 cached=100" in the user's text steers the answer.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "dialect/conversation.h"
#include "sim/script.h"

namespace weir::sim {

struct AnswerSettings {
  uint64_t seed = 1;
  int64_t output_tokens = 48;  // length of a made-up text: between half and three halves of it
  bool demo = false;
};

struct AnswerRequest {
  const dialect::Conversation& conversation;
  dialect::Dialect dialect;
  dialect::Usage input;  // the input side of the usage
  uint64_t call = 0;     // for ids
  int64_t now_s = 0;     // for `created`
  const ScriptedReply* script = nullptr;
};

// A whole reply with its usage. `reply.usage.output` counts what dialect::Usage says it does.
dialect::Reply make_answer(const AnswerRequest& request, const AnswerSettings& settings);

}  // namespace weir::sim
