#include "sim/simulator.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "base/text.h"
#include "dialect/wire.h"
#include "sim/call_run.h"
#include "sim/simulator_impl.h"

namespace weir::sim {
namespace {

constexpr Nanoseconds kHandshakeLimit = std::chrono::seconds(10);

// What /v1/models lists where nothing is configured.
constexpr std::string_view kUsualModels[] = {"demo",
                                             "gpt-4o",
                                             "gpt-4o-mini",
                                             "gpt-5",
                                             "claude-sonnet-4-5",
                                             "claude-haiku-4-5",
                                             "gemini-2.5-pro",
                                             "gemini-2.5-flash",
                                             "text-embedding-3-small"};

http::ErrorReply error_reply(int, std::string_view reason, const http::RequestHead*) {
  http::ErrorReply reply;
  reply.body = R"({"error":{"message":")" + std::string(reason) +
               R"(","type":"invalid_request_error","param":null,"code":null}})";
  return reply;
}

http::ServerConfig server_config(http::ServerConfig config) {
  // A provider waits for its own slow models; what a gateway does about that is the gateway's.
  config.write_timeout = std::max<Nanoseconds>(config.write_timeout, std::chrono::minutes(10));
  return config;
}

Result<ModelSettings> read_model(json::Value value) {
  dialect::FieldReader fields;
  ModelSettings settings;
  settings.output_tokens = fields.integer(value, "output_tokens");
  settings.limits.requests_per_minute = fields.integer(value, "rpm").value_or(0);
  settings.limits.tokens_per_minute = fields.integer(value, "tpm").value_or(0);
  if (!fields.ok()) return fail(fields.error());
  if (value["latency"].exists()) {
    WEIR_TRY(settings.latency, parse_latency(value["latency"]));
  }
  return settings;
}

Result<void> check_names(json::Value root) {
  constexpr std::array<std::string_view, 10> kNames = {
      "seed",           "latency",          "output_tokens", "models", "keys", "known_models_only",
      "require_tokens", "token_lifetime_s", "rules",         "aws"};
  for (const auto& [key, value] : root.members()) {
    if (std::find(kNames.begin(), kNames.end(), key) != kNames.end()) continue;
    std::string message = "no such member '" + key + "'";
    if (const auto near = nearest(key, kNames))
      message += " (did you mean '" + std::string(*near) + "'?)";
    return fail(ErrorCode::invalid_argument, message);
  }
  return {};
}

}  // namespace

Result<SimFile> parse_sim_file(std::string_view text, SimConfig defaults) {
  json::Document document;
  WEIR_CHECK_OK(document.parse(text));
  const json::Value root = document.root();
  SimFile file;
  file.config = std::move(defaults);
  SimConfig& config = file.config;
  if (root.is_array() || root["fault"].exists() || root["reply"].exists() || root["raw"].exists()) {
    WEIR_TRY(file.rules, parse_rules(root));
    return file;
  }
  WEIR_CHECK_OK(check_names(root));
  dialect::FieldReader fields;
  if (const auto seed = fields.integer(root, "seed")) config.seed = static_cast<uint64_t>(*seed);
  config.output_tokens = fields.integer(root, "output_tokens").value_or(config.output_tokens);
  config.known_models_only = fields.boolean(root, "known_models_only").value_or(false);
  config.require_tokens = fields.boolean(root, "require_tokens").value_or(config.require_tokens);
  if (const auto seconds = fields.integer(root, "token_lifetime_s")) {
    config.token_lifetime = std::chrono::seconds(*seconds);
  }
  for (const json::Value key : fields.array(root, "keys").elements()) {
    config.keys.push_back(key.string_or(""));
  }
  if (const json::Value aws = fields.object(root, "aws")) {
    config.aws.access_key_id = fields.string(aws, "access_key_id", "aws");
    config.aws.secret_access_key = Secret(fields.string(aws, "secret_access_key", "aws"));
    config.aws.session_token = Secret(fields.string(aws, "session_token", "aws"));
    if (const std::string region = fields.string(aws, "region", "aws"); !region.empty()) {
      config.aws_region = region;
    }
    if (config.aws.empty()) fields.fail("aws.access_key_id", "expected an access key");
  }
  const json::Value models = fields.object(root, "models");
  if (!fields.ok()) return fail(fields.error());
  if (root["latency"].exists()) {
    WEIR_TRY(config.latency, parse_latency(root["latency"]));
  }
  for (const auto& [name, value] : models.members()) {
    WEIR_TRY(config.models[name], read_model(value));
  }
  if (root["rules"].exists()) {
    WEIR_TRY(file.rules, parse_rules(root["rules"]));
  }
  return file;
}

Simulator::Impl::Impl(net::Loop& its_loop, SimConfig its_config)
    : loop(its_loop),
      config(std::move(its_config)),
      calls(config.calls_max),
      tokens(config.token_lifetime, config.google_public_key),
      rates(config.seed),
      server(std::make_unique<http::Server>(
          loop, server_config(config.server),
          [this](http::ServerExchange& exchange) { return handle(exchange); }, error_reply)),
      handshakes(loop) {}

net::Task<void> Simulator::Impl::handle(http::ServerExchange& exchange) {
  CallRun run(*this, exchange);
  co_await run.run();
}

void Simulator::Impl::serve(std::unique_ptr<net::Stream> stream) {
  server->serve_connection(wires.wrap(std::move(stream)));
}

net::Task<void> Simulator::Impl::accept_tls(std::unique_ptr<net::Stream> stream) {
  auto secured =
      co_await net::tls_accept(std::move(stream), tls, loop.deadline_in(kHandshakeLimit));
  if (secured) serve(std::move(*secured));
}

Result<uint16_t> Simulator::Impl::listen(std::string_view address,
                                         const std::optional<TlsFiles>& tls_files) {
  net::ListenOptions options;
  options.reuse_port = false;
  WEIR_TRY(options.address, net::Address::parse(address));
  if (tls_files) {
    net::TlsServerOptions tls_options;
    tls_options.certificate_file = tls_files->certificate;
    tls_options.key_file = tls_files->key;
    tls_options.alpn = {"h2", "http/1.1"};
    WEIR_TRY(tls, net::TlsServerContext::load(tls_options));
  }
  WEIR_TRY(auto listener, net::Listener::open(loop, options));
  const bool secure = tls_files.has_value();
  listener->start([this, secure](std::unique_ptr<net::Stream> stream) {
    if (secure) {
      handshakes.spawn(accept_tls(std::move(stream)));
    } else {
      serve(std::move(stream));
    }
  });
  listeners.push_back(std::move(listener));
  return listeners.back()->address().port();
}

const ModelSettings& Simulator::Impl::settings_of(const std::string& model) const {
  const auto found = config.models.find(model);
  return found == config.models.end() ? config.others : found->second;
}

std::vector<std::string> Simulator::Impl::model_names() const {
  std::vector<std::string> names;
  for (const auto& [name, settings] : config.models) names.push_back(name);
  if (names.empty()) names.assign(std::begin(kUsualModels), std::end(kUsualModels));
  return names;
}

Simulator::Simulator(net::Loop& loop, SimConfig config)
    : impl_(std::make_unique<Impl>(loop, std::move(config))) {}

Simulator::~Simulator() {
  impl_->listeners.clear();
  impl_->handshakes.destroy_all();
  impl_->server.reset();  // its connections refer to everything else
}

Result<uint16_t> Simulator::listen(std::string_view address, const std::optional<TlsFiles>& tls) {
  return impl_->listen(address, tls);
}

void Simulator::serve_connection(std::unique_ptr<net::Stream> stream) {
  impl_->serve(std::move(stream));
}

net::Task<void> Simulator::drain(Nanoseconds limit) {
  for (const auto& listener : impl_->listeners) listener->stop();
  return impl_->server->drain(limit);
}

Script& Simulator::script() {
  return impl_->script;
}

uint64_t Simulator::add_rule(std::string_view json) {
  json::Document document;
  WEIR_ASSERT(document.parse(json));
  auto rule = parse_rule(document.root());
  WEIR_ASSERT(rule);
  const auto id = impl_->script.add(std::move(*rule));
  WEIR_ASSERT(id);
  return *id;
}

CallLog& Simulator::calls() {
  return impl_->calls;
}

TokenIssuer& Simulator::tokens() {
  return impl_->tokens;
}

const http::ServerCounters& Simulator::server_counters() const {
  return impl_->server->counters();
}

}  // namespace weir::sim
