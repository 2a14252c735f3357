// One table per struct of config.h. This file is the reference of the configuration: the page
// docs/reference/configuration.md and the JSON Schema are printed from it.
#include <array>

#include "app/config/codec.h"
#include "app/config/schema.h"

namespace weir::app {

template <>
struct Choices<Provider> {
  static constexpr std::array kValues{
      Provider::openai, Provider::azure_openai, Provider::anthropic,        Provider::vertex_ai,
      Provider::gemini, Provider::bedrock,      Provider::openai_compatible};
};
template <>
struct Choices<Period> {
  static constexpr std::array kValues{Period::day, Period::week, Period::month, Period::rolling,
                                      Period::total};
};
template <>
struct Choices<log::Level> {
  static constexpr std::array kValues{log::Level::debug, log::Level::info, log::Level::warn,
                                      log::Level::error, log::Level::off};
};
template <>
struct Choices<dialect::Dialect> {
  static constexpr std::array kValues{dialect::Dialect::openai_chat,
                                      dialect::Dialect::openai_responses,
                                      dialect::Dialect::anthropic_messages,
                                      dialect::Dialect::gemini, dialect::Dialect::bedrock_converse};
};
template <>
struct Choices<provider::ProbeKind> {
  static constexpr std::array kValues{provider::ProbeKind::completion,
                                      provider::ProbeKind::list_models, provider::ProbeKind::off};
};

template <>
struct Choices<provider::OnAbort> {
  static constexpr std::array kValues{provider::OnAbort::cancel, provider::OnAbort::drain};
};

namespace {

constexpr int64_t kSecond = 1'000;
constexpr int64_t kHour = 3'600 * kSecond;
constexpr int64_t kDay = 24 * kHour;

constexpr Rule kRequiredName{.required = true, .as = FieldKind::name};
constexpr Rule kPath{.as = FieldKind::path};
constexpr Rule kRequiredPath{.required = true, .as = FieldKind::path};
constexpr Rule kUrl{.as = FieldKind::url};

constexpr Rule wait(std::string_view of_default = {}) {
  return {.min = 1, .max = kDay, .of_default = of_default};
}

}  // namespace

template <>
const ObjectSpec& spec_of<ServerTls>() {
  static const ObjectSpec spec =
      Table<ServerTls>("TLS of the listener", "Serves HTTPS in place of HTTP.")
          .field("certificate", &ServerTls::certificate,
                 "File with the certificate chain in PEM form.", kRequiredPath)
          .field("key", &ServerTls::key, "File with the private key in PEM form.", kRequiredPath)
          .done();
  return spec;
}

template <>
const ObjectSpec& spec_of<ServerLimits>() {
  static const ObjectSpec spec =
      Table<ServerLimits>("Limits of the listener", "What a client may send.")
          .field("body_bytes", &ServerLimits::body_bytes,
                 "Largest request body; a larger one is answered with 413.",
                 {.min = 1 << 10, .max = 16LL << 30})
          .field("head_bytes", &ServerLimits::head_bytes,
                 "Largest request line and headers together; more is answered with 431.",
                 {.min = 1 << 10, .max = 1 << 20})
          .field("headers", &ServerLimits::headers,
                 "Most headers of one request; more is answered with 431.",
                 {.min = 8, .max = 10'000})
          .field("connections", &ServerLimits::connections,
                 "Most open client connections, all workers together; more wait to be accepted.",
                 {.min = 1, .max = 10'000'000})
          .done();
  return spec;
}

template <>
const ObjectSpec& spec_of<ServerTimeouts>() {
  static const ObjectSpec spec =
      Table<ServerTimeouts>("Times of the listener", "How long Weir waits for a slow client.")
          .field("head", &ServerTimeouts::head,
                 "From a request's first byte to the end of its headers.", wait())
          .field("body", &ServerTimeouts::body, "Longest silence while a request body is awaited.",
                 wait())
          .field("write", &ServerTimeouts::write,
                 "Longest time in which a client takes no byte of its answer.", wait())
          .field("keep_alive", &ServerTimeouts::keep_alive,
                 "How long a connection stays open between requests.", wait())
          .done();
  return spec;
}

template <>
const ObjectSpec& spec_of<Server>() {
  static const ObjectSpec spec =
      Table<Server>("Server", "The listener that serves the model APIs.")
          .field("listen", &Server::listen, "Address and port; `:8080` means every interface.")
          .field("workers", &Server::workers,
                 "Event loops, each on a thread of its own; 0 means one per core.", {.max = 1'024})
          .field("tls", &Server::tls, "Serve HTTPS with this certificate.", {.unset = "HTTP"})
          .field("http2", &Server::http2,
                 "Speak HTTP/2 with clients that ask for it: by ALPN where `tls` is set, else by "
                 "prior knowledge.")
          .field("limits", &Server::limits, "What a client may send.")
          .field("timeouts", &Server::timeouts, "How long Weir waits for a slow client.")
          .field("trusted_proxies", &Server::trusted_proxies,
                 "Addresses and blocks of proxies whose `X-Forwarded-For` tells the client's "
                 "address, for keys with `addresses`.",
                 {.unset = "none"})
          .field("drain", &Server::drain,
                 "How long open requests may go on after SIGTERM before they are cut off.",
                 {.max = kDay})
          .done();
  return spec;
}

template <>
const ObjectSpec& spec_of<Admin>();

template <>
const ObjectSpec& spec_of<Log>() {
  static const ObjectSpec spec =
      Table<Log>(
          "Log",
          "The program's own log: one JSON object per line, never with message text or secrets.")
          .field("level", &Log::level, "The least severe lines that are written.")
          .field("file", &Log::file,
                 "File that lines are appended to; it is opened again on SIGHUP, for rotation.",
                 {.as = FieldKind::path, .unset = "standard error"})
          .done();
  return spec;
}

template <>
const ObjectSpec& spec_of<Entra>() {
  static const ObjectSpec spec =
      Table<Entra>("Entra", "Microsoft Entra client credentials in place of an API key.")
          .field("tenant", &Entra::tenant, "Directory (tenant) id.", {.required = true})
          .field("client_id", &Entra::client_id, "Application (client) id.", {.required = true})
          .field("client_secret", &Entra::client_secret, "The application's secret.",
                 {.required = true})
          .field("authority", &Entra::authority,
                 "Where tokens are fetched; change it for national clouds.", kUrl)
          .done();
  return spec;
}

template <>
const ObjectSpec& spec_of<AccountTls>() {
  static const ObjectSpec spec =
      Table<AccountTls>("TLS towards the provider", "How the provider's certificate is verified.")
          .field("ca_file", &AccountTls::ca_file,
                 "File with the accepted root certificates in PEM form.",
                 {.as = FieldKind::path, .unset = "the system's roots"})
          .field("verify", &AccountTls::verify, "false accepts any certificate: for tests only.")
          .done();
  return spec;
}

template <>
const ObjectSpec& spec_of<Account>() {
  static const ObjectSpec spec =
      Table<Account>("Account",
                     "A credential at a provider, with that provider's limits: the unit that is "
                     "pooled.")
          .field("name", &Account::name, "How deployments refer to it.", kRequiredName)
          .field("provider", &Account::provider, "Whose API it is.", {.required = true})
          .field("endpoint", &Account::endpoint,
                 "Base address, such as `https://acme.openai.azure.com` or "
                 "`http://127.0.0.1:8000/v1`. Required for azure_openai and openai_compatible.",
                 {.as = FieldKind::url, .unset = "the provider's public address"})
          .field("api_key", &Account::api_key, "The provider's API key.")
          .field("api_version", &Account::api_version,
                 "azure_openai: the `api-version` of the classic API; without it the v1 API is "
                 "spoken. anthropic: the `anthropic-version` header.")
          .field("entra", &Account::entra, "azure_openai: client credentials in place of a key.")
          .field("project", &Account::project, "vertex_ai: the Google Cloud project.")
          .field("location", &Account::location,
                 "vertex_ai: region such as `us-central1`, or `global`.")
          .field("service_account", &Account::service_account,
                 "vertex_ai: file with the service account's JSON key.", kPath)
          .field("token_endpoint", &Account::token_endpoint,
                 "vertex_ai, azure_openai: fetches OAuth tokens here and not at the address that "
                 "the credential names.",
                 kUrl)
          .field("region", &Account::region, "bedrock: the AWS region, such as `us-east-1`.",
                 {.unset = "`AWS_REGION`, else `AWS_DEFAULT_REGION`"})
          .field("access_key_id", &Account::access_key_id,
                 "bedrock: the access key that signs requests, in place of `api_key`.")
          .field("secret_access_key", &Account::secret_access_key, "bedrock: its secret.")
          .field("session_token", &Account::session_token,
                 "bedrock: the token of temporary credentials.")
          .field("profile", &Account::profile,
                 "bedrock: takes the access key from this profile of `credentials_file`. Without "
                 "any credential here, the environment's are taken: `AWS_BEARER_TOKEN_BEDROCK`, "
                 "`AWS_ACCESS_KEY_ID`, `AWS_PROFILE`.",
                 {.unset = "`AWS_PROFILE`, else `default`"})
          .field("credentials_file", &Account::credentials_file,
                 "bedrock: AWS's shared credentials file. Read at start and reload.",
                 {.as = FieldKind::path,
                  .unset = "`AWS_SHARED_CREDENTIALS_FILE`, else `~/.aws/credentials`"})
          .field("organization", &Account::organization, "openai: the organization that pays.")
          .field("headers", &Account::headers,
                 "Headers that are sent with every request; their values are treated as secrets.",
                 {.as = FieldKind::header_map})
          .field("tls", &Account::tls, "How the provider's certificate is verified.")
          .field("http2", &Account::http2,
                 "Offer the provider HTTP/2, many requests to a connection; HTTP/1.1 where it does "
                 "not agree. Without TLS there is nothing to agree by: an `http://` endpoint must "
                 "speak it.")
          .field("limits", &Account::limits,
                 "The provider's limits of this account: nothing is sent beyond them, all workers "
                 "together. What the provider's own headers tell is heeded in any case.")
          .field("stream_usage", &Account::stream_usage,
                 "Ask for token counts in OpenAI streams. false for compatible servers that "
                 "refuse `stream_options`; their streams are then counted by estimate.")
          .field("on_abort", &Account::on_abort,
                 "What is done with a stream whose client has left. `cancel` breaks the call off "
                 "and estimates its usage. `drain` reads it to its end for the usage told there, "
                 "for at most 10 s and 1 MiB, then cancels: for providers that go on generating, "
                 "and bill the whole answer, when their client hangs up.")
          .field("probes_per_hour", &Account::probes_per_hour,
                 "Most calls of Weir's own in any hour at this account's sick deployments "
                 "(`models[].probe`). They are on the ledger under the key `weir:probe`. 0: none.",
                 {.max = 3'600})
          .done();
  return spec;
}

template <>
const ObjectSpec& spec_of<Deployment>() {
  static const ObjectSpec spec =
      Table<Deployment>("Deployment", "One place where a model can be served.")
          .field("account", &Deployment::account, "Name of the account.", kRequiredName)
          .field("model", &Deployment::model, "The provider's name of the model.",
                 {.unset = "the model's own name"})
          .field("deployment", &Deployment::deployment, "azure_openai: the deployment's name.",
                 {.unset = "`model`"})
          .field("base_model", &Deployment::base_model,
                 "The model behind a deployment, by which it is priced.", {.unset = "`model`"})
          .field("weight", &Deployment::weight,
                 "Share of the requests, relative to the other deployments; 0 takes it out.",
                 {.max = 1'000'000})
          .field("priority", &Deployment::priority,
                 "Deployments with a lower number come first; the next number is used for what "
                 "they have no capacity left for: provisioned throughput before pay-as-you-go.",
                 {.max = 100})
          .field("dialect", &Deployment::dialect,
                 "The wire format to speak, where the provider has several. bedrock: "
                 "`anthropic_messages` is InvokeModel and the rule for Claude, `bedrock_converse` "
                 "is Converse and the rule for everything else.",
                 {.unset = "the one that fits the request best"})
          .done();
  return spec;
}

template <>
const ObjectSpec& spec_of<Timeouts>() {
  static const ObjectSpec spec =
      Table<Timeouts>("Timeouts", "How long a provider may take.")
          .field("connect", &Timeouts::connect, "To connect, TLS included.", wait())
          .field("first_token", &Timeouts::first_token,
                 "Streams: from sending the request to the first token of the answer.", wait())
          .field("answer", &Timeouts::answer,
                 "Whole answers: from sending the request to the answer, which comes when the "
                 "model has finished.",
                 wait())
          .field("idle", &Timeouts::idle, "Longest silence within a streamed answer.", wait())
          .field("total", &Timeouts::total, "The whole request, retries and fallbacks included.",
                 wait())
          .done();
  return spec;
}

template <>
const ObjectSpec& spec_of<Retries>() {
  static const ObjectSpec spec =
      Table<Retries>("Retries", "How often a failed request is tried again.")
          .field("attempts", &Retries::attempts,
                 "Most tries of one request among a model's deployments, the first included.",
                 {.min = 1, .max = 10})
          .field("budget", &Retries::budget,
                 "Most retries as a share of requests, so that retries never multiply an outage.")
          .done();
  return spec;
}

template <>
const ObjectSpec& spec_of<Defaults>() {
  static const ObjectSpec spec =
      Table<Defaults>("Defaults", "What models take where they say nothing themselves.")
          .field("timeouts", &Defaults::timeouts, "How long a provider may take.")
          .field("retries", &Defaults::retries, "How often a failed request is tried again.")
          .done();
  return spec;
}

template <>
const ObjectSpec& spec_of<Model>() {
  static const ObjectSpec spec =
      Table<Model>("Model", "What clients ask for, and where it can be served.")
          .field("name", &Model::name, "The name clients send.", kRequiredName)
          .field("deployments", &Model::deployments, "Where it can be served: at least one.",
                 {.required = true})
          .field("fallbacks", &Model::fallbacks,
                 "Models to try in this order when no deployment could answer. Their own fallbacks "
                 "are "
                 "not followed, so two models may name each other.")
          .field("timeouts", &Model::timeouts, "How long a provider may take.",
                 {.of_default = "defaults.timeouts"})
          .field("retries", &Model::retries, "How often a failed request is tried again.",
                 {.of_default = "defaults.retries"})
          .field("schedule", &Model::schedule, "What moves the weights of the deployments.")
          .field("affinity", &Model::affinity,
                 "What sends a request where an earlier one like it went.")
          .field("hedge", &Model::hedge, "A second attempt beside a slow one.", {.unset = "never"})
          .field("probe", &Model::probe,
                 "How a deployment that was found sick, and of which no traffic speaks, is asked "
                 "whether it is well again. `completion`: a call of one token (an embedding, a "
                 "rerank). `list_models`: a GET that costs nothing and says less; not at vertex_ai "
                 "and bedrock. `off`: never. What is healthy or idle is not asked in any case.")
          .field("max_output", &Model::max_output,
                 "Tokens that an answer has at most: what budgets reserve for a request that sets "
                 "no limit of its own. Answers are not cut to it.",
                 {.min = 1, .unset = "4096"})
          .field("limits", &Model::limits,
                 "What all callers together may ask of it. A request counts for the model that it "
                 "names, whichever fallback serves it.")
          .field("capture", &Model::capture, "Keep the messages of this model's requests.",
                 {.of_default = "capture.enabled"})
          .done();
  return spec;
}

template <>
const ObjectSpec& spec_of<Budget>() {
  static const ObjectSpec spec =
      Table<Budget>("Budget", "Money that may be spent in a window of time, UTC.")
          .field("usd", &Budget::usd, "US dollars.", {.required = true, .min = 1})
          .field(
              "per", &Budget::per,
              "The window: a calendar day, week (from Monday) or month, the last `days` days, or "
              "all time.")
          .field("days", &Budget::days,
                 "How many days a `rolling` window has, today included: 1 to 92.",
                 {.max = 92, .unset = "none"})
          .field(
              "hard", &Budget::hard,
              "Refuse what would exceed it. false only tells (`alerts`). Of one window there can "
              "be a hard and a soft one.")
          .done();
  return spec;
}

template <>
const ObjectSpec& spec_of<AlertWebhook>() {
  static const ObjectSpec spec =
      Table<AlertWebhook>("Webhook", "An address that is told by a signed POST.")
          .field("url", &AlertWebhook::url, "Where to.", {.required = true, .as = FieldKind::url})
          .field("secret", &AlertWebhook::secret,
                 "Signs each message: `x-weir-signature` is `v1=` and the HMAC-SHA256, in hex, of "
                 "`x-weir-timestamp`, a full stop and the body.",
                 {.required = true})
          .done();
  return spec;
}

template <>
const ObjectSpec& spec_of<Price>() {
  static const ObjectSpec spec =
      Table<Price>("Price", "A price that replaces the shipped price book's from a date on.")
          .field("provider", &Price::provider, "Whose price it is.", {.required = true})
          .field("model", &Price::model, "The provider's name of the model, or a `base_model`.",
                 {.required = true})
          .field("valid_from", &Price::valid_from, "From when on it holds.", {.unset = "always"})
          .field("service_tier", &Price::service_tier, "Tier it is for, such as `batch`.",
                 {.unset = "the standard tier"})
          .field("location", &Price::location, "`global` or `regional`, where prices differ.",
                 {.unset = "both"})
          .field("usd_per_million", &Price::usd_per_million,
                 "US dollars per million tokens by class.", {.required = true})
          .field("context_tiers", &Price::context_tiers,
                 "Other prices for requests with a long input.")
          .field(
              "usd_per_tool_call", &Price::usd_per_tool_call,
              "US dollars for each provider-side tool use, such as a web search, or search unit.",
              {.unset = "unpriced"})
          .done();
  return spec;
}

template <>
const ObjectSpec& spec_of<Capture>() {
  static const ObjectSpec spec =
      Table<Capture>("Capture", "Keeping requests and answers, compressed, for later inspection.")
          .field(
              "enabled", &Capture::enabled,
              "Keep messages of every request. Models and keys can say otherwise; where one says "
              "false, nothing is kept.")
          .field("bytes_max", &Capture::bytes_max,
                 "Most bytes kept of each request and of each answer.", {.max = 64LL << 20})
          .field("retention", &Capture::retention, "How long they are kept.",
                 {.min = kHour, .max = 3'660 * kDay})
          .done();
  return spec;
}

template <>
const ObjectSpec& spec_of<Ledger>() {
  static const ObjectSpec spec =
      Table<Ledger>("Ledger", "One row per request: usage, cost, outcome. No message text.")
          .field("retention", &Ledger::retention, "How long rows are kept; sums are kept longer.",
                 {.min = kDay, .max = 3'660 * kDay})
          .done();
  return spec;
}

template <>
const ObjectSpec& spec_of<State>() {
  static const ObjectSpec spec =
      Table<State>("State", "What one call leaves for a later one. Changes take effect at a start.")
          .field("pins", &State::pins,
                 "How many ids of stored responses, files, batches and the like are remembered "
                 "with the account that made them; 24 bytes each.",
                 {.min = 1024, .max = 64LL << 20})
          .field("pin_retention", &State::pin_retention, "How long they are remembered.",
                 {.min = kHour, .max = 3'660 * kDay})
          .field("responses", &State::responses,
                 "Keep the answers and conversations of the Responses API for providers that do "
                 "not have it, so that previous_response_id works. A request with store: false is "
                 "never kept.")
          .field("response_retention", &State::response_retention, "How long these are kept.",
                 {.min = kHour, .max = 3'660 * kDay})
          .field("bytes_max", &State::bytes_max,
                 "Most bytes of kept responses, compressed; the oldest go first.",
                 {.min = 1 << 20, .max = 1LL << 40})
          .done();
  return spec;
}

template <>
const ObjectSpec& spec_of<Config>() {
  static const ObjectSpec spec =
      Table<Config>("Configuration", "The file as a whole.")
          .field("server", &Config::server, "The listener that serves the model APIs.")
          .field("admin", &Config::admin,
                 "The listener of the console, the admin API and the metrics.")
          .field(
              "data_dir", &Config::data_dir,
              "Folder for the ledger and everything else Weir keeps; one server at a time uses it.",
              kPath)
          .field("log", &Config::log, "The program's own log.")
          .field("defaults", &Config::defaults,
                 "What models take where they say nothing themselves.")
          .field("accounts", &Config::accounts, "Credentials at providers.")
          .field("models", &Config::models, "What clients ask for, and where it is served.")
          .field("organization", &Config::organization, "Everybody: all keys together.")
          .field("teams", &Config::teams, "Keys that share limits and budgets.")
          .field("projects", &Config::projects,
                 "Keys of one team that share limits and budgets of their own.")
          .field("keys", &Config::keys, "What clients hold.")
          .field("queue", &Config::queue,
                 "Where requests wait, by priority, while what they ask for is full.")
          .field("alerts", &Config::alerts,
                 "Who is told when budgets are spent or spending is not as it was.")
          .field("secrets", &Config::secrets,
                 "The keys under which accounts made in the console are sealed on disk.")
          .field("outgoing", &Config::outgoing, "Where Weir itself may connect to.")
          .field("prices", &Config::prices, "Prices that replace the shipped price book's.")
          .field("price_files", &Config::price_files,
                 "Files of dated prices in CSV form, as `weir prices import` writes them. They "
                 "stand between `prices` and the shipped price book.")
          .field("price_terms", &Config::price_terms, "Negotiated discounts and regional uplifts.")
          .field("currency", &Config::currency, "What FOCUS exports are billed in.",
                 {.unset = "US dollars"})
          .field("capture", &Config::capture, "Keeping requests and answers; off by default.")
          .field("ledger", &Config::ledger, "The rows about every request.")
          .field("state", &Config::state, "What is kept between requests.")
          .done();
  return spec;
}

const ObjectSpec& config_spec() {
  return spec_of<Config>();
}

}  // namespace weir::app
