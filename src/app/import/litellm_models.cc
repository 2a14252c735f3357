#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "app/config/config.h"
#include "app/config/schema.h"
#include "app/import/litellm_draft.h"
#include "app/import/litellm_providers.h"
#include "app/import/tree_builder.h"
#include "base/money.h"
#include "base/text.h"

namespace weir::app {
namespace {

// Parameters that need no word: they are read elsewhere here, or mean nothing to another gateway.
const std::set<std::string_view>& silent_params() {
  static const std::set<std::string_view> names{"model",
                                                "api_key",
                                                "api_base",
                                                "base_url",
                                                "api_version",
                                                "custom_llm_provider",
                                                "organization",
                                                "rpm",
                                                "tpm",
                                                "weight",
                                                "order",
                                                "timeout",
                                                "stream_timeout",
                                                "request_timeout",
                                                "max_retries",
                                                "num_retries",
                                                "max_parallel_requests",
                                                "extra_headers",
                                                "headers",
                                                "tenant_id",
                                                "client_id",
                                                "client_secret",
                                                "vertex_project",
                                                "vertex_location",
                                                "vertex_credentials",
                                                "vertex_ai_project",
                                                "vertex_ai_location",
                                                "aws_region_name",
                                                "aws_access_key_id",
                                                "aws_secret_access_key",
                                                "aws_session_token",
                                                "aws_profile_name",
                                                "aws_bedrock_runtime_endpoint",
                                                "model_id",
                                                "ssl_verify",
                                                "litellm_credential_name",
                                                "input_cost_per_token",
                                                "output_cost_per_token",
                                                "cache_read_input_token_cost",
                                                "cache_creation_input_token_cost",
                                                "drop_params"};
  return names;
}

struct Reason {
  std::string_view name;
  std::string_view text;
};
constexpr std::array kParamReasons{
    Reason{"tags", "no equivalent: Weir does not route by tags of a request"},
    Reason{"mock_response", "no equivalent; `weir sim` is a provider for tests"},
    Reason{"azure_ad_token",
           "no equivalent: a fixed token expires; use entra (tenant, client_id, "
           "client_secret)"},
    Reason{"max_budget", "no equivalent for deployments; keys and teams have budgets"},
    Reason{"budget_duration", "no equivalent for deployments; keys and teams have budgets"},
    Reason{"aws_role_name", "no equivalent: Weir assumes no roles; give it temporary credentials"},
    Reason{"aws_web_identity_token",
           "no equivalent: Weir assumes no roles; give it temporary credentials"},
    Reason{"region_name", "no equivalent: Weir does not route by region"},
    Reason{"additional_drop_params",
           "no equivalent: a call in the provider's own dialect is "
           "forwarded as it came"},
    Reason{"cache_control_injection_points", "no equivalent: clients set cache breakpoints"},
};

std::string reason_for(std::string_view name) {
  for (const Reason& reason : kParamReasons) {
    if (reason.name == name) return std::string(reason.text);
  }
  return "no equivalent: Weir adds no parameters to a request; set it in the client";
}

std::string sanitized(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '.' || c == '-' || c == '_';
    out += plain ? c : '-';
  }
  return out;
}

// The host of an address without its port, or empty where the address is a variable.
std::string host_of(std::string_view url) {
  const size_t scheme = url.find("://");
  if (scheme == std::string_view::npos || url.find("${") != std::string_view::npos) return {};
  url = url.substr(scheme + 3);
  return std::string(url.substr(0, url.find_first_of(":/?#")));
}

std::string without_suffix(std::string text, std::initializer_list<std::string_view> suffixes) {
  while (text.ends_with('/')) text.pop_back();
  for (const std::string_view suffix : suffixes) {
    if (!text.ends_with(suffix)) continue;
    text.resize(text.size() - suffix.size());
    break;
  }
  while (text.ends_with('/')) text.pop_back();
  return text;
}

// "-07" as "-7".
std::string without_leading_zeros(std::string_view number) {
  const std::string_view sign = number.starts_with('-') ? "-" : "";
  number.remove_prefix(sign.size());
  while (number.size() > 1 && number.front() == '0') number.remove_prefix(1);
  return fmt::format("{}{}", sign, number);
}

// Dollars per token as LiteLLM writes them, as dollars per million tokens; empty where inexact.
std::string per_million(const YamlNode* node) {
  if (node == nullptr || node->kind != YamlNode::Kind::scalar) return {};
  std::string_view text = node->text;
  const size_t e = text.find_first_of("eE");
  int64_t exponent = 6;
  if (e != std::string_view::npos) {
    std::string_view written = text.substr(e + 1);
    if (written.starts_with('+')) written.remove_prefix(1);
    const std::optional<int64_t> given = parse_int64(without_leading_zeros(written));
    if (!given || *given < -30 || *given > 30) return {};
    exponent += *given;
    text = text.substr(0, e);
  }
  const Result<Money> money = Money::parse_usd(fmt::format("{}e{}", text, exponent));
  return money && *money >= Money() ? money->to_usd() : std::string();
}

class ModelListImport {
 public:
  ModelListImport(const YamlNode& root, Draft& draft) : draft_(draft) {
    if (const YamlNode* list = root.find("credential_list")) {
      for (const YamlNode& item : list->items) {
        const YamlNode* values = item.find("credential_values");
        if (values != nullptr) credentials_.emplace(litellm_field(item, "credential_name"), values);
      }
    }
    list_ = root.find("model_list");
  }

  void run() {
    for (size_t i = 0; i < list_->items.size(); ++i) {
      path_ = fmt::format("model_list[{}]", i);
      import_item(list_->items[i]);
    }
    for (DraftModel& model : draft_.models) settle_weights(model);
  }

 private:
  struct Target {
    const LiteLlmProvider* provider = nullptr;
    Provider kind = Provider::openai;
    std::string model;
    std::string dialect;
    std::string region;  // bedrock, where the model's name has it
  };

  void note(const YamlNode& at, std::string_view field, std::string message) {
    draft_.note(at, field.empty() ? path_ : fmt::format("{}.{}", path_, field), std::move(message));
  }

  void import_item(const YamlNode& item) {
    const std::string name = litellm_field(item, "model_name");
    const YamlNode* given = item.find("litellm_params");
    if (name.empty() || given == nullptr || given->kind != YamlNode::Kind::map) {
      note(item, "", "skipped: model_name or litellm_params is missing");
      return;
    }
    YamlNode params = *given;
    merge_credential(params);
    const std::string model = litellm_field(params, "model");
    if (name.find('*') != std::string::npos || model.find('*') != std::string::npos) {
      note(
          item, "model_name",
          fmt::format("skipped: \"{}\" is a wildcard, and Weir serves the models it lists; add one "
                      "entry to models for each",
                      name));
      return;
    }
    std::optional<Target> target = find_target(params, model, item);
    if (!target) return;

    DraftModel& draft_model = draft_.model(name);
    for (const std::string& organization : organizations(params)) {
      DraftDeployment deployment;
      deployment.account = account_for(params, *target, organization);
      fill_deployment(deployment, params, item, *target, draft_model.name);
      draft_model.deployments.push_back(std::move(deployment));
    }
    take_times(draft_model, params);
    take_prices(params, item, *target, draft_model.deployments.back());
    note_the_rest(params, item);
  }

  void merge_credential(YamlNode& params) {
    const std::string name = litellm_field(params, "litellm_credential_name");
    if (name.empty()) return;
    const auto found = credentials_.find(name);
    if (found == credentials_.end()) {
      note(params, "litellm_params.litellm_credential_name",
           fmt::format("there is no credential \"{}\" in credential_list", name));
      return;
    }
    for (const YamlEntry& entry : found->second->entries) {
      if (params.find(entry.key) == nullptr) params.entries.push_back(entry);
    }
  }

  std::optional<Target> find_target(const YamlNode& params, std::string_view model,
                                    const YamlNode& item) {
    Target target;
    const std::string named = litellm_field(params, "custom_llm_provider");
    const size_t slash = model.find('/');
    const std::string_view prefix =
        slash == std::string_view::npos ? std::string_view() : model.substr(0, slash);
    if (!named.empty()) {
      target.provider = find_litellm_provider(named);
      target.model = prefix == named ? model.substr(slash + 1) : model;
    } else if (const LiteLlmProvider* known = find_litellm_provider(prefix)) {
      target.provider = known;
      target.model = model.substr(slash + 1);
    } else {
      target.provider = guess_litellm_provider(model);
      target.model = model;
    }
    if (target.provider == nullptr) {
      const std::string_view what = !named.empty()   ? std::string_view(named)
                                    : prefix.empty() ? model
                                                     : prefix;
      note(item, "litellm_params.model",
           fmt::format("skipped: Weir cannot call the provider of \"{}\"", what));
      return std::nullopt;
    }
    target.kind = target.provider->provider;
    // LiteLLM's "openai/" also means any server that speaks the OpenAI API.
    const std::string base = address(params, *target.provider);
    if (target.kind == Provider::openai && !base.empty() && host_of(base) != "api.openai.com") {
      target.kind = Provider::openai_compatible;
    }
    if (target.kind == Provider::bedrock) {
      strip_bedrock_route(target.model, target.dialect, target.region);
    }
    if (target.model.starts_with("responses/")) {
      target.model.erase(0, std::string_view("responses/").size());
      target.dialect = "openai_responses";
    }
    return target;
  }

  static std::string address(const YamlNode& params, const LiteLlmProvider& provider) {
    std::string base = litellm_field(params, "api_base");
    if (base.empty()) base = litellm_field(params, "base_url");
    if (base.empty()) return {};
    base = without_suffix(std::move(base), {"/chat/completions", "/v1/messages"});
    if (!provider.base_suffix.empty() && !base.ends_with(provider.base_suffix)) {
      base += provider.base_suffix;
    }
    return base;
  }

  // One account for each organization; one without where none is named.
  static std::vector<std::string> organizations(const YamlNode& params) {
    const YamlNode* node = params.find("organization");
    if (node == nullptr) return {""};
    if (node->kind != YamlNode::Kind::list) return {litellm_text(*node)};
    std::vector<std::string> all;
    for (const YamlNode& item : node->items) all.push_back(litellm_text(item));
    return all.empty() ? std::vector<std::string>{""} : all;
  }

  std::string endpoint_for(const YamlNode& params, const Target& target) {
    std::string base = address(params, *target.provider);
    switch (target.kind) {
      case Provider::openai:
        return {};
      case Provider::azure_openai: {
        if (base.empty()) return fmt::format("${{{}}}", target.provider->base_variable);
        const size_t path = base.find("/openai");
        return without_suffix(path == std::string::npos ? base : base.substr(0, path), {"/models"});
      }
      case Provider::vertex_ai:
        return {};
      case Provider::bedrock:
        return litellm_field(params, "aws_bedrock_runtime_endpoint");
      case Provider::openai_compatible:
        if (!base.empty()) return base;
        if (!target.provider->endpoint.empty()) return std::string(target.provider->endpoint);
        return target.provider->base_variable.empty()
                   ? std::string()
                   : fmt::format("${{{}}}", target.provider->base_variable);
      default:
        return base;
    }
  }

  std::string key_for(const YamlNode& params, const Target& target) {
    const YamlNode* node = params.find("api_key");
    if (node == nullptr || node->kind != YamlNode::Kind::scalar) {
      const bool none = target.provider->key_variable.empty() ||
                        (target.kind == Provider::azure_openai && params.find("tenant_id"));
      return none ? std::string() : fmt::format("${{{}}}", target.provider->key_variable);
    }
    const std::string key = litellm_text(*node);
    if (!node->text.starts_with("os.environ/") && key.size() > 4) {
      note(*node, "litellm_params.api_key",
           "copied as it is: a secret in clear; put it into the environment and write \"${NAME}\"");
    }
    return key;
  }

  static std::string account_name(const Target& target, const std::string& endpoint) {
    const std::string host = host_of(endpoint);
    switch (target.kind) {
      case Provider::azure_openai:
        return host.empty() ? "azure" : "azure-" + sanitized(host.substr(0, host.find('.')));
      case Provider::vertex_ai:
        return "vertex";
      case Provider::openai_compatible:
        if (target.provider->provider != Provider::openai)
          return std::string(target.provider->prefix);
        return host.empty() ? "compatible" : sanitized(host);
      default:
        return std::string(target.provider->prefix);
    }
  }

  std::string account_for(const YamlNode& params, const Target& target,
                          const std::string& organization) {
    MapBuilder account;
    account.literal("provider", std::string(to_string(target.kind)));
    const std::string endpoint = endpoint_for(params, target);
    account.text("endpoint", endpoint);
    if (target.kind != Provider::vertex_ai) account.text("api_key", key_for(params, target));
    if (target.kind == Provider::azure_openai) {
      account.text("api_version", litellm_field(params, "api_version"));
      account.child("entra", entra_for(params));
    }
    if (target.kind == Provider::vertex_ai) fill_vertex(account, params);
    if (target.kind == Provider::bedrock) fill_bedrock(account, params, target);
    account.text("organization", organization);
    account.child("headers", headers_for(params));
    account.child("tls", tls_for(params));
    MapBuilder limits;
    limits.literal("rpm", whole(params.find("rpm")));
    limits.literal("tpm", whole(params.find("tpm")));
    limits.literal("concurrency", whole(params.find("max_parallel_requests")));
    YamlNode limit_node = limits.take();
    const bool limited = !limit_node.entries.empty();
    account.child("limits", std::move(limit_node));

    YamlNode node = account.take();
    // LiteLLM limits each deployment by itself, so a limited one gets an account of its own.
    std::string identity = limited ? target.model : std::string();
    identity += '\n' + flatten(node);
    std::string name = account_name(target, endpoint);
    if (!organization.empty() && organization.find("${") == std::string::npos) {
      name += '-' + sanitized(organization);
    }
    if (limited) name += '-' + sanitized(target.model);
    return draft_.account(std::move(node), identity, name);
  }

  static YamlNode entra_for(const YamlNode& params) {
    return MapBuilder()
        .text("tenant", litellm_field(params, "tenant_id"))
        .text("client_id", litellm_field(params, "client_id"))
        .text("client_secret", litellm_field(params, "client_secret"))
        .take();
  }

  void fill_vertex(MapBuilder& account, const YamlNode& params) {
    const auto first = [&](std::string_view name, std::string_view other,
                           std::string_view variable) {
      std::string text = litellm_field(params, name);
      if (text.empty()) text = litellm_field(params, other);
      return text.empty() ? fmt::format("${{{}}}", variable) : text;
    };
    account.text("project", first("vertex_project", "vertex_ai_project", "VERTEXAI_PROJECT"));
    account.text("location", first("vertex_location", "vertex_ai_location", "VERTEXAI_LOCATION"));
    const YamlNode* credentials = params.find("vertex_credentials");
    std::string path = "${GOOGLE_APPLICATION_CREDENTIALS}";
    if (credentials != nullptr) {
      path = litellm_text(*credentials);
      if (credentials->kind != YamlNode::Kind::scalar || path.find('{') == 0) {
        note(*credentials, "litellm_params.vertex_credentials",
             "Weir reads the service account from a file: write the JSON to one and name its path");
        path = "${GOOGLE_APPLICATION_CREDENTIALS}";
      } else if (path.starts_with("${")) {
        note(*credentials, "litellm_params.vertex_credentials",
             fmt::format("{} must be the path of the service account's file, not its JSON", path));
      }
    }
    account.text("service_account", path);
  }

  // Without a credential here it is the environment's, with LiteLLM as with Weir.
  static void fill_bedrock(MapBuilder& account, const YamlNode& params, const Target& target) {
    std::string region = litellm_field(params, "aws_region_name");
    if (region.empty()) region = target.region;
    account.text("region", region.empty() ? "${AWS_REGION}" : region);
    account.text("access_key_id", litellm_field(params, "aws_access_key_id"));
    account.text("secret_access_key", litellm_field(params, "aws_secret_access_key"));
    account.text("session_token", litellm_field(params, "aws_session_token"));
    account.text("profile", litellm_field(params, "aws_profile_name"));
  }

  static YamlNode headers_for(const YamlNode& params) {
    MapBuilder headers;
    for (const std::string_view field : {"headers", "extra_headers"}) {
      const YamlNode* map = params.find(field);
      if (map == nullptr) continue;
      for (const YamlEntry& entry : map->entries)
        headers.text(entry.key, litellm_text(entry.value));
    }
    return headers.take();
  }

  static YamlNode tls_for(const YamlNode& params) {
    MapBuilder tls;
    const YamlNode* verify = params.find("ssl_verify");
    if (verify == nullptr || verify->kind != YamlNode::Kind::scalar) return tls.take();
    if (verify->text == "false" || verify->text == "False") {
      tls.literal("verify", "false");
    } else if (!litellm_true(verify)) {
      tls.text("ca_file", litellm_text(*verify));
    }
    return tls.take();
  }

  static std::string whole(const YamlNode* node) {
    const std::optional<double> number = litellm_number(node);
    if (!number || *number < 1 || *number > 1e12) return {};
    return fmt::format("{}", static_cast<int64_t>(*number));
  }

  static std::string flatten(const YamlNode& node) {
    std::string text = node.text;
    for (const YamlNode& item : node.items) text += "[" + flatten(item) + "]";
    for (const YamlEntry& entry : node.entries) {
      text += "{" + entry.key + "=" + flatten(entry.value) + "}";
    }
    return text;
  }

  static void fill_deployment(DraftDeployment& deployment, const YamlNode& params,
                              const YamlNode& item, const Target& target, const std::string& name) {
    const YamlNode* info = item.find("model_info");
    std::string base = info == nullptr ? std::string() : litellm_field(*info, "base_model");
    if (const size_t slash = base.find('/');
        slash != std::string::npos && find_litellm_provider(base.substr(0, slash)) != nullptr) {
      base.erase(0, slash + 1);
    }
    if (target.kind == Provider::azure_openai) {
      deployment.deployment = target.model;
      deployment.base_model = base;
    } else {
      deployment.model = target.model == name ? std::string() : target.model;
      if (base != target.model) deployment.base_model = base;
    }
    if (const std::string id = litellm_field(params, "model_id");
        target.kind == Provider::bedrock && !id.empty()) {
      deployment.model = id;
      deployment.base_model = target.model;
    }
    deployment.dialect = target.dialect;
    deployment.weight = litellm_number(params.find("weight"));
    deployment.rpm = litellm_number(params.find("rpm"));
    deployment.tpm = litellm_number(params.find("tpm"));
    const std::optional<double> order = litellm_number(params.find("order"));
    if (order && *order >= 1 && *order <= 1'000) deployment.order = static_cast<int64_t>(*order);
  }

  void take_times(DraftModel& model, const YamlNode& params) {
    const auto widen = [&](std::optional<int64_t>& kept, std::string_view name) {
      const YamlNode* node = params.find(name);
      const std::optional<int64_t> ms = litellm_seconds(node);
      if (!ms) return;
      if (kept && *kept != *ms) {
        note(*node, fmt::format("litellm_params.{}", name),
             fmt::format("Weir times a model, not a deployment: the longest of \"{}\" is used",
                         model.name));
      }
      kept = std::max(kept.value_or(0), *ms);
    };
    widen(model.total_ms, "timeout");
    widen(model.total_ms, "request_timeout");
    widen(model.first_token_ms, "stream_timeout");
    for (const std::string_view name : {"max_retries", "num_retries"}) {
      const std::optional<double> retries = litellm_number(params.find(name));
      if (retries) model.attempts = std::min<int64_t>(10, static_cast<int64_t>(*retries) + 1);
    }
  }

  void take_prices(const YamlNode& params, const YamlNode& item, const Target& target,
                   const DraftDeployment& deployment) {
    MapBuilder classes;
    for (const auto& [field, usage_class] :
         {std::pair{"input_cost_per_token", "input"},
          std::pair{"cache_read_input_token_cost", "cache_read"},
          std::pair{"cache_creation_input_token_cost", "cache_write_5m"},
          std::pair{"output_cost_per_token", "output"}}) {
      const YamlNode* cost = params.find(field);
      const YamlNode* info = item.find("model_info");
      if (cost == nullptr && info != nullptr) cost = info->find(field);
      if (cost == nullptr) continue;
      const std::string usd = per_million(cost);
      if (usd.empty()) note(*cost, field, "not an exact amount of dollars: left out");
      classes.literal(usage_class, usd);
    }
    YamlNode rates = classes.take();
    if (rates.entries.empty()) return;
    const std::string model = deployment.base_model.empty() ? target.model : deployment.base_model;
    const std::string identity = fmt::format("{}\n{}", to_string(target.kind), model);
    if (!priced_.insert(identity).second) return;
    draft_.prices.push_back(MapBuilder()
                                .literal("provider", std::string(to_string(target.kind)))
                                .text("model", model)
                                .child("usd_per_million", std::move(rates))
                                .take());
  }

  void note_the_rest(const YamlNode& params, const YamlNode& item) {
    for (const YamlEntry& entry : params.entries) {
      if (silent_params().contains(entry.key)) continue;
      YamlNode at = entry.value;
      at.line = entry.line;
      note(at, fmt::format("litellm_params.{}", entry.key), reason_for(entry.key));
    }
    const YamlNode* info = item.find("model_info");
    const YamlNode* access = info == nullptr ? nullptr : info->find("access_groups");
    if (access != nullptr) {
      note(*access, "model_info.access_groups",
           "no equivalent: a key lists its models, with a * at the end for a whole family");
    }
  }

  // LiteLLM weighs a group by its weights, else by requests, else by tokens per minute.
  static void settle_weights(DraftModel& model) {
    const auto any = [&](std::optional<double> DraftDeployment::* field) {
      return std::any_of(model.deployments.begin(), model.deployments.end(),
                         [field](const DraftDeployment& d) { return (d.*field).has_value(); });
    };
    if (any(&DraftDeployment::weight)) return;
    std::optional<double> DraftDeployment::* by = nullptr;
    if (any(&DraftDeployment::rpm)) {
      by = &DraftDeployment::rpm;
    } else if (any(&DraftDeployment::tpm)) {
      by = &DraftDeployment::tpm;
    }
    if (by == nullptr) return;
    for (DraftDeployment& deployment : model.deployments) deployment.weight = deployment.*by;
  }

  Draft& draft_;
  const YamlNode* list_ = nullptr;
  std::map<std::string, const YamlNode*> credentials_;
  std::set<std::string> priced_;
  std::string path_;
};

}  // namespace

void import_model_list(const YamlNode& root, Draft& draft) {
  ModelListImport(root, draft).run();
}

}  // namespace weir::app
