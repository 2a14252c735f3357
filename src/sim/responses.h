// OpenAI's Responses API as a provider speaks it, as far as the simulator needs it: text, images
// and function calls in, text, refusals, reasoning and function calls out, whole and streamed with
// every event of the ladder. The counterpart of the dialect/ codecs for the one API that Weir
// itself only relays. Pure; any thread.
#pragma once

#include <memory>
#include <string>

#include "base/json/document.h"
#include "base/result.h"
#include "dialect/conversation.h"
#include "dialect/translate.h"

namespace weir::sim {

Result<dialect::Conversation> read_responses_request(json::Value root);
// The response object.
std::string write_responses_reply(const dialect::Reply& reply);
std::unique_ptr<dialect::StreamWriter> make_responses_stream_writer();

}  // namespace weir::sim
