#include "dialect/losses.h"

#include <algorithm>
#include <array>

#include "dialect/wire.h"

namespace weir::dialect {
namespace {

using enum Feature;
using enum When;

constexpr auto kFeatures = std::to_array<FeatureName>({
    {participant_name, "messages.name", "the name of a participant (OpenAI `name`)"},
    {thinking, "thinking", "thinking, redacted thinking and reasoning items of earlier turns"},
    {native_part, "native_blocks", "blocks of tools that another provider ran"},
    {image, "image", "a picture"},
    {image_detail, "image.detail", "how closely a picture is looked at (OpenAI `detail`)"},
    {document, "document", "a file"},
    {document_name, "document.name", "the name or title of a file"},
    {audio, "audio", "recorded sound"},
    {file_id, "file_id", "a file by its id at another provider"},
    {refusal, "refusal", "that a text was a refusal"},
    {tool_error, "tool_result.is_error", "that the result of a tool is an error"},
    {citations, "citations", "citations of earlier answers, and the wish for them"},
    {cache_control, "cache_control", "cache breakpoints (Anthropic `cache_control`)"},
    {tool_result_cache, "tool_result.cache_control", "cache breakpoints inside a tool's result"},
    {provider_tool, "tools.provider_run", "a tool that the provider runs, without a counterpart"},
    {tool_strict, "tools.strict", "arguments that are guaranteed to fit their schema"},
    {tool_format, "tools.format", "the grammar of a custom tool (OpenAI)"},
    {tool_choice, "tool_choice", "which tool the model has to call"},
    {parallel_tool_calls, "parallel_tool_calls", "at most one tool call per turn"},
    {temperature, "temperature", ""},
    {top_p, "top_p", ""},
    {top_k, "top_k", ""},
    {frequency_penalty, "frequency_penalty", ""},
    {presence_penalty, "presence_penalty", ""},
    {seed, "seed", ""},
    {candidates, "n", "several answers at once (OpenAI `n`, Gemini `candidateCount`)"},
    {logprobs, "logprobs", "log probabilities"},
    {stop, "stop", "stop sequences"},
    {response_format, "response_format", "answers in JSON"},
    {response_schema, "response_format.schema", "keywords of the JSON schema of an answer"},
    {response_strict, "response_format.strict", "an answer that is guaranteed to fit its schema"},
    {reasoning, "reasoning", "how much the model thinks"},
    {max_tokens, "max_tokens", "the limit of the answer's length"},
    {user, "user", "the id of the end user"},
    {metadata, "metadata", "the client's own pairs (OpenAI)"},
    {verbosity, "verbosity", "how long the answer is to be (OpenAI)"},
    {prompt_cache_key, "prompt_cache_key", "OpenAI's hint for its prompt cache"},
    {service_tier, "service_tier", "the lane in which the call is served"},
    {store, "store", "whether the provider keeps the answer (OpenAI)"},
    {previous_response, "previous_response_id", "going on from an answer the provider kept"},
});

// Sorted as kFeatures. What a row says is done is what the writers do.
constexpr auto kLosses = std::to_array<Loss>({
    {participant_name, kToMessages | kToGemini | kToResponses | kToConverse, always, "left out"},
    {thinking, kToChat, sometimes,
     "left out, but for servers that want it back (`replay_reasoning`); the API has no field"},
    {thinking, kToMessages | kToConverse, sometimes,
     "sent where this provider signed it; what another one signed, or nobody, is refused there and "
     "left out"},
    {thinking, kToGemini, sometimes,
     "sent where Gemini signed it; the rest is left out, and the first call of a turn gets "
     "`skip_thought_signature_validator`"},
    {thinking, kToResponses, sometimes,
     "sent where OpenAI encrypted it; the rest is left out: nobody else's can be read there"},
    {native_part, kToChat | kToResponses | kToMessages | kToGemini | kToConverse, sometimes,
     "sent to the dialect that made them, left out elsewhere"},
    {image, kToChat | kToResponses | kToMessages | kToGemini | kToConverse, sometimes,
     "left out where the API takes none: in the model's turns, and without bytes or an address"},
    {image_detail, kToMessages | kToGemini | kToConverse, always, "left out"},
    {document, kToChat | kToResponses | kToMessages | kToGemini | kToConverse, sometimes,
     "left out where the API does not take its type or its form"},
    {document_name, kToGemini, always, "left out"},
    {audio, kToGemini, sometimes, "left out without bytes or an address"},
    {audio, kToMessages, always, "left out: no model behind the API hears"},
    {audio, kToConverse, sometimes, "left out in the model's turns and in forms it does not take"},
    {audio, kToChat | kToResponses, sometimes, "left out in the model's turns and by address"},
    {file_id, kToChat | kToResponses | kToMessages | kToGemini | kToConverse, sometimes,
     "left out: an id belongs to one account at one provider"},
    {refusal, kToMessages | kToGemini | kToConverse, always, "sent as text"},
    {tool_error, kToChat | kToResponses, always, "left out; the text of the result tells"},
    {tool_error, kToConverse, sometimes, "sent to Claude and Nova; the text of the result tells"},
    {citations, kToChat | kToResponses | kToGemini | kToConverse, sometimes,
     "left out: answers are cited where the provider does it on its own"},
    {citations, kToMessages, sometimes, "sent where Anthropic made them, left out else"},
    {cache_control, kToChat | kToResponses | kToGemini, always,
     "left out: these providers cache prefixes on their own"},
    {cache_control, kToMessages, sometimes, "of more than four breakpoints the last four stay"},
    {cache_control, kToConverse, sometimes,
     "sent to Claude and Nova, the last four; Nova has none behind its tools"},
    {tool_result_cache, kToMessages | kToConverse, always,
     "left out inside a result; that of the result stays"},
    {provider_tool, kToChat | kToResponses | kToMessages | kToGemini | kToConverse, sometimes,
     "left out"},
    {tool_strict, kToMessages | kToGemini, always,
     "left out: the model does its best to fit the schema"},
    {tool_strict, kToConverse, sometimes, "sent to models that Bedrock constrains to a schema"},
    {tool_format, kToChat, sometimes, "as below, for servers that are not OpenAI's and old models"},
    {tool_format, kToMessages | kToGemini | kToConverse, always,
     "the tool is a function with one text, `input`; the grammar stands in its description"},
    {tool_choice, kToChat | kToResponses | kToGemini, sometimes,
     "left out where there are no tools"},
    {tool_choice, kToConverse, sometimes,
     "left out where there are no tools and for models that cannot be forced; `none` leaves out "
     "the tools, unless the history has calls"},
    {tool_choice, kToMessages, sometimes,
     "left out where there are no tools, and `auto` for models that cannot be forced"},
    {parallel_tool_calls, kToGemini | kToConverse, always, "left out: the model decides"},
    {temperature, kToChat | kToResponses, sometimes, "left out for reasoning models"},
    {temperature, kToMessages | kToConverse, sometimes,
     "cut to 1, the API's maximum; left out with thinking and for models that refuse it"},
    {top_p, kToChat | kToResponses, sometimes, "left out for reasoning models"},
    {top_p, kToMessages | kToConverse, sometimes,
     "left out with thinking, beside a temperature (4.5 and later) and for models that refuse it"},
    {top_k, kToChat | kToResponses, always, "left out"},
    {top_k, kToMessages | kToConverse, sometimes,
     "left out with thinking and for models that refuse it or do not have it"},
    {frequency_penalty, kToMessages | kToResponses | kToConverse, always, "left out"},
    {frequency_penalty, kToChat, sometimes, "left out for reasoning models"},
    {presence_penalty, kToMessages | kToResponses | kToConverse, always, "left out"},
    {presence_penalty, kToChat, sometimes, "left out for reasoning models"},
    {seed, kToMessages | kToResponses | kToConverse, always, "left out"},
    {candidates, kToMessages | kToResponses | kToConverse, always, "one answer is given"},
    {logprobs, kToMessages | kToConverse, always, "left out"},
    {logprobs, kToChat | kToResponses, sometimes, "left out for reasoning models"},
    {stop, kToResponses, always, "left out"},
    {stop, kToChat, sometimes, "the first four stay; left out for reasoning models"},
    {stop, kToMessages, sometimes, "blank ones are left out"},
    {stop, kToGemini, sometimes, "the first five stay"},
    {stop, kToConverse, sometimes, "blank ones and those beyond the API's maximum are left out"},
    {response_format, kToGemini, sometimes,
     "left out beside tools before Gemini 3, which refuses both together"},
    {response_format, kToMessages | kToConverse, sometimes,
     "asked for in the instructions, or by a forced tool, where the model has no such setting"},
    {response_schema, kToMessages | kToConverse, sometimes,
     "keywords that the API does not know are left out; objects are closed "
     "(`additionalProperties: false`)"},
    {response_strict, kToChat | kToResponses, sometimes,
     "left out where the schema is not what OpenAI's strict mode asks for: every property "
     "required, "
     "every object closed"},
    {reasoning, kToChat | kToResponses, sometimes, "left out for models that do not reason"},
    {reasoning, kToMessages | kToConverse, sometimes,
     "left out where a tool is forced, where there is no room for it and where the thinking of the "
     "calls being answered is gone; on Bedrock also for models but Claude, Nova 2 and gpt-oss"},
    {reasoning, kToGemini, sometimes, "left out before Gemini 2.5"},
    {max_tokens, kToResponses, sometimes, "raised to 16, the API's minimum"},
    {user, kToGemini | kToConverse, always, "left out"},
    {user, kToChat | kToResponses, sometimes, "left out beyond 64 characters"},
    {user, kToMessages, sometimes, "left out beyond 256 characters"},
    {metadata, kToMessages | kToGemini, always, "left out"},
    {metadata, kToChat, always, "left out: OpenAI takes it with stored answers only"},
    {metadata, kToConverse, sometimes, "`requestMetadata` where it fits the API's limits"},
    {verbosity, kToMessages | kToGemini | kToConverse, always, "left out"},
    {verbosity, kToChat | kToResponses, sometimes, "left out for models before GPT-5"},
    {prompt_cache_key, kToMessages | kToGemini | kToConverse, always, "left out"},
    {prompt_cache_key, kToChat, sometimes, "left out for servers that are not OpenAI's"},
    {service_tier, kToChat | kToResponses | kToMessages | kToGemini | kToConverse, sometimes,
     "left out where the provider has no such lane"},
    {store, kToChat | kToMessages | kToGemini | kToConverse, sometimes,
     "Weir keeps the answer itself"},
    {previous_response, kToChat | kToMessages | kToGemini | kToConverse, sometimes,
     "answered from Weir's own store"},
});

struct TargetName {
  Targets target;
  std::string_view name;
};
constexpr auto kTargetNames = std::to_array<TargetName>({
    {kToChat, "chat completions"},
    {kToResponses, "Responses"},
    {kToMessages, "Anthropic messages"},
    {kToGemini, "Gemini"},
    {kToConverse, "Bedrock Converse"},
});

const FeatureName& name_of(Feature feature) {
  return *std::find_if(kFeatures.begin(), kFeatures.end(),
                       [&](const FeatureName& entry) { return entry.feature == feature; });
}

std::string names_of(Targets targets) {
  std::string out;
  for (const TargetName& entry : kTargetNames) {
    if ((targets & entry.target) == 0) continue;
    if (!out.empty()) out.append(", ");
    out.append(entry.name);
  }
  return out;
}

}  // namespace

Targets target_of(Dialect dialect) {
  switch (dialect) {
    case Dialect::openai_chat:
      return kToChat;
    case Dialect::openai_responses:
      return kToResponses;
    case Dialect::anthropic_messages:
      return kToMessages;
    case Dialect::gemini:
      return kToGemini;
    case Dialect::bedrock_converse:
      return kToConverse;
    case Dialect::openai_completions:
    case Dialect::openai_embeddings:
    case Dialect::passthrough:
      return 0;
  }
  return 0;
}

std::span<const FeatureName> features() {
  return kFeatures;
}

std::span<const Loss> losses() {
  return kLosses;
}

std::string_view id_of(Feature feature) {
  return name_of(feature).id;
}

void lose(Dropped& dropped, Feature feature, std::string_view detail) {
  const std::string_view id = id_of(feature);
  note(dropped, detail.empty() ? std::string(id) : at_member(id, detail));
}

bool is_known_loss(std::string_view reported, Dialect target) {
  return std::any_of(kLosses.begin(), kLosses.end(), [&](const Loss& loss) {
    if ((loss.targets & target_of(target)) == 0) return false;
    const std::string_view id = id_of(loss.feature);
    if (!reported.starts_with(id)) return false;
    return reported.size() == id.size() || reported[id.size()] == '.';
  });
}

std::string dialects_markdown() {
  std::string out =
      R"(# What a translation cannot carry

<!-- Printed by `weir reference dialects` from src/dialect/losses.cc. Do not edit: run
     `weir reference dialects > docs/reference/dialects.md`. -->

A request that goes to a provider of another dialect may hold something that the provider's API has
no words for. Weir then does what stands here, and names it in the `x-weir-dropped` header of the
answer: a comma-separated list of the names in the first column, some with a detail behind a dot
(`response_format.schema.pattern`). Fields of the client's own dialect that Weir does not know are named by
their path. Between a client and a provider of one dialect nothing is lost: the bytes pass as they
are.

"Sometimes" depends on the model, the value or the place.

| in `x-weir-dropped` | cannot be expressed in | | what happens instead |
|---|---|---|---|
)";
  for (const Loss& loss : kLosses) {
    const FeatureName& feature = name_of(loss.feature);
    out.append("| `").append(feature.id).append("`");
    if (!feature.meaning.empty()) out.append(": ").append(feature.meaning);
    out.append(" | ").append(names_of(loss.targets)).append(" | ");
    out.append(loss.when == always ? "always" : "sometimes").append(" | ");
    out.append(loss.instead).append(" |\n");
  }
  return out;
}

}  // namespace weir::dialect
