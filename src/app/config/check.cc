#include "app/config/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "access/key_fence.h"
#include "app/nearest.h"
#include "identity/role.h"

namespace weir::app {
namespace {

constexpr size_t kKeyLengthMin = 16;

// The names of one kind of object, for looking up and for suggesting.
struct Names {
  std::vector<std::string_view> list;
  std::unordered_map<std::string_view, size_t> index;  // the first of that name

  template <class T>
  explicit Names(const std::vector<T>& items) {
    for (const T& item : items) {
      index.emplace(item.name, list.size());
      list.push_back(item.name);
    }
  }
};

struct AllNames {
  explicit AllNames(const Config& config)
      : accounts(config.accounts),
        models(config.models),
        teams(config.teams),
        projects(config.projects) {}
  Names accounts;
  Names models;
  Names teams;
  Names projects;
};

template <class T>
void check_unique_names(const std::vector<T>& items, std::string_view field, Reader& reader) {
  std::unordered_map<std::string_view, size_t> first;
  for (size_t i = 0; i < items.size(); ++i) {
    if (items[i].name.empty()) continue;  // reported as missing
    const auto [found, fresh] = first.emplace(items[i].name, i);
    if (fresh) continue;
    reader.problem_at(
        ProblemCode::duplicate_name, fmt::format("{}[{}].name", field, i),
        fmt::format("\"{}\" is already the name of {}[{}]", items[i].name, field, found->second));
  }
}

void check_name(std::string_view name, const Names& names, std::string_view kind,
                const std::string& path, Reader& reader) {
  if (name.empty() || names.index.contains(name) || reader.is_full()) return;
  reader.problem_at(
      ProblemCode::unknown_name, path,
      fmt::format("there is no {} \"{}\"{}", kind, name, did_you_mean(name, names.list)));
}

void check_listeners(const Config& config, Reader& reader) {
  if (auto known = access::KeyFence::make(config.server.trusted_proxies, {}); !known) {
    reader.problem_at(ProblemCode::bad_value, "server.trusted_proxies",
                      std::string(known.error().message()));
  }
  const ListenAddress& server = config.server.listen;
  const ListenAddress& admin = config.admin.listen;
  const bool same_host = server.host == admin.host || server.host.empty() || admin.host.empty();
  if (server.port != 0 && server.port == admin.port && same_host) {
    reader.problem_at(ProblemCode::conflict, "admin.listen",
                      fmt::format("server.listen uses port {} too; they need two", admin.port));
  }
  if (config.admin.oidc) {
    for (const auto& [group, roles] : config.admin.oidc->roles) {
      if (const auto known = identity::parse_roles(roles); !known) {
        reader.problem_at(ProblemCode::bad_value, "admin.oidc.roles",
                          fmt::format("{}: {}", group, known.error().message()));
      }
    }
  }
  const bool signs_in = config.admin.oidc && !config.admin.public_url.empty();
  if (config.admin.token.empty() && !signs_in && !admin.is_loopback()) {
    reader.problem_at(ProblemCode::conflict, "admin.listen",
                      "others can reach this address, so admin.token is required, or admin.oidc "
                      "with admin.public_url");
  }
  if (config.server.tls) {
    for (const auto& [field, path] : {std::pair{"certificate", &config.server.tls->certificate},
                                      std::pair{"key", &config.server.tls->key}}) {
      if (path->empty()) continue;
      const auto content = reader.surroundings().read_file(*path);
      if (content) continue;
      reader.problem_at(ProblemCode::missing_file, fmt::format("server.tls.{}", field),
                        std::string(content.error().message()), Severity::warning);
    }
  }
}

void check_deployments(const Config& config, const Names& accounts, const Model& model,
                       const std::string& path, Reader& reader) {
  if (model.deployments.empty()) {
    reader.problem_at(ProblemCode::missing_field, path + ".deployments",
                      "a model needs at least one deployment");
    return;
  }
  uint64_t weight = 0;
  for (size_t i = 0; i < model.deployments.size(); ++i) {
    const Deployment& deployment = model.deployments[i];
    const std::string here = fmt::format("{}.deployments[{}]", path, i);
    weight += deployment.weight;
    check_name(deployment.account, accounts, "account", here + ".account", reader);
    const auto found = accounts.index.find(deployment.account);
    if (found == accounts.index.end()) continue;
    const Account* account = &config.accounts[found->second];
    if (!deployment.deployment.empty() && account->provider != Provider::azure_openai) {
      reader.problem_at(ProblemCode::conflict, here + ".deployment",
                        fmt::format("only azure_openai has deployments, and the account \"{}\" is "
                                    "{}; use model",
                                    account->name, to_string(account->provider)));
    }
    if (account->provider == Provider::azure_openai && !deployment.deployment.empty() &&
        deployment.base_model.empty() && deployment.model.empty() &&
        deployment.deployment != model.name) {
      reader.problem_at(ProblemCode::missing_field, here,
                        "without base_model the requests of this deployment are recorded as "
                        "unpriced unless its name is a model's name",
                        Severity::warning);
    }
  }
  if (weight == 0) {
    reader.problem_at(ProblemCode::conflict, path + ".deployments",
                      "every deployment has weight 0, so none can be picked");
  }
}

void check_model_times(const Model& model, const std::string& path, Reader& reader) {
  for (const auto& [field, value] : {std::pair{"connect", model.timeouts.connect},
                                     std::pair{"first_token", model.timeouts.first_token},
                                     std::pair{"answer", model.timeouts.answer}}) {
    const std::string at = fmt::format("{}.timeouts.{}", path, field);
    if (value <= model.timeouts.total) continue;
    // A default that a shorter total overtakes is no mistake of the file.
    if (!reader.was_read(at)) continue;
    reader.problem_at(ProblemCode::conflict, at, "longer than total, so it can never come first",
                      Severity::warning);
  }
}

void check_models(const Config& config, const AllNames& names, Reader& reader) {
  for (size_t i = 0; i < config.models.size(); ++i) {
    const std::string path = fmt::format("models[{}]", i);
    const Model& model = config.models[i];
    check_deployments(config, names.accounts, model, path, reader);
    check_model_times(model, path, reader);
    std::set<std::string_view> seen;
    for (size_t j = 0; j < model.fallbacks.size(); ++j) {
      const std::string at = fmt::format("{}.fallbacks[{}]", path, j);
      check_name(model.fallbacks[j], names.models, "model", at, reader);
      if (model.fallbacks[j] == model.name) {
        reader.problem_at(ProblemCode::conflict, at, "a model cannot fall back to itself");
      }
      if (!seen.insert(model.fallbacks[j]).second) {
        reader.problem_at(ProblemCode::duplicate_name, at,
                          fmt::format("\"{}\" is in the list twice", model.fallbacks[j]));
      }
    }
  }
}

bool matches_any(std::string_view pattern, const Names& names) {
  if (!pattern.ends_with('*')) return names.index.contains(pattern);
  pattern.remove_suffix(1);
  return std::any_of(names.list.begin(), names.list.end(),
                     [pattern](std::string_view name) { return name.starts_with(pattern); });
}

// A project's keys are its team's.
void check_team_of_key(const Config& config, const Key& key, const AllNames& names,
                       const std::string& path, Reader& reader) {
  const auto found = names.projects.index.find(key.project);
  if (key.team.empty() || found == names.projects.index.end()) return;
  const std::string& team = config.projects[found->second].team;
  if (team == key.team) return;
  reader.problem_at(ProblemCode::conflict, path + ".team",
                    team.empty() ? fmt::format("the project \"{}\" belongs to no team", key.project)
                                 : fmt::format("the project \"{}\" belongs to the team \"{}\"",
                                               key.project, team));
}

void check_keys(const Config& config, const AllNames& names, Reader& reader) {
  std::unordered_map<std::string_view, size_t> secrets;
  for (size_t i = 0; i < config.keys.size(); ++i) {
    const Key& key = config.keys[i];
    const std::string path = fmt::format("keys[{}]", i);
    if (auto fence = access::KeyFence::make(key.addresses, {}); !fence) {
      reader.problem_at(ProblemCode::bad_value, path + ".addresses",
                        std::string(fence.error().message()));
    }
    if (auto fence = access::KeyFence::make({}, key.endpoints); !fence) {
      reader.problem_at(ProblemCode::bad_value, path + ".endpoints",
                        std::string(fence.error().message()));
    }
    check_name(key.team, names.teams, "team", path + ".team", reader);
    check_name(key.project, names.projects, "project", path + ".project", reader);
    check_team_of_key(config, key, names, path, reader);
    for (size_t j = 0; j < key.models.size(); ++j) {
      if (reader.is_full() || matches_any(key.models[j], names.models)) continue;
      reader.problem_at(ProblemCode::unknown_name, fmt::format("{}.models[{}]", path, j),
                        fmt::format("no model is named \"{}\"{}", key.models[j],
                                    did_you_mean(key.models[j], names.models.list)));
    }
    if (key.key.empty()) {
      if (reader.was_read(path + ".key")) {
        reader.problem_at(ProblemCode::bad_value, path + ".key", "the key is empty");
      }
      continue;
    }
    const auto [found, fresh] = secrets.emplace(key.key.reveal(), i);
    if (!fresh) {
      reader.problem_at(ProblemCode::conflict, path + ".key",
                        fmt::format("the same secret as keys[{}] (\"{}\"): no one could tell them "
                                    "apart",
                                    found->second, config.keys[found->second].name));
    }
    if (key.key.reveal().size() < kKeyLengthMin) {
      reader.problem_at(ProblemCode::bad_value, path + ".key",
                        fmt::format("shorter than {} characters, so it can be guessed; make one "
                                    "with: openssl rand -hex 24",
                                    kKeyLengthMin),
                        Severity::warning);
    }
  }
}

// A limit for a model that there is not would hold nothing.
template <class T>
void check_model_limits(const T& whose, const Names& models, const std::string& path,
                        Reader& reader) {
  for (size_t i = 0; i < whose.model_limits.size(); ++i) {
    const std::string& model = whose.model_limits[i].model;
    if (model.empty() || reader.is_full() || matches_any(model, models)) continue;
    reader.problem_at(
        ProblemCode::unknown_name, fmt::format("{}.model_limits[{}].model", path, i),
        fmt::format("no model is named \"{}\"{}", model, did_you_mean(model, models.list)));
  }
}

template <class T>
void check_all_model_limits(const std::vector<T>& list, std::string_view field, const Names& models,
                            Reader& reader) {
  for (size_t i = 0; i < list.size(); ++i) {
    check_model_limits(list[i], models, fmt::format("{}[{}]", field, i), reader);
  }
}

}  // namespace

void check_config(const Config& config, Reader& reader) {
  const AllNames names(config);
  check_unique_names(config.accounts, "accounts", reader);
  check_unique_names(config.models, "models", reader);
  check_unique_names(config.teams, "teams", reader);
  check_unique_names(config.projects, "projects", reader);
  for (size_t i = 0; i < config.projects.size(); ++i) {
    check_name(config.projects[i].team, names.teams, "team", fmt::format("projects[{}].team", i),
               reader);
  }
  check_unique_names(config.keys, "keys", reader);
  check_listeners(config, reader);
  check_accounts(config, reader);
  check_models(config, names, reader);
  check_keys(config, names, reader);
  check_model_limits(config.organization, names.models, "organization", reader);
  check_all_model_limits(config.teams, "teams", names.models, reader);
  check_all_model_limits(config.projects, "projects", names.models, reader);
  check_all_model_limits(config.keys, "keys", names.models, reader);
  check_money(config, reader);
}

}  // namespace weir::app
