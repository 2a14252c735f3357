// What Converse leaves to the model's own fields: thinking, top_k and the sampling that goes with
// them, by the model's family. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/json/writer.h"
#include "dialect/bedrock_converse/bedrock_converse.h"

namespace weir::dialect::bedrock_converse {

struct ModelFields {
  std::optional<int64_t> max_tokens;
  std::string temperature;  // JSON texts for inferenceConfig, "" = not sent
  std::string top_p;
  std::string effort;  // outputConfig.effort
  // The members of additionalModelRequestFields as JSON text: name and value.
  std::vector<std::pair<std::string_view, std::string>> additional;
};

struct Situation {
  bool forced_tool = false;          // a tool is forced: Claude does not think then
  bool turn_lacks_thinking = false;  // the calls being answered come without their thinking
};

ModelFields decide_model_fields(const Conversation& conversation, const Context& context,
                                std::string_view model, const Situation& situation,
                                Dropped& dropped);
// "additionalModelRequestFields", where there is anything in it.
void write_model_fields(json::Writer& writer, const ModelFields& fields);

}  // namespace weir::dialect::bedrock_converse
