#include "app/import/litellm_providers.h"

#include <algorithm>
#include <array>

namespace weir::app {
namespace {

constexpr std::array kProviders{
    LiteLlmProvider{"openai", Provider::openai, "", "OPENAI_API_KEY", "OPENAI_API_BASE"},
    LiteLlmProvider{"text-completion-openai", Provider::openai, "", "OPENAI_API_KEY",
                    "OPENAI_API_BASE"},
    LiteLlmProvider{"azure", Provider::azure_openai, "", "AZURE_API_KEY", "AZURE_API_BASE"},
    LiteLlmProvider{"azure_text", Provider::azure_openai, "", "AZURE_API_KEY", "AZURE_API_BASE"},
    LiteLlmProvider{"azure_ai", Provider::azure_openai, "", "AZURE_AI_API_KEY",
                    "AZURE_AI_API_BASE"},
    LiteLlmProvider{"anthropic", Provider::anthropic, "", "ANTHROPIC_API_KEY"},
    LiteLlmProvider{"vertex_ai", Provider::vertex_ai, "", ""},
    LiteLlmProvider{"vertex_ai_beta", Provider::vertex_ai, "", ""},
    LiteLlmProvider{"gemini", Provider::gemini, "", "GEMINI_API_KEY"},
    LiteLlmProvider{"bedrock", Provider::bedrock, "", ""},
    LiteLlmProvider{"bedrock_converse", Provider::bedrock, "", ""},
    LiteLlmProvider{"groq", Provider::openai_compatible, "https://api.groq.com/openai/v1",
                    "GROQ_API_KEY"},
    LiteLlmProvider{"mistral", Provider::openai_compatible, "https://api.mistral.ai/v1",
                    "MISTRAL_API_KEY"},
    LiteLlmProvider{"deepseek", Provider::openai_compatible, "https://api.deepseek.com/v1",
                    "DEEPSEEK_API_KEY"},
    LiteLlmProvider{"xai", Provider::openai_compatible, "https://api.x.ai/v1", "XAI_API_KEY"},
    LiteLlmProvider{"together_ai", Provider::openai_compatible, "https://api.together.xyz/v1",
                    "TOGETHERAI_API_KEY"},
    LiteLlmProvider{"fireworks_ai", Provider::openai_compatible,
                    "https://api.fireworks.ai/inference/v1", "FIREWORKS_AI_API_KEY"},
    LiteLlmProvider{"openrouter", Provider::openai_compatible, "https://openrouter.ai/api/v1",
                    "OPENROUTER_API_KEY"},
    LiteLlmProvider{"perplexity", Provider::openai_compatible, "https://api.perplexity.ai",
                    "PERPLEXITYAI_API_KEY"},
    LiteLlmProvider{"cerebras", Provider::openai_compatible, "https://api.cerebras.ai/v1",
                    "CEREBRAS_API_KEY"},
    LiteLlmProvider{"nvidia_nim", Provider::openai_compatible,
                    "https://integrate.api.nvidia.com/v1", "NVIDIA_NIM_API_KEY"},
    LiteLlmProvider{"deepinfra", Provider::openai_compatible, "https://api.deepinfra.com/v1/openai",
                    "DEEPINFRA_API_KEY"},
    LiteLlmProvider{"sambanova", Provider::openai_compatible, "https://api.sambanova.ai/v1",
                    "SAMBANOVA_API_KEY"},
    LiteLlmProvider{"moonshot", Provider::openai_compatible, "https://api.moonshot.ai/v1",
                    "MOONSHOT_API_KEY"},
    LiteLlmProvider{"ollama", Provider::openai_compatible, "http://localhost:11434/v1", "",
                    "OLLAMA_API_BASE", "/v1"},
    LiteLlmProvider{"ollama_chat", Provider::openai_compatible, "http://localhost:11434/v1", "",
                    "OLLAMA_API_BASE", "/v1"},
    LiteLlmProvider{"hosted_vllm", Provider::openai_compatible, "", "", "HOSTED_VLLM_API_BASE"},
    LiteLlmProvider{"vllm", Provider::openai_compatible, "", ""},
    LiteLlmProvider{"lm_studio", Provider::openai_compatible, "", "", "LM_STUDIO_API_BASE"},
    LiteLlmProvider{"llamafile", Provider::openai_compatible, "http://127.0.0.1:8080/v1", "",
                    "LLAMAFILE_API_BASE"},
    LiteLlmProvider{"xinference", Provider::openai_compatible, "http://127.0.0.1:9997/v1", "",
                    "XINFERENCE_API_BASE"},
    LiteLlmProvider{"litellm_proxy", Provider::openai_compatible, "", "LITELLM_PROXY_API_KEY",
                    "LITELLM_PROXY_API_BASE"},
    LiteLlmProvider{"openai_like", Provider::openai_compatible, "", "OPENAI_LIKE_API_KEY",
                    "OPENAI_LIKE_API_BASE"},
    LiteLlmProvider{"custom_openai", Provider::openai_compatible, "", ""},
};

struct Beginning {
  std::string_view text;
  std::string_view prefix;
};
constexpr std::array kBeginnings{
    Beginning{"gpt-", "openai"},
    Beginning{"chatgpt-", "openai"},
    Beginning{"o1", "openai"},
    Beginning{"o3", "openai"},
    Beginning{"o4", "openai"},
    Beginning{"ft:", "openai"},
    Beginning{"text-embedding-3", "openai"},
    Beginning{"text-embedding-ada", "openai"},
    Beginning{"omni-moderation", "openai"},
    Beginning{"text-moderation", "openai"},
    Beginning{"dall-e", "openai"},
    Beginning{"whisper", "openai"},
    Beginning{"tts-", "openai"},
    Beginning{"claude-", "anthropic"},
    Beginning{"gemini-", "vertex_ai"},
};

}  // namespace

const LiteLlmProvider* find_litellm_provider(std::string_view prefix) {
  for (const LiteLlmProvider& provider : kProviders) {
    if (provider.prefix == prefix) return &provider;
  }
  return nullptr;
}

void strip_bedrock_route(std::string& model, std::string& dialect, std::string& region) {
  const auto strip = [&](std::string_view beginning) {
    if (!model.starts_with(beginning)) return false;
    model.erase(0, beginning.size());
    return true;
  };
  if (strip("converse/") || strip("converse_like/")) dialect = "bedrock_converse";
  if (strip("invoke/")) dialect.clear();
  const size_t slash = model.find('/');
  const std::string_view first = std::string_view(model).substr(0, slash);
  const bool is_region = slash != std::string::npos && first.find(':') == std::string_view::npos &&
                         std::count(first.begin(), first.end(), '-') >= 2;
  if (!is_region) return;
  region = first;
  model.erase(0, slash + 1);
}

const LiteLlmProvider* guess_litellm_provider(std::string_view model) {
  for (const Beginning& beginning : kBeginnings) {
    if (model.starts_with(beginning.text)) return find_litellm_provider(beginning.prefix);
  }
  return nullptr;
}

}  // namespace weir::app
