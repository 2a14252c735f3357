#include "app/compose.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>

#include "access/key_format.h"
#include "app/price_overrides.h"

namespace weir::app {
namespace {

using provider::AuthKind;
using provider::Kind;
using provider::TokenSource;

constexpr std::string_view kEntraScope = "https://cognitiveservices.azure.com/.default";

Kind kind_of(Provider provider) {
  switch (provider) {
    case Provider::openai:
      return Kind::openai;
    case Provider::azure_openai:
      return Kind::azure_openai;
    case Provider::anthropic:
      return Kind::anthropic;
    case Provider::vertex_ai:
      return Kind::vertex_ai;
    case Provider::gemini:
      return Kind::gemini;
    case Provider::bedrock:
      return Kind::bedrock;
    case Provider::openai_compatible:
      return Kind::openai_compatible;
  }
  return Kind::openai_compatible;
}

// What stands behind the endpoint in every path, when the endpoint itself does not say it.
std::string default_prefix(Kind kind) {
  switch (kind) {
    case Kind::openai:
    case Kind::anthropic:
      return "/v1";
    case Kind::gemini:
      return "/v1beta";
    default:
      return "";  // azure, vertex: the provider's file builds the path; compatible: as given
  }
}

Result<TokenSource> token_source(const Account& account) {
  if (account.entra) {
    TokenSource source;
    source.kind = TokenSource::Kind::entra;
    source.url = account.token_endpoint.empty()
                     ? fmt::format("{}/{}/oauth2/v2.0/token", account.entra->authority,
                                   account.entra->tenant)
                     : account.token_endpoint;
    source.client_id = account.entra->client_id;
    source.client_secret = account.entra->client_secret;
    source.scope = kEntraScope;
    return source;
  }
  std::ifstream file(account.service_account, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file && text.empty()) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("account {}: service_account: cannot read {}", account.name,
                            account.service_account));
  }
  auto source = provider::parse_service_account(text, account.token_endpoint);
  if (!source) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("account {}: {}: {}", account.name, account.service_account,
                            source.error().message()));
  }
  return source;
}

ledger::BudgetWindow window_of(Period period) {
  switch (period) {
    case Period::day:
      return ledger::BudgetWindow::day;
    case Period::week:
      return ledger::BudgetWindow::week;
    case Period::month:
      return ledger::BudgetWindow::month;
    case Period::rolling:
      return ledger::BudgetWindow::rolling;
    case Period::total:
      return ledger::BudgetWindow::total;
  }
  return ledger::BudgetWindow::month;
}

// Of a key, a project, a team or the organization.
template <class T>
ledger::LimitRules limit_rules(const T& whose) {
  ledger::LimitRules rules{.requests_per_minute = whose.limits.rpm.value_or(0),
                           .tokens_per_minute = whose.limits.tpm.value_or(0),
                           .concurrency = whose.limits.concurrency.value_or(0)};
  const auto add = [&rules](const Budget& budget) {
    rules.budgets.push_back({.limit = budget.usd,
                             .window = window_of(budget.per),
                             .days = static_cast<int32_t>(budget.days),
                             .hard = budget.hard});
  };
  if (whose.budget) add(*whose.budget);
  for (const Budget& budget : whose.budgets) add(budget);
  return rules;
}

template <class T>
ledger::LimitRules rate_rules(const T& limits) {
  return {.requests_per_minute = limits.rpm.value_or(0),
          .tokens_per_minute = limits.tpm.value_or(0),
          .concurrency = limits.concurrency.value_or(0)};
}

// What the key store keeps of a key, of one that the file declares.
template <class T>
access::PartRules part_rules(const T& whose) {
  access::PartRules rules{.models = {}, .users = rate_rules(whose.user_limits)};
  for (const ModelLimits& one : whose.model_limits) {
    rules.models.emplace_back(one.model, rate_rules(one));
  }
  return rules;
}

bool has_rules(const ledger::LimitRules& rules) {
  return rules != ledger::LimitRules{};
}

}  // namespace

std::string default_endpoint(const Account& account) {
  switch (account.provider) {
    case Provider::openai:
      return "https://api.openai.com/v1";
    case Provider::anthropic:
      return "https://api.anthropic.com/v1";
    case Provider::gemini:
      return "https://generativelanguage.googleapis.com/v1beta";
    case Provider::vertex_ai:
      if (account.location == "global") return "https://aiplatform.googleapis.com";
      if (account.location == "us" || account.location == "eu") {
        return fmt::format("https://aiplatform.{}.rep.googleapis.com", account.location);
      }
      return fmt::format("https://{}-aiplatform.googleapis.com", account.location);
    case Provider::bedrock:
      return fmt::format("https://bedrock-runtime.{}.amazonaws.com{}", account.region,
                         account.region.starts_with("cn-") ? ".cn" : "");
    default:
      return "";
  }
}

Result<std::shared_ptr<const provider::Account>> Composer::make_account(
    const Account& account, std::vector<provider::TokenKeeper::Entry>& tokens) {
  const Kind kind = kind_of(account.provider);
  const bool signs = !account.aws.empty();
  if (kind == Kind::bedrock && !signs && account.api_key.empty() && account.endpoint.empty()) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("account {}: no AWS credential: `weir check` says where one may stand",
                            account.name));
  }
  auto made = std::make_shared<provider::Account>();
  made->name = account.name;
  made->kind = kind;
  const std::string endpoint =
      account.endpoint.empty() ? default_endpoint(account) : account.endpoint;
  std::string_view path;
  auto origin = http::parse_origin(endpoint, &path);
  if (!origin) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("account {}: endpoint: {}", account.name, origin.error().message()));
  }
  made->origin = std::move(*origin);
  made->origin.tls_verify = account.tls.verify;
  if (account.http2) made->origin.alpn = {"h2", "http/1.1"};
  while (path.ends_with('/')) path.remove_suffix(1);
  made->base_path = path.empty() ? default_prefix(kind) : std::string(path);
  made->api_key = account.api_key;
  made->api_version = account.api_version;
  made->project = account.project;
  made->location = kind == Kind::bedrock ? account.region : account.location;
  made->aws = account.aws;
  made->organization = account.organization;
  made->headers.assign(account.headers.begin(), account.headers.end());
  made->transport = {account.tls.ca_file, account.tls.verify};
  made->stream_usage = account.stream_usage;
  made->on_abort = account.on_abort;
  made->probes_per_hour = account.probes_per_hour;

  // An account keeps its state across reloads as long as it reaches the same place with the same
  // key: a new key must not wait for what parked the old one. (An account that logs in keeps its
  // access token, and a token that comes opens it again.)
  std::string identity =
      fmt::format("{}|{}|{}|", account.name, to_string(account.provider), endpoint);
  std::string credential(account.api_key.reveal());
  credential.append(account.aws.access_key_id).append(account.aws.secret_access_key.reveal());
  credential.append(account.aws.session_token.reveal());
  const access::KeyHash key_hash = hasher_->hash(credential);
  identity.append(key_hash.begin(), key_hash.end());
  auto& state = account_states_[identity];
  if (!state) state = std::make_shared<provider::AccountState>();
  made->state = state;
  state->requests.set_limit(account.limits.rpm.value_or(0));
  state->tokens.set_limit(account.limits.tpm.value_or(0));
  state->concurrency.set_limit(account.limits.concurrency.value_or(0));

  if (account.entra || !account.service_account.empty()) {
    made->auth = AuthKind::access_token;
    auto source = token_source(account);
    if (!source) return fail(std::move(source).error());
    tokens.push_back({account.name, std::move(*source), state});
  } else if (signs) {
    made->auth = AuthKind::aws_signature;
  } else if (account.api_key.empty()) {
    made->auth = AuthKind::none;
  } else {
    made->auth = kind == Kind::azure_openai || kind == Kind::anthropic || kind == Kind::gemini
                     ? AuthKind::api_key_header
                     : AuthKind::bearer;
  }
  return std::shared_ptr<const provider::Account>(std::move(made));
}

Result<uint32_t> Composer::model_slot(const std::string& name) {
  const auto [at, fresh] =
      model_slots_.try_emplace(name, static_cast<uint32_t>(model_slots_.size()));
  if (model_slots_.size() > kSlotsMax) {
    return fail(ErrorCode::limit_exceeded, "more than 4096 model names since start: restart Weir");
  }
  if (fresh) names_.models.push_back(name);
  return at->second;
}

Result<uint32_t> Composer::deployment_slot(const provider::Deployment& deployment,
                                           const std::string& model) {
  const auto [at, fresh] = deployment_slots_.try_emplace(
      model + "|" + deployment.name, static_cast<uint32_t>(deployment_slots_.size()));
  if (deployment_slots_.size() > kSlotsMax) {
    return fail(ErrorCode::limit_exceeded, "more than 4096 deployments since start: restart Weir");
  }
  if (fresh) {
    names_.deployments.push_back({deployment.name, model, deployment.account->name,
                                  std::string(provider::to_string(deployment.account->kind))});
  }
  return at->second;
}

Result<gateway::Model> Composer::make_model(const Model& model, const Accounts& accounts,
                                            int64_t wall_ms) {
  gateway::Model made;
  made.name = model.name;
  made.fallbacks = model.fallbacks;
  made.timeouts = {model.timeouts.connect, model.timeouts.first_token, model.timeouts.answer,
                   model.timeouts.idle, model.timeouts.total};
  made.retries = {model.retries.attempts, model.retries.budget.fraction()};
  made.schedule = {model.schedule.detector, model.schedule.dry_run};
  made.affinity = {model.affinity.header, model.affinity.prompt_cache_key, model.affinity.user,
                   model.affinity.prefix, model.affinity.slack.fraction()};
  made.probe = model.probe;
  if (model.hedge) made.hedge = {model.hedge->after, model.hedge->budget.fraction()};
  made.max_output = model.max_output.value_or(0);
  made.capture = model.capture;
  made.created_s = wall_ms / 1000;
  WEIR_TRY(made.slot, model_slot(model.name));

  std::vector<std::shared_ptr<const provider::Deployment>> deployments;
  for (const Deployment& deployment : model.deployments) {
    const auto account = accounts.find(deployment.account);
    if (account == accounts.end()) {
      return fail(ErrorCode::invalid_argument,
                  fmt::format("model {}: unknown account {}", model.name, deployment.account));
    }
    auto one = std::make_shared<provider::Deployment>();
    one->account = account->second;
    one->model = !deployment.deployment.empty() ? deployment.deployment
                 : !deployment.model.empty()    ? deployment.model
                                                : model.name;
    one->base_model = !deployment.base_model.empty() ? deployment.base_model
                      : !deployment.model.empty()    ? deployment.model
                                                     : one->model;
    one->name = deployment.account + "/" + one->model;
    one->weight = deployment.weight;
    one->priority = deployment.priority;
    one->dialect = deployment.dialect;
    WEIR_TRY(one->slot, deployment_slot(*one, model.name));
    // One deployment that serves two models has one health: the provider sees no difference.
    auto& state = deployment_states_[one->name + "|" + http::host_field(one->account->origin)];
    if (!state) {
      state = std::make_shared<provider::DeploymentState>();
      state->index = static_cast<uint32_t>(deployment_states_.size() - 1);
    }
    one->state = state;
    deployments.push_back(std::move(one));
  }
  made.pool = provider::Pool(std::move(deployments));
  return made;
}

Result<void> Composer::check_keys(const Config& config,
                                  const std::vector<access::StoredKey>& stored) const {
  std::vector<access::KeyEntry> entries;
  for (const Key& key : config.keys) {
    entries.push_back({hasher_->hash(key.key.reveal()), {}});
  }
  for (const access::StoredKey& key : stored) {
    access::append_entries(key, {}, entries);
  }
  WEIR_CHECK_OK(access::KeyTable::build(hasher_, std::move(entries)));
  return {};
}

std::shared_ptr<ledger::LimitCells> Composer::cells_of(const std::string& subject,
                                                       const ledger::LimitRules& rules) {
  return has_rules(rules) ? limits_.get(subject, rules) : nullptr;
}

std::shared_ptr<const ledger::PartLimits> Composer::parts_of(const std::string& subject,
                                                             const access::PartRules& rules) {
  auto parts = std::make_shared<ledger::PartLimits>();
  for (const auto& [model, limits] : rules.models) {
    if (!has_rules(limits)) continue;
    parts->models.push_back({model, limits_.get(ledger::model_subject(subject, model), limits)});
  }
  parts->users = rules.users;
  parts->limits_users = has_rules(rules.users);
  if (parts->models.empty() && !parts->limits_users) return nullptr;
  if (parts->limits_users && users_ == nullptr) {
    // By the installation's secret, which no client knows.
    const access::KeyHash secret = hasher_->hash("buckets of end users");
    HashKey key;
    std::memcpy(&key, secret.data(), sizeof key);
    users_ = ledger::UserLimits::make(key);
  }
  parts->subject = subject;
  return parts;
}

std::vector<access::KeyEntry> Composer::make_keys(const Config& config,
                                                  const std::vector<access::StoredKey>& stored) {
  using Cells = std::map<std::string, std::shared_ptr<ledger::LimitCells>, std::less<>>;
  Cells teams;
  Cells projects;
  std::map<std::string, Parts, std::less<>> team_parts;
  std::map<std::string, Parts, std::less<>> project_parts;
  std::map<std::string, std::optional<ledger::Priority>, std::less<>> team_priorities;
  std::map<std::string, std::optional<ledger::Priority>, std::less<>> project_priorities;
  std::map<std::string, std::string, std::less<>> team_of_project;
  for (const Team& team : config.teams) {
    const std::string subject = ledger::team_subject(team.name);
    teams[team.name] = cells_of(subject, limit_rules(team));
    team_parts[team.name] = parts_of(subject, part_rules(team));
    team_priorities[team.name] = team.priority;
  }
  for (const Project& project : config.projects) {
    const std::string subject = ledger::project_subject(project.name);
    projects[project.name] = cells_of(subject, limit_rules(project));
    project_parts[project.name] = parts_of(subject, part_rules(project));
    project_priorities[project.name] = project.priority;
    team_of_project[project.name] = project.team;
  }
  const auto organization =
      cells_of(std::string(ledger::kOrganizationSubject), limit_rules(config.organization));
  const Parts organization_parts =
      parts_of(std::string(ledger::kOrganizationSubject), part_rules(config.organization));
  // A project that the file does not have any more still names its keys' rows.
  const auto settle_payers = [&](access::Principal& who, Parts key_parts,
                                 std::optional<ledger::Priority> priority) {
    const auto find = [](const auto& values, const std::string& name) {
      const auto at = values.find(name);
      return at == values.end() ? decltype(at->second){} : at->second;
    };
    const auto team = team_of_project.find(who.project);
    if (team != team_of_project.end()) who.team = team->second;
    who.project_limits = find(projects, who.project);
    who.team_limits = find(teams, who.team);
    who.organization_limits = organization;
    who.parts = {std::move(key_parts), find(project_parts, who.project), find(team_parts, who.team),
                 organization_parts};
    if (!priority) priority = find(project_priorities, who.project);
    if (!priority) priority = find(team_priorities, who.team);
    who.priority = priority.value_or(ledger::Priority::normal);
  };

  std::vector<access::KeyEntry> entries;
  for (const Key& key : config.keys) {
    access::KeyEntry entry;
    entry.hash = hasher_->hash(key.key.reveal());
    access::Principal& who = entry.principal;
    who.key_id = key.name;
    who.name = key.name;
    who.team = key.team;
    who.project = key.project;
    who.models = key.models;
    who.tags.assign(key.tags.begin(), key.tags.end());
    who.capture = key.capture;
    if (!key.addresses.empty() || !key.endpoints.empty()) {
      // Checked when the configuration was read.
      if (auto fence = access::KeyFence::make(key.addresses, key.endpoints)) {
        who.fence = std::make_shared<const access::KeyFence>(std::move(*fence));
      }
    }
    who.expires_ms = key.expires ? key.expires->wall_ms : 0;
    who.masked = access::mask_key(key.key.reveal());
    const std::string subject = ledger::key_subject(key.name);
    who.key_limits = cells_of(subject, limit_rules(key));
    settle_payers(who, parts_of(subject, part_rules(key)), key.priority);
    entries.push_back(std::move(entry));
  }
  for (const access::StoredKey& key : stored) {
    const size_t first = entries.size();
    access::append_entries(
        key, key.revoked_ms == 0 ? cells_of(ledger::key_subject(key.id), key.spec.limits) : nullptr,
        entries);
    if (entries.size() == first) continue;
    const Parts parts = parts_of(ledger::key_subject(key.id), key.spec.parts);
    for (size_t i = first; i < entries.size(); ++i) {
      settle_payers(entries[i].principal, parts, key.spec.priority);
    }
  }
  return entries;
}

bool Composer::has_new_budgets(const Config& config,
                               const std::vector<access::StoredKey>& stored) const {
  const auto is_new = [this](const std::string& subject, const ledger::LimitRules& rules) {
    return !rules.budgets.empty() && !limits_.has(subject);
  };
  const auto any = [&](const auto& list, auto subject_of) {
    return std::any_of(list.begin(), list.end(), [&](const auto& one) {
      return is_new(subject_of(one.name), limit_rules(one));
    });
  };
  return is_new(std::string(ledger::kOrganizationSubject), limit_rules(config.organization)) ||
         any(config.teams, ledger::team_subject) || any(config.projects, ledger::project_subject) ||
         any(config.keys, ledger::key_subject) ||
         std::any_of(stored.begin(), stored.end(), [&](const access::StoredKey& key) {
           return key.revoked_ms == 0 && is_new(ledger::key_subject(key.id), key.spec.limits);
         });
}

Result<Composition> Composer::compose(const Config& config,
                                      const std::vector<access::StoredKey>& stored,
                                      uint64_t generation, int64_t wall_ms) {
  Composition composition;
  auto snapshot = std::make_shared<gateway::Snapshot>();
  snapshot->generation = generation;
  snapshot->body_bytes_max = config.server.limits.body_bytes;
  for (const std::string& text : config.server.trusted_proxies) {
    WEIR_TRY(snapshot->trusted_proxies.emplace_back(), access::IpRange::parse(text));
  }
  snapshot->capture = {config.capture.enabled, config.capture.bytes_max};
  snapshot->queue = {config.queue.size, config.queue.wait};

  Accounts accounts;
  for (const Account& account : config.accounts) {
    WEIR_TRY(auto made, make_account(account, composition.tokens));
    snapshot->accounts.push_back(made);
    accounts.emplace(account.name, std::move(made));
  }
  for (const Model& model : config.models) {
    WEIR_TRY(auto made, make_model(model, accounts, wall_ms));
    snapshot->models.push_back(std::move(made));
  }
  std::sort(snapshot->models.begin(), snapshot->models.end(),
            [](const gateway::Model& a, const gateway::Model& b) { return a.name < b.name; });

  WEIR_TRY(snapshot->prices, price_book(config));
  // Limits that are in use get their new values at once, so nothing may fail behind this.
  WEIR_CHECK_OK(check_keys(config, stored));
  if (remember_ && has_new_budgets(config, stored)) WEIR_CHECK_OK(remember_(limits_));
  std::vector<access::KeyEntry> keys = make_keys(config, stored);
  for (const Model& model : config.models) {
    const auto of_name = [&](const gateway::Model& one) { return one.name == model.name; };
    std::find_if(snapshot->models.begin(), snapshot->models.end(), of_name)->limits =
        cells_of(ledger::model_subject(model.name), rate_rules(model.limits));
  }
  // A key that was made and revoked counts: revoking the last one must not open the gateway.
  snapshot->keys_required = !config.keys.empty() || !stored.empty();
  WEIR_TRY(snapshot->keys, access::KeyTable::build(hasher_, std::move(keys)));
  auto anonymous = std::make_shared<access::Principal>();
  anonymous->name = "anonymous";
  anonymous->organization_limits =
      cells_of(std::string(ledger::kOrganizationSubject), limit_rules(config.organization));
  anonymous->parts[3] =
      parts_of(std::string(ledger::kOrganizationSubject), part_rules(config.organization));
  snapshot->anonymous = std::move(anonymous);
  snapshot->users = users_;

  composition.snapshot = std::move(snapshot);
  limits_.drop_unused();
  return composition;
}

Result<void> check_reload(const Config& running, const Config& next, bool has_stored_keys) {
  if (next.models.empty() && !running.models.empty()) {
    return fail(ErrorCode::invalid_argument,
                "models: the file names none, and the running configuration serves some. Was it "
                "still being written? To serve nothing, stop Weir.");
  }
  if (next.keys.empty() && !running.keys.empty() && !has_stored_keys) {
    return fail(ErrorCode::invalid_argument,
                "keys: the file has none, which would open the gateway to everybody while it runs. "
                "Restart Weir if that is what you want.");
  }
  return {};
}

}  // namespace weir::app
