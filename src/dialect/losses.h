// What a provider's dialect cannot express: one table for the request writers, which report a loss
// by naming its feature, and for docs/reference/dialects.md, which is printed from it. A client
// reads the names in the x-weir-dropped header. Constant data and pure functions; any thread.
//
// Request readers report by note() (wire.h) under the client's own path what they do not know.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "dialect/conversation.h"

namespace weir::dialect {

// Features of a request. `kFeatures` in losses.cc has the name of each and what it is.
enum class Feature : uint8_t {
  participant_name,
  thinking,
  native_part,
  image,
  image_detail,
  document,
  document_name,
  audio,
  file_id,
  refusal,
  tool_error,
  citations,
  cache_control,
  tool_result_cache,
  provider_tool,
  tool_strict,
  tool_format,
  response_strict,
  tool_choice,
  parallel_tool_calls,
  temperature,
  top_p,
  top_k,
  frequency_penalty,
  presence_penalty,
  seed,
  candidates,
  logprobs,
  stop,
  response_format,
  response_schema,
  reasoning,
  max_tokens,
  user,
  metadata,
  verbosity,
  prompt_cache_key,
  service_tier,
  store,
  previous_response,
};

// Targets of translation as bits.
using Targets = uint8_t;
inline constexpr Targets kToChat = 1, kToResponses = 2, kToMessages = 4, kToGemini = 8,
                         kToConverse = 16;
Targets target_of(Dialect dialect);  // 0 for a dialect that nothing is translated into

struct FeatureName {
  Feature feature;
  std::string_view id;       // as x-weir-dropped shows it
  std::string_view meaning;  // for the documentation
};
enum class When : uint8_t { always, sometimes };  // sometimes: by model, value or place
struct Loss {
  Feature feature;
  Targets targets;
  When when;
  std::string_view instead;  // what Weir does instead, and why
};
std::span<const FeatureName> features();
std::span<const Loss> losses();

std::string_view id_of(Feature feature);
// Appends the feature's id, or "<id>.<detail>", once. `target` must have a row in the table: a
// test over all writers proves it.
void lose(Dropped& dropped, Feature feature, std::string_view detail = {});
// Whether a writer of `target` may report this text.
bool is_known_loss(std::string_view reported, Dialect target);

// The page docs/reference/dialects.md.
std::string dialects_markdown();

}  // namespace weir::dialect
