#include "dialect/translate.h"

#include "dialect/codec.h"
#include "dialect/wire.h"

namespace weir::dialect {
namespace {

// The one dispatch table. A dialect without a line here is relayed, never translated.
const Codec* find_codec(Dialect dialect) {
  switch (dialect) {
    case Dialect::openai_chat:
      return &codec_openai_chat();
    case Dialect::anthropic_messages:
      return &codec_anthropic_messages();
    case Dialect::gemini:
      return &codec_gemini();
    case Dialect::bedrock_converse:
      return &codec_bedrock_converse();
    case Dialect::openai_responses:
      return &codec_openai_responses();
    case Dialect::openai_completions:
    case Dialect::openai_embeddings:
    case Dialect::passthrough:
      return nullptr;
  }
  return nullptr;
}

tl::unexpected<Error> no_translation(Dialect dialect, std::string_view what) {
  std::string message = "there is no translation of ";
  message.append(what).append(" for ").append(to_string(dialect));
  return fail(ErrorCode::invalid_argument, std::move(message));
}

}  // namespace

std::string_view to_string(Dialect dialect) {
  switch (dialect) {
    case Dialect::openai_chat:
      return "openai_chat";
    case Dialect::openai_responses:
      return "openai_responses";
    case Dialect::openai_completions:
      return "openai_completions";
    case Dialect::openai_embeddings:
      return "openai_embeddings";
    case Dialect::anthropic_messages:
      return "anthropic_messages";
    case Dialect::gemini:
      return "gemini";
    case Dialect::bedrock_converse:
      return "bedrock_converse";
    case Dialect::passthrough:
      return "passthrough";
  }
  return "unknown";
}

bool can_translate(Dialect from, Dialect to) {
  const Codec* source = find_codec(from);
  const Codec* target = find_codec(to);
  return source != nullptr && target != nullptr && source->read_request != nullptr &&
         target->write_request != nullptr && target->read_reply != nullptr &&
         source->write_reply != nullptr;
}

Result<Conversation> read_request(Dialect dialect, json::Value root, const Context& context) {
  const Codec* codec = find_codec(dialect);
  if (codec == nullptr || codec->read_request == nullptr) {
    return no_translation(dialect, "requests");
  }
  return codec->read_request(root, context);
}

Result<std::string> write_request(Dialect dialect, const Conversation& conversation,
                                  const Context& context, Dropped& dropped) {
  const Codec* codec = find_codec(dialect);
  if (codec == nullptr || codec->write_request == nullptr) {
    return no_translation(dialect, "requests");
  }
  for (const std::string& path : conversation.dropped) note(dropped, path);
  return codec->write_request(conversation, context, dropped);
}

Result<Reply> read_reply(Dialect dialect, json::Value root) {
  const Codec* codec = find_codec(dialect);
  if (codec == nullptr || codec->read_reply == nullptr) {
    return no_translation(dialect, "answers");
  }
  return codec->read_reply(root);
}

std::string write_reply(Dialect dialect, const Reply& reply, const Context& context) {
  const Codec* codec = find_codec(dialect);
  if (codec == nullptr || codec->write_reply == nullptr) return {};
  return codec->write_reply(reply, context);
}

std::unique_ptr<StreamReader> make_stream_reader(Dialect dialect) {
  const Codec* codec = find_codec(dialect);
  if (codec == nullptr || codec->make_stream_reader == nullptr) return nullptr;
  return codec->make_stream_reader();
}

std::unique_ptr<StreamWriter> make_stream_writer(Dialect dialect, const Context& context) {
  const Codec* codec = find_codec(dialect);
  if (codec == nullptr || codec->make_stream_writer == nullptr) return nullptr;
  return codec->make_stream_writer(context);
}

}  // namespace weir::dialect
