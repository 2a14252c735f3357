// Codec: the seam between the one door (translate.h) and the files of a dialect. Each dialect that
// can be translated gives one constant table of functions; translate.cc finds it by Dialect and
// nobody else calls these. A null entry is something that the dialect does not have. Stateless; any
// thread.
#pragma once

#include <memory>
#include <string>

#include "dialect/translate.h"

namespace weir::dialect {

// Same meanings as the functions of translate.h with the dialect fixed.
struct Codec {
  Result<Conversation> (*read_request)(json::Value root, const Context& context) = nullptr;
  Result<std::string> (*write_request)(const Conversation& conversation, const Context& context,
                                       Dropped& dropped) = nullptr;
  Result<Reply> (*read_reply)(json::Value root) = nullptr;
  std::string (*write_reply)(const Reply& reply, const Context& context) = nullptr;
  std::unique_ptr<StreamReader> (*make_stream_reader)() = nullptr;
  std::unique_ptr<StreamWriter> (*make_stream_writer)(const Context& context) = nullptr;
};

const Codec& codec_openai_chat();
const Codec& codec_anthropic_messages();
const Codec& codec_gemini();
const Codec& codec_bedrock_converse();
const Codec& codec_openai_responses();

}  // namespace weir::dialect
