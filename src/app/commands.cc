#include "app/commands.h"

namespace weir::app {

Command program() {
  return {
      .name = "weir",
      .summary = "Weir: one gateway in front of every model API",
      .details =
          "Clients keep the SDK they have and change its base URL; Weir picks the account\n"
          "and deployment, counts and prices every call, and survives a provider's bad day.",
      .examples = {{"weir serve", "Try it: a model answered by the built-in simulator"},
                   {"weir check -c weir.yaml", "Say everything that is wrong with a configuration"},
                   {"weir import litellm config.yaml -o weir.yaml",
                    "Start from a LiteLLM proxy configuration"},
                   {"weir config explain models.retries", "What a field of the file means"}},
      .subcommands = {serve_command(), check_command(), config_command(), import_command(),
                      key_command(), account_command(), secrets_command(), user_command(),
                      audit_command(), ledger_command(), prices_command(), reconcile_command(),
                      fleet_command(), sim_command(), bench_command(), reference_command(),
                      version_command()},
  };
}

}  // namespace weir::app
