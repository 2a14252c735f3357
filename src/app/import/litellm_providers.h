// Which of LiteLLM's providers Weir can call, and where LiteLLM finds their address and key when a
// file does not say. Facts of https://docs.litellm.ai/docs/providers. Constant; any thread.
#pragma once

#include <string>
#include <string_view>

#include "app/config/config.h"

namespace weir::app {

struct LiteLlmProvider {
  std::string_view prefix;  // of litellm_params.model: "groq" in "groq/llama-3.3-70b"
  Provider provider;
  std::string_view endpoint;            // LiteLLM's default address; empty: Weir knows it itself
  std::string_view key_variable;        // environment variable of the key; empty: none needed
  std::string_view base_variable = {};  // environment variable of the address
  std::string_view base_suffix = {};    // what an api_base lacks to be the base of an OpenAI API
};

// Null for a provider that Weir cannot call.
const LiteLlmProvider* find_litellm_provider(std::string_view prefix);
// The provider LiteLLM takes for a model without a prefix; null where it would not know either.
const LiteLlmProvider* guess_litellm_provider(std::string_view model);
// Takes what stands in front of a Bedrock model's name: "converse/" or "invoke/", how it is called,
// and "us-east-1/", where.
void strip_bedrock_route(std::string& model, std::string& dialect, std::string& region);

}  // namespace weir::app
