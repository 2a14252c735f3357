// The configuration as values: what weir.yaml says after decoding, environment and secret files
// resolved, defaults filled in. Default member values here ARE the documented defaults: the tables
// in tables.cc read them to decode, to print the reference page and to write the JSON Schema.
// Plain immutable values once loaded (load.h); any thread. Names follow the file's own names;
// times are Milliseconds, sizes bytes, money exact.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/money.h"
#include "base/secret.h"
#include "dialect/conversation.h"
#include "http/sigv4.h"
#include "ledger/price_book.h"
#include "ledger/priority.h"
#include "provider/account.h"
#include "schedule/policy.h"

namespace weir::app {

enum class Provider : uint8_t {
  openai,
  azure_openai,
  anthropic,
  vertex_ai,
  gemini,
  bedrock,
  openai_compatible,
};
enum class Period : uint8_t { day, week, month, rolling, total };

std::string_view to_string(Provider provider);
std::string_view to_string(Period period);

// Where to listen. An empty host means every interface; port 0 lets the system choose.
struct ListenAddress {
  std::string host;
  uint16_t port = 0;
  // "127.0.0.1:8080", "[::1]:8080", ":8080".
  std::string to_text() const;
  // True when only this machine can connect.
  bool is_loopback() const;
  bool operator==(const ListenAddress&) const = default;
};

// A share written as "10%" (or 0.1): hundredths of a percent, 0 to 10,000.
struct Percent {
  uint32_t basis_points = 0;
  double fraction() const { return static_cast<double>(basis_points) / 10'000.0; }
  bool operator==(const Percent&) const = default;
};

// A moment in UTC, as wall milliseconds since the Unix epoch.
struct Moment {
  int64_t wall_ms = 0;
  auto operator<=>(const Moment&) const = default;
};

struct ServerTls {
  std::string certificate;  // path of a PEM chain
  std::string key;          // path of its PEM private key
};

struct ServerLimits {
  uint64_t body_bytes = 100ULL << 20;
  uint64_t head_bytes = 64ULL << 10;
  uint32_t headers = 200;
  uint32_t connections = 65'536;  // open client connections, all workers together
  bool operator==(const ServerLimits&) const = default;
};

struct ServerTimeouts {
  Milliseconds head{10'000};        // first byte to end of head
  Milliseconds body{60'000};        // longest silence while a body is awaited
  Milliseconds write{60'000};       // longest time a client may take no byte of an answer
  Milliseconds keep_alive{75'000};  // idle connection between requests
  bool operator==(const ServerTimeouts&) const = default;
};

struct Server {
  ListenAddress listen{"127.0.0.1", 8080};
  uint32_t workers = 0;  // 0: one per core
  std::optional<ServerTls> tls;
  bool http2 = true;
  ServerLimits limits;
  ServerTimeouts timeouts;
  std::vector<std::string> trusted_proxies;  // blocks whose X-Forwarded-For is believed
  Milliseconds drain{30'000};                // how long open requests may finish after SIGTERM
};

struct Sessions {
  Milliseconds lifetime{12LL * 3'600'000};
  Milliseconds idle{2LL * 3'600'000};
};

// An OpenID Connect provider by which people sign in to the console.
struct OidcProvider {
  std::string issuer;
  std::string client_id;
  Secret client_secret;  // empty: a public client
  std::string scope = "openid profile email";
  std::string groups_claim = "groups";
  std::map<std::string, std::string> roles;  // group -> roles
};

struct Admin {
  ListenAddress listen{"127.0.0.1", 8081};
  Secret token;            // empty: none asked for, allowed on loopback only
  std::string public_url;  // how browsers reach it; empty: as it listens
  Sessions sessions;
  std::optional<OidcProvider> oidc;
};

struct Log {
  log::Level level = log::Level::info;
  std::string file;  // empty: standard error
};

// Absent means unlimited.
struct RateLimits {
  std::optional<int64_t> rpm;          // requests per minute
  std::optional<int64_t> tpm;          // tokens per minute
  std::optional<int64_t> concurrency;  // requests at once
};

// The same for one model, or for all whose names begin alike.
struct ModelLimits {
  std::string model;
  std::optional<int64_t> rpm;
  std::optional<int64_t> tpm;
  std::optional<int64_t> concurrency;
};

// Microsoft Entra client credentials.
struct Entra {
  std::string tenant;
  std::string client_id;
  Secret client_secret;
  std::string authority = "https://login.microsoftonline.com";
};

struct AccountTls {
  std::string ca_file;  // PEM roots in place of the system's
  bool verify = true;
};

struct Account {
  std::string name;
  Provider provider = Provider::openai;
  std::string endpoint;  // base URL without trailing slash; empty: the provider's public address
  Secret api_key;
  std::string api_version;       // azure_openai: empty means the v1 API; anthropic: its header
  std::optional<Entra> entra;    // azure_openai
  std::string project;           // vertex_ai
  std::string location;          // vertex_ai
  std::string service_account;   // vertex_ai: path of the service account's JSON key
  std::string token_endpoint;    // overrides where OAuth tokens are fetched
  std::string region;            // bedrock
  std::string access_key_id;     // bedrock
  Secret secret_access_key;      // bedrock
  Secret session_token;          // bedrock: of temporary credentials
  std::string profile;           // bedrock: in the shared credentials file
  std::string credentials_file;  // bedrock: path of that file
  http::AwsCredentials aws;      // what these and the environment give (aws.h); no field of its own
  std::string organization;      // openai
  std::map<std::string, std::string> headers;  // sent with every request; may hold secrets
  AccountTls tls;
  bool http2 = false;  // offered; without TLS by prior knowledge
  RateLimits limits;
  bool stream_usage = true;  // ask for usage in OpenAI streams; false for servers that refuse it
  provider::OnAbort on_abort = provider::OnAbort::cancel;
  uint32_t probes_per_hour = 30;  // Weir's own calls at sick deployments, at most
};

struct Deployment {
  std::string account;
  std::string model;       // the provider's name for the model; empty: the same as ours
  std::string deployment;  // azure_openai: the deployment's name
  std::string base_model;  // the model to price and to describe it as
  uint32_t weight = 1;
  uint32_t priority = 0;
  std::optional<dialect::Dialect> dialect;  // absent: the provider's own for the call
};

struct Timeouts {
  Milliseconds connect{2'000};
  Milliseconds first_token{60'000};
  Milliseconds answer{300'000};
  Milliseconds idle{60'000};
  Milliseconds total{600'000};
};

struct Retries {
  uint32_t attempts = 3;  // tries of one request, the first included, fallbacks excluded
  Percent budget{1'000};  // retries as a share of requests, per model
};

struct Defaults {
  Timeouts timeouts;
  Retries retries;
};

// What moves the weights of a model's deployments.
struct Schedule {
  schedule::Detector detector = schedule::Detector::sequential;
  bool dry_run = false;
};

// What sends a request where an earlier one like it went.
struct Affinity {
  std::string header;  // one that names a session; empty: none
  bool user = false;
  bool prompt_cache_key = true;
  bool prefix = true;
  Percent slack{2'500};  // above its share of the load, until another one is taken
};

struct Hedge {
  std::optional<Milliseconds> after;  // absent: the learned 95th percentile
  Percent budget{500};
};

struct Model {
  std::string name;
  std::vector<Deployment> deployments;
  std::vector<std::string> fallbacks;
  Timeouts timeouts;  // what the file leaves out is already taken from `defaults`
  Retries retries;    // likewise
  Schedule schedule;
  Affinity affinity;
  std::optional<Hedge> hedge;
  provider::ProbeKind probe = provider::ProbeKind::completion;
  std::optional<int64_t> max_output;  // tokens
  RateLimits limits;                  // of everybody together
  std::optional<bool> capture;
};

struct Budget {
  Money usd;
  Period per = Period::month;
  uint32_t days = 0;  // of a rolling window
  bool hard = true;
};

// All keys together.
struct Organization {
  std::string name;
  RateLimits limits;
  std::vector<ModelLimits> model_limits;
  RateLimits user_limits;
  std::optional<Budget> budget;
  std::vector<Budget> budgets;
};

struct Team {
  std::string name;
  RateLimits limits;
  std::vector<ModelLimits> model_limits;
  RateLimits user_limits;
  std::optional<ledger::Priority> priority;
  std::optional<Budget> budget;
  std::vector<Budget> budgets;
};

struct Project {
  std::string name;
  std::string team;
  RateLimits limits;
  std::vector<ModelLimits> model_limits;
  RateLimits user_limits;
  std::optional<ledger::Priority> priority;
  std::optional<Budget> budget;
  std::vector<Budget> budgets;
};

// Where budgets tell that they are half, four fifths and wholly spent.
struct AlertWebhook {
  std::string url;
  Secret secret;
};

// A key of Vault's Transit engine.
struct TransitKey {
  std::string address;
  Secret token;
  std::string mount = "transit";
  std::string key;
  std::string name_space;
  std::string ca_file;
};

// Under which keys the records in data_dir/vault.db are sealed.
struct Secrets {
  Secret key;
  Secret previous_key;
  std::optional<TransitKey> transit;
};

// Where Weir itself connects to.
struct Outgoing {
  std::vector<std::string> internal;
};

// Spending that is not as it was (ledger/anomaly.h).
struct Anomalies {
  bool enabled = true;
  Money floor = Money::from_nano(5'000'000'000);  // what an hour must cost to be told of
  uint32_t loop_requests = 60;                    // in ten minutes
  bool operator==(const Anomalies&) const = default;
};

struct Alerts {
  std::optional<AlertWebhook> webhook;
  Anomalies anomalies;
};

// Where requests wait while what they ask for is full.
struct Queue {
  uint32_t size = 256;  // per worker
  Milliseconds wait{2'000};
};

struct Key {
  std::string name;
  Secret key;
  std::string team;
  std::string project;              // its team is the key's
  std::vector<std::string> models;  // empty: every model; "gpt-*": every model that begins so
  RateLimits limits;
  std::vector<ModelLimits> model_limits;
  RateLimits user_limits;                    // of each end user
  std::optional<ledger::Priority> priority;  // absent: its project's, its team's, normal
  std::optional<Budget> budget;
  std::vector<Budget> budgets;
  std::optional<bool> capture;
  std::optional<Moment> expires;
  std::vector<std::string> addresses;  // blocks of addresses; empty: anywhere
  std::vector<std::string> endpoints;  // kinds of request; empty: all
  std::map<std::string, std::string> tags;
};

// US dollars per million tokens by usage class (dialect::Usage); absent means not stated here,
// never free.
struct TokenPrices {
  std::optional<Money> input;
  std::optional<Money> cache_read;
  std::optional<Money> cache_write_5m;
  std::optional<Money> cache_write_1h;
  std::optional<Money> input_audio;
  std::optional<Money> input_image;
  std::optional<Money> output;
  std::optional<Money> output_audio;
  std::optional<Money> output_image;
};

// Above `above_tokens` of total input these prices hold for the whole request.
struct PriceTier {
  int64_t above_tokens = 0;
  TokenPrices usd_per_million;
};

struct Price {
  Provider provider = Provider::openai;
  std::string model;
  Moment valid_from;
  std::string service_tier;  // empty: the standard tier
  std::string location;      // empty: any; "global" or "regional"
  TokenPrices usd_per_million;
  std::vector<PriceTier> context_tiers;  // ascending
  std::optional<Money> usd_per_tool_call;
};

// What an account is charged beside the list: of several that match, the last that says so.
struct PriceTerm {
  std::string account;   // empty: every account
  std::string location;  // region or location of the account; empty: any
  std::string model;     // the provider's name, "gpt-4o*" for all that begin so; empty: every model
  Moment valid_from;
  std::optional<Moment> valid_until;
  std::optional<Percent> uplift;    // on the list price
  std::optional<Percent> discount;  // off the list price with its uplift
};

// What a US dollar is worth from a day on.
struct CurrencyRate {
  Moment valid_from;
  Money per_usd;
};

// What reports are in besides US dollars.
struct Currency {
  std::string code;  // ISO 4217
  std::vector<CurrencyRate> rates;
};

struct Capture {
  bool enabled = false;
  uint64_t bytes_max = 256ULL << 10;  // of each message body kept
  Milliseconds retention{7LL * 86'400'000};
};

// What one call leaves for a later one.
struct State {
  uint32_t pins = 262'144;  // ids of stored responses, files, batches, ... at their accounts
  Milliseconds pin_retention{30LL * 86'400'000};
  bool responses = true;
  Milliseconds response_retention{30LL * 86'400'000};
  uint64_t bytes_max = 1ULL << 30;  // of kept responses, compressed
  bool operator==(const State&) const = default;
};

struct Ledger {
  Milliseconds retention{90LL * 86'400'000};
};

struct Config {
  Server server;
  Admin admin;
  std::string data_dir = "./weir-data";
  Log log;
  Defaults defaults;
  std::vector<Account> accounts;
  std::vector<Model> models;
  Organization organization;
  std::vector<Team> teams;
  std::vector<Project> projects;
  std::vector<Key> keys;
  Queue queue;
  Alerts alerts;
  Secrets secrets;
  Outgoing outgoing;
  std::vector<Price> prices;
  std::vector<std::string> price_files;
  std::vector<ledger::PriceRow> file_prices;  // what stands in them; no field of its own
  std::vector<PriceTerm> price_terms;
  std::optional<Currency> currency;
  Capture capture;
  Ledger ledger;
  State state;
};

}  // namespace weir::app
