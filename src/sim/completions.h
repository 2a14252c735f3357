// OpenAI's legacy completions as a provider speaks them: a prompt in, text out, whole and streamed.
// Weir itself only relays them. Pure; any thread.
#pragma once

#include <memory>
#include <string>

#include "base/json/document.h"
#include "base/result.h"
#include "dialect/conversation.h"
#include "dialect/translate.h"

namespace weir::sim {

// Several prompts become several parts of one message; prompts of token numbers count as text.
Result<dialect::Conversation> read_completions_request(json::Value root);
std::string write_completions_reply(const dialect::Reply& reply);
// `include_usage`: the client asked for the chunk with the usage.
std::unique_ptr<dialect::StreamWriter> make_completions_stream_writer(bool include_usage);

}  // namespace weir::sim
