// `weir import litellm`: a LiteLLM proxy configuration (config.yaml) in, a weir.yaml out, and a
// note for everything that has no equivalent or works differently. The format is the one of
// https://docs.litellm.ai/docs/proxy/config_settings. Pure; any thread. Limits are those of
// read_yaml.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace weir::app {

struct ImportNote {
  int line = 0;         // in the LiteLLM file; 0: none in particular
  std::string path;     // "model_list[2].litellm_params.temperature"
  std::string message;  // what becomes of it, and why
};

struct Imported {
  std::string yaml;
  std::vector<ImportNote> notes;  // in the order of the LiteLLM file
};

// `file` is the name to put into the first line. Errors: invalid_argument when the text is not YAML
// or has no model_list; the message says where.
Result<Imported> import_litellm(std::string_view text, std::string_view file);

}  // namespace weir::app
