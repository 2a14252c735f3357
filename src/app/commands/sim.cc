// weir sim: the simulated provider.
#include <fmt/format.h>

#include <csignal>
#include <ostream>

#include "app/commands.h"
#include "base/text.h"
#include "net/signals.h"
#include "sim/process.h"
#include "sim/sim_command.h"

namespace weir::app {
namespace {

// An option's text as a number, a duration or a share; the error names the option.
template <class T, class Parse>
Result<void> read(const Arguments& arguments, std::string_view option, T& into, Parse parse) {
  if (!arguments.has(option)) return {};
  auto parsed = parse(arguments.value(option));
  if (!parsed) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("--{}: '{}' is not what it takes", option, arguments.value(option)));
  }
  into = static_cast<T>(*parsed);
  return {};
}

Result<sim::SimCommandOptions> read_options(const Arguments& arguments) {
  sim::SimCommandOptions options;
  sim::SimConfig& config = options.config;
  if (const std::string path = arguments.value("file"); !path.empty()) {
    WEIR_TRY(const std::string text, sim::read_file(path));
    auto file = sim::parse_sim_file(text, {});
    if (!file) {
      return fail(file.error().code(), fmt::format("{}: {}", path, file.error().message()));
    }
    config = std::move(file->config);
    options.rules = std::move(file->rules);
  }
  const auto whole = [](const std::string& text) { return parse_int64(text); };
  options.listen = arguments.value("listen");
  WEIR_CHECK_OK(read(arguments, "seed", config.seed, whole));
  WEIR_CHECK_OK(read(arguments, "output-tokens", config.output_tokens, whole));
  WEIR_CHECK_OK(read(arguments, "first-token", config.latency.first_token, sim::parse_duration));
  WEIR_CHECK_OK(read(arguments, "input-token", config.latency.input_token, sim::parse_duration));
  WEIR_CHECK_OK(read(arguments, "token", config.latency.token, sim::parse_duration));
  WEIR_CHECK_OK(read(arguments, "jitter", config.latency.jitter, sim::parse_share));
  WEIR_CHECK_OK(read(arguments, "rpm", config.others.limits.requests_per_minute, whole));
  WEIR_CHECK_OK(read(arguments, "tpm", config.others.limits.tokens_per_minute, whole));
  WEIR_CHECK_OK(read(arguments, "calls-max", config.calls_max, whole));
  WEIR_CHECK_OK(read(arguments, "keep-bodies", config.request_bytes_kept, whole));
  WEIR_CHECK_OK(read(arguments, "token-lifetime", config.token_lifetime, sim::parse_duration));
  if (arguments.has("require-tokens")) config.require_tokens = true;
  if (arguments.has("demo")) config.demo = true;
  options.quiet = arguments.has("quiet");
  for (const std::string& key : arguments.values("key")) config.keys.push_back(key);
  for (const std::string& fault : arguments.values("fault")) {
    WEIR_TRY(sim::Rule rule, sim::parse_fault_option(fault));
    options.rules.push_back(std::move(rule));
  }
  if (const std::string path = arguments.value("google-public-key"); !path.empty()) {
    WEIR_TRY(config.google_public_key, sim::read_file(path));
  }
  if (arguments.has("tls-cert") != arguments.has("tls-key")) {
    return fail(ErrorCode::invalid_argument, "--tls-cert and --tls-key come together");
  }
  if (arguments.has("tls-cert")) {
    options.tls = {arguments.value("tls-cert"), arguments.value("tls-key")};
  }
  return options;
}

int run(const Arguments& arguments, Terminal& terminal) {
  net::block_signals({SIGINT, SIGTERM});
  auto options = read_options(arguments);
  if (!options) {
    terminal.err << "weir sim: " << options.error().message() << "\n";
    return kExitUsage;
  }
  return sim::run_sim(std::move(*options), terminal.out, terminal.err);
}

}  // namespace

Command sim_command() {
  return {
      .name = "sim",
      .summary = "Run a simulated provider that speaks every dialect",
      .details =
          "Answers OpenAI, Azure, Anthropic, Gemini and Vertex AI calls at the pace of a model, "
          "the\n"
          "same for the same seed. Fails when told to: by --fault, by a file, or while it runs by\n"
          "POST /sim/v1/script. Keeps an account of every call at /sim/v1/calls. "
          "docs/simulator.md\n"
          "describes the file, the faults and the account.",
      .options = {{"listen", 'l', "ADDRESS", "Where to listen", "127.0.0.1:8090"},
                  {"file", 'f', "FILE", "Settings and rules as JSON"},
                  {"seed", 0, "NUMBER", "Decides every made-up answer, jitter and rate (1)"},
                  {"first-token", 0, "TIME", "Time to the first token: 300ms (0)"},
                  {"input-token", 0, "TIME", "Time more for each token of the prompt: 50us (0)"},
                  {"token", 0, "TIME", "Time from token to token: 20ms (0)"},
                  {"jitter", 0, "SHARE", "How far each time may be off: 20% (0)"},
                  {"output-tokens", 0, "NUMBER", "Mean length of a made-up answer (48)"},
                  {"fault", 0, "KIND[@SHARE]",
                   "Fail this share of the calls: 429@5%, stall@1%, reset. Repeatable"},
                  {"rpm", 0, "NUMBER", "Requests per minute that each model takes"},
                  {"tpm", 0, "NUMBER", "Tokens per minute that each model takes"},
                  {"key", 0, "KEY", "Accept this key only. Repeatable"},
                  {"require-tokens", 0, "",
                   "Azure and Vertex bearer tokens must come from the token endpoints here"},
                  {"token-lifetime", 0, "TIME", "How long such a token is good (1h)"},
                  {"google-public-key", 0, "FILE",
                   "PEM that JWTs for Google tokens must verify by"},
                  {"calls-max", 0, "NUMBER", "Calls kept in the account (10000)"},
                  {"keep-bodies", 0, "BYTES", "Of each request's body in the account (0)"},
                  {"tls-cert", 0, "FILE", "Serve TLS with this certificate"},
                  {"tls-key", 0, "FILE", "and this key"},
                  {"demo", 0, "", "Answer in sentences that say where they come from"},
                  {"quiet", 'q', "", "Print nothing"}},
      .examples = {{"weir sim", "A provider at 127.0.0.1:8090"},
                   {"weir sim --first-token 300ms --token 20ms --jitter 20%",
                    "The pace of a hosted model"},
                   {"weir sim --fault 429@5% --fault stall@1%", "A provider on a bad day"},
                   {"weir sim -f script.json", "Scripted answers and faults"}},
      .run = run,
  };
}

}  // namespace weir::app
