// Any bytes as a configuration: no crash, an answer in bounded time, and what is accepted can be
// written and read back the same. The first byte chooses what the environment holds.
#include <stddef.h>
#include <stdint.h>

#include <string_view>

#include "app/config/emit.h"
#include "app/config/load.h"
#include "app/import/litellm.h"
#include "base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace weir;
  using namespace weir::app;
  if (size == 0) return 0;
  const bool set = (data[0] & 1) != 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);

  Surroundings surroundings = Surroundings::empty();
  surroundings.variable = [set](const std::string& name) -> std::optional<std::string> {
    if (!set) return std::nullopt;
    return "value ${of} \"" + name + "\"";
  };
  surroundings.read_file = [set](const std::string& path) -> Result<std::string> {
    if (!set) return fail(ErrorCode::not_found);
    return "file " + path + "\n";
  };

  const Loaded loaded = load_text(text, surroundings);
  WEIR_ASSERT(loaded.config || !loaded.problems.empty());
  for (const Problem& problem : loaded.problems) WEIR_ASSERT(!problem.message.empty());
  if (loaded.config) {
    const std::string once = effective_yaml(*loaded.config, {.secrets = true});
    const Loaded again = load_text(once, surroundings);
    WEIR_ASSERT(again.config.has_value());
    WEIR_ASSERT(effective_yaml(*again.config, {.secrets = true}) == once);
  }
  const auto imported = import_litellm(text, "fuzz.yaml");
  if (imported) WEIR_ASSERT(!imported->yaml.empty());
  return 0;
}
