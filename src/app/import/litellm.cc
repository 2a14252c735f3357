#include "app/import/litellm.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <utility>

#include "app/config/emit.h"
#include "app/config/load.h"
#include "app/config/values.h"
#include "app/import/litellm_draft.h"
#include "app/import/tree_builder.h"

namespace weir::app {
namespace {

constexpr int64_t kWeightMax = 1'000'000;

struct Reason {
  std::string_view path;
  std::string_view text;
};

// What becomes of settings that are not carried over. The path is the section and the field.
constexpr std::array kReasons{
    Reason{"litellm_settings.drop_params",
           "built in: what the other dialect cannot say is left out"},
    Reason{"litellm_settings.modify_params", "built in"},
    Reason{"litellm_settings.turn_off_message_logging",
           "built in: messages are not kept unless capture is on"},
    Reason{"litellm_settings.redact_user_api_key_info", "built in: keys never appear in logs"},
    Reason{"litellm_settings.set_verbose", "carried over as log.level"},
    Reason{"litellm_settings.json_logs", "built in: the log is one JSON object per line"},
    Reason{"litellm_settings.cache", "no equivalent: Weir does not cache answers"},
    Reason{"litellm_settings.cache_params", "no equivalent: Weir does not cache answers"},
    Reason{"litellm_settings.max_budget",
           "no equivalent for the whole gateway; teams and keys have budgets"},
    Reason{"litellm_settings.budget_duration",
           "no equivalent for the whole gateway; teams and keys have budgets"},
    Reason{"litellm_settings.allowed_fails",
           "built in: every failure counts by its class against the deployment's health"},
    Reason{"litellm_settings.cooldown_time",
           "built in: a deployment is parked until its reset or until a trial succeeds"},
    Reason{"litellm_settings.context_window_fallbacks",
           "no equivalent: a request that is too long is answered with the provider's error"},
    Reason{"litellm_settings.content_policy_fallbacks",
           "no equivalent: a refusal is passed on, never retried elsewhere"},
    Reason{"router_settings.context_window_fallbacks",
           "no equivalent: a request that is too long is answered with the provider's error"},
    Reason{"router_settings.content_policy_fallbacks",
           "no equivalent: a refusal is passed on, never retried elsewhere"},
    Reason{"router_settings.enable_pre_call_checks",
           "no equivalent: the provider judges the length of a request"},
    Reason{"router_settings.allowed_fails",
           "built in: every failure counts by its class against the deployment's health"},
    Reason{"router_settings.allowed_fails_policy",
           "built in: every failure counts by its class against the deployment's health"},
    Reason{"router_settings.retry_policy",
           "built in: what is worth a retry is decided by the failure's class"},
    Reason{"router_settings.retry_after", "built in: Retry-After of the provider is honored"},
    Reason{"router_settings.cooldown_time",
           "built in: a deployment is parked until its reset or until a trial succeeds"},
    Reason{"router_settings.disable_cooldowns", "no equivalent: a pool is never emptied anyway"},
    Reason{"router_settings.redis_host", "not needed: Weir needs no service beside it"},
    Reason{"router_settings.redis_port", "not needed: Weir needs no service beside it"},
    Reason{"router_settings.redis_password", "not needed: Weir needs no service beside it"},
    Reason{"router_settings.redis_url", "not needed: Weir needs no service beside it"},
    Reason{"router_settings.enable_tag_filtering", "no equivalent: Weir does not route by tags"},
    Reason{"general_settings.database_url",
           "not needed: Weir has its own store. Keys, teams and spend in that database are not "
           "carried over"},
    Reason{"general_settings.store_model_in_db",
           "models made in LiteLLM's database are not "
           "carried over"},
    Reason{"general_settings.disable_spend_logs", "no equivalent: every request has a ledger row"},
    Reason{"general_settings.alerting", "no equivalent: alert on the metrics of /metrics"},
    Reason{"general_settings.max_parallel_requests",
           "no equivalent for every deployment at once: use limits.concurrency of the accounts"},
    Reason{"general_settings.global_max_parallel_requests",
           "no equivalent: keys have limits.concurrency"},
    Reason{"general_settings.custom_auth", "no equivalent: clients hold virtual keys"},
    Reason{"general_settings.enable_jwt_auth", "no equivalent: clients hold virtual keys"},
    Reason{"general_settings.background_health_checks",
           "not needed: health is learned from requests and trials"},
    Reason{"general_settings.health_check_interval",
           "not needed: health is learned from requests and trials"},
    Reason{"environment_variables", "set these in the environment of weir"},
    Reason{"include", "import the included files one by one"},
    Reason{"guardrails", "no equivalent"},
    Reason{"mcp_servers", "no equivalent"},
    Reason{"callback_settings", "no equivalent"},
};

std::string reason_for(std::string_view path) {
  for (const Reason& reason : kReasons) {
    if (reason.path == path) return std::string(reason.text);
  }
  return "no equivalent";
}

std::string duration(std::optional<int64_t> ms) {
  return ms ? format_duration(Milliseconds(*ms)) : std::string();
}

class Import {
 public:
  Import(const YamlNode& root, std::string_view file) : root_(root), file_(file) {}

  Imported run() {
    import_model_list(root_, draft_);
    read_settings();
    add_aliases();
    add_fallbacks();
    split_orders();
    Imported imported;
    imported.yaml = write();
    check(imported.yaml);
    imported.notes = draft_.take_notes();
    return imported;
  }

 private:
  struct FallbackWish {
    std::string model;
    std::vector<std::string> to;
    YamlNode at;
    std::string path;
  };

  void note(const YamlEntry& at, std::string_view path, std::string message) {
    YamlNode node;
    node.line = at.line;
    draft_.note(node, std::string(path), std::move(message));
  }

  void read_settings() {
    for (const YamlEntry& section : root_.entries) {
      if (section.key == "model_list" || section.key == "credential_list") continue;
      const bool known = section.key == "litellm_settings" || section.key == "router_settings" ||
                         section.key == "general_settings";
      if (!known) {
        note(section, section.key, reason_for(section.key));
        continue;
      }
      for (const YamlEntry& field : section.value.entries) {
        const std::string path = fmt::format("{}.{}", section.key, field.key);
        if (!read_setting(section.key, field, path)) note(field, path, reason_for(path));
      }
    }
  }

  // False where the setting is not carried over.
  bool read_setting(std::string_view section, const YamlEntry& field, const std::string& path) {
    const YamlNode* value = &field.value;
    if (section == "general_settings") return read_general(field, path);
    if (field.key == "num_retries") {
      const std::optional<double> retries = litellm_number(value);
      if (!retries) return false;
      attempts_ = std::min<int64_t>(10, static_cast<int64_t>(*retries) + 1);
      return true;
    }
    if (field.key == "timeout" || field.key == "request_timeout") {
      total_ms_ = litellm_seconds(value);
      return total_ms_.has_value();
    }
    if (field.key == "stream_timeout") {
      first_token_ms_ = litellm_seconds(value);
      return first_token_ms_.has_value();
    }
    if (field.key == "fallbacks") {
      read_fallbacks(*value, path);
      return true;
    }
    if (field.key == "default_fallbacks") {
      for (const YamlNode& item : value->items) default_fallbacks_.push_back(litellm_text(item));
      default_fallbacks_at_ = *value;
      default_fallbacks_at_.line = field.line;
      return true;
    }
    if (field.key == "model_group_alias") {
      aliases_ = value;
      return true;
    }
    if (field.key == "routing_strategy") return read_strategy(field, path);
    if (field.key == "set_verbose") {
      if (litellm_true(value)) log_level_ = "debug";
      return true;
    }
    if (field.key == "callbacks" || field.key == "success_callback" ||
        field.key == "failure_callback" || field.key == "service_callbacks") {
      read_callbacks(field, path);
      return true;
    }
    return false;
  }

  bool read_general(const YamlEntry& field, const std::string& path) {
    if (field.key == "master_key") {
      master_key_ = litellm_text(field.value);
      if (!field.value.text.starts_with("os.environ/")) {
        note(field, path,
             "copied as it is: a secret in clear; put it into the environment and write "
             "\"${NAME}\"");
      }
      note(field, path,
           "became admin.token and the key \"master\", which may use every model; make a key for "
           "each client and remove it");
      return true;
    }
    if (field.key == "maximum_spend_logs_retention_period") {
      const auto retention = parse_duration(field.value.text);
      if (!retention) return false;
      retention_ = format_duration(*retention);
      return true;
    }
    if (field.key == "store_prompts_in_spend_logs") {
      capture_ = litellm_true(&field.value);
      return true;
    }
    return false;
  }

  bool read_strategy(const YamlEntry& field, const std::string& path) {
    if (field.value.text == "simple-shuffle" || field.value.text == "least-busy") return true;
    note(field, path,
         fmt::format("no equivalent for {}: Weir picks by weight and by requests in flight",
                     field.value.text));
    return true;
  }

  void read_callbacks(const YamlEntry& field, const std::string& path) {
    std::vector<std::string> names;
    for (const YamlNode& item : field.value.items) names.push_back(item.text);
    if (field.value.kind == YamlNode::Kind::scalar) names.push_back(field.value.text);
    for (const std::string& name : names) {
      note(field, path,
           name == "prometheus" ? std::string("prometheus is built in: /metrics at admin.listen")
                                : fmt::format("no equivalent for {}", name));
    }
  }

  // [{"a": ["b", "c"]}, ...], or the same as one map.
  void read_fallbacks(const YamlNode& value, const std::string& path) {
    const auto take = [&](const YamlNode& map) {
      for (const YamlEntry& entry : map.entries) {
        FallbackWish wish{entry.key, {}, entry.value, path};
        wish.at.line = entry.line;
        for (const YamlNode& item : entry.value.items) wish.to.push_back(litellm_text(item));
        if (entry.value.kind == YamlNode::Kind::scalar) wish.to.push_back(entry.value.text);
        wishes_.push_back(std::move(wish));
      }
    };
    take(value);
    for (const YamlNode& item : value.items) take(item);
  }

  // A second name for a model: a model with the same deployments.
  void add_aliases() {
    if (aliases_ == nullptr) return;
    for (const YamlEntry& alias : aliases_->entries) {
      const std::string target = alias.value.kind == YamlNode::Kind::map
                                     ? litellm_field(alias.value, "model")
                                     : litellm_text(alias.value);
      const std::string path = "router_settings.model_group_alias." + alias.key;
      const DraftModel* found = draft_.find_model(target);
      if (found == nullptr) {
        note(alias, path, fmt::format("skipped: there is no model \"{}\"", target));
        continue;
      }
      if (draft_.find_model(alias.key) != nullptr) continue;
      DraftModel copy = *found;
      for (DraftDeployment& deployment : copy.deployments) {
        if (deployment.model.empty() && deployment.deployment.empty()) deployment.model = target;
      }
      copy.name = alias.key;
      draft_.models.push_back(std::move(copy));
    }
  }

  void add_fallback(DraftModel& model, const std::string& to, const YamlNode& at,
                    const std::string& path) {
    if (draft_.find_model(to) == nullptr) {
      draft_.note(at, path, fmt::format("left out: there is no model \"{}\" to fall back to", to));
      return;
    }
    if (std::find(model.fallbacks.begin(), model.fallbacks.end(), to) != model.fallbacks.end()) {
      return;
    }
    model.fallbacks.push_back(to);
  }

  void add_fallbacks() {
    for (const FallbackWish& wish : wishes_) {
      DraftModel* model = draft_.find_model(wish.model);
      if (model == nullptr) {
        draft_.note(wish.at, wish.path,
                    fmt::format("left out: there is no model \"{}\"", wish.model));
        continue;
      }
      for (const std::string& to : wish.to) add_fallback(*model, to, wish.at, wish.path);
    }
    for (const std::string& to : default_fallbacks_) {
      if (draft_.find_model(to) == nullptr) {
        draft_.note(default_fallbacks_at_, "default_fallbacks",
                    fmt::format("left out: there is no model \"{}\"", to));
        continue;
      }
      for (DraftModel& model : draft_.models) {
        if (model.name != to) add_fallback(model, to, default_fallbacks_at_, "default_fallbacks");
      }
    }
  }

  // Deployments of a higher order become models of their own, to fall back to.
  void split_orders() {
    std::vector<DraftModel> split;
    for (DraftModel& model : draft_.models) {
      std::map<int64_t, std::vector<DraftDeployment>> tiers;
      for (DraftDeployment& deployment : model.deployments) {
        tiers[deployment.order].push_back(std::move(deployment));
      }
      std::vector<std::string> names;
      DraftModel lowest = model;
      lowest.deployments.clear();
      for (auto& [order, deployments] : tiers) {
        if (lowest.deployments.empty()) {
          lowest.deployments = std::move(deployments);
          continue;
        }
        DraftModel tier = model;
        tier.fallbacks.clear();
        tier.name = fmt::format("{}@order{}", model.name, order);
        for (DraftDeployment& deployment : deployments) {
          if (deployment.model.empty() && deployment.deployment.empty()) {
            deployment.model = model.name;
          }
        }
        tier.deployments = std::move(deployments);
        names.push_back(tier.name);
        tiers_.push_back(std::move(tier));
      }
      if (!names.empty()) {
        draft_.note({}, "model_list",
                    fmt::format("the order of the deployments of \"{}\" became fallbacks: {}",
                                model.name, fmt::join(names, ", ")));
      }
      lowest.fallbacks.insert(lowest.fallbacks.begin(), names.begin(), names.end());
      split.push_back(std::move(lowest));
    }
    for (DraftModel& tier : tiers_) split.push_back(std::move(tier));
    draft_.models = std::move(split);
  }

  // Weights as whole numbers in the same proportion.
  static std::vector<int64_t> whole_weights(const DraftModel& model) {
    double largest = 0;
    bool fraction = false;
    for (const DraftDeployment& deployment : model.deployments) {
      const double weight = deployment.weight.value_or(0);
      largest = std::max(largest, weight);
      fraction = fraction || weight != std::floor(weight);
    }
    double scale = fraction ? 1'000 : 1;
    if (largest * scale > kWeightMax) scale = kWeightMax / largest;
    std::vector<int64_t> weights;
    for (const DraftDeployment& deployment : model.deployments) {
      weights.push_back(std::llround(deployment.weight.value_or(0) * scale));
    }
    return weights;
  }

  static YamlNode write_model(const DraftModel& model) {
    const bool weighted =
        model.deployments.size() > 1 &&
        std::any_of(model.deployments.begin(), model.deployments.end(),
                    [](const DraftDeployment& d) { return d.weight.has_value(); });
    const std::vector<int64_t> weights = whole_weights(model);
    std::vector<YamlNode> deployments;
    for (size_t i = 0; i < model.deployments.size(); ++i) {
      const DraftDeployment& deployment = model.deployments[i];
      deployments.push_back(MapBuilder()
                                .text("account", deployment.account)
                                .text("model", deployment.model)
                                .text("deployment", deployment.deployment)
                                .text("base_model", deployment.base_model)
                                .literal("weight", weighted ? fmt::format("{}", weights[i]) : "")
                                .literal("dialect", deployment.dialect)
                                .take());
    }
    std::vector<YamlNode> fallbacks;
    for (const std::string& name : model.fallbacks) fallbacks.push_back(text_node(name));
    return MapBuilder()
        .text("name", model.name)
        .child("deployments", list_node(std::move(deployments)))
        .child("fallbacks", list_node(std::move(fallbacks)))
        .child("timeouts", MapBuilder()
                               .literal("first_token", duration(model.first_token_ms))
                               .literal("total", duration(model.total_ms))
                               .take())
        .child("retries", write_retries(model.attempts))
        .take();
  }

  static YamlNode write_retries(std::optional<int64_t> attempts) {
    return MapBuilder().literal("attempts", attempts ? fmt::format("{}", *attempts) : "").take();
  }

  std::string write() {
    std::vector<YamlNode> accounts;
    for (const DraftAccount& account : draft_.accounts) {
      YamlNode node = MapBuilder().text("name", account.name).take();
      for (const YamlEntry& entry : account.node.entries) node.entries.push_back(entry);
      accounts.push_back(std::move(node));
    }
    std::vector<YamlNode> models;
    for (const DraftModel& model : draft_.models) models.push_back(write_model(model));
    MapBuilder root;
    root.child("server", MapBuilder().text("listen", ":4000").take());
    if (!master_key_.empty()) root.child("admin", MapBuilder().text("token", master_key_).take());
    root.child("log", MapBuilder().literal("level", log_level_).take());
    root.child("defaults",
               MapBuilder()
                   .child("timeouts", MapBuilder()
                                          .literal("first_token", duration(first_token_ms_))
                                          .literal("total", duration(total_ms_))
                                          .take())
                   .child("retries", write_retries(attempts_))
                   .take());
    root.child("accounts", list_node(std::move(accounts)));
    root.child("models", list_node(std::move(models)));
    if (!master_key_.empty()) {
      root.child("keys",
                 list_node({MapBuilder().text("name", "master").text("key", master_key_).take()}));
    }
    root.child("prices", list_node(draft_.prices));
    root.child("capture", MapBuilder().literal("enabled", capture_ ? "true" : "").take());
    root.child("ledger", MapBuilder().literal("retention", retention_).take());
    return fmt::format(
        "# Made by `weir import litellm` from {}. Port 4000 is LiteLLM's.\n"
        "# Check it with `weir check`; every field: docs/reference/configuration.md\n{}",
        file_, emit_yaml(root.take()));
  }

  // What is not valid yet becomes a note: the file is written all the same, for a person to finish.
  void check(const std::string& yaml) {
    Surroundings any = Surroundings::empty();
    any.variable = [](const std::string& name) { return "https://" + name + ".example"; };
    any.read_file = [](const std::string&) -> Result<std::string> { return "{}"; };
    for (const Problem& problem : load_text(yaml, any).problems) {
      if (problem.severity != Severity::error) continue;
      draft_.note(
          {}, problem.path,
          fmt::format("to be finished in the result, line {}: {}", problem.line, problem.message));
    }
  }

  const YamlNode& root_;
  const std::string_view file_;
  Draft draft_;
  std::vector<DraftModel> tiers_;
  std::vector<FallbackWish> wishes_;
  std::vector<std::string> default_fallbacks_;
  YamlNode default_fallbacks_at_;
  const YamlNode* aliases_ = nullptr;
  std::optional<int64_t> attempts_;
  std::optional<int64_t> total_ms_;
  std::optional<int64_t> first_token_ms_;
  std::string log_level_;
  std::string master_key_;
  std::string retention_;
  bool capture_ = false;
};

}  // namespace

Result<Imported> import_litellm(std::string_view text, std::string_view file) {
  Problems problems;
  const YamlNode root = read_yaml(text, problems);
  if (problems.has_error()) {
    std::string message;
    for (const Problem& problem : problems.take()) {
      message += (message.empty() ? "" : "\n") + to_text(problem, file);
    }
    return fail(ErrorCode::invalid_argument, std::move(message));
  }
  const YamlNode* list = root.find("model_list");
  if (list == nullptr || list->kind != YamlNode::Kind::list) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("{}: expected a LiteLLM proxy configuration, which has a list named "
                            "model_list",
                            file));
  }
  return Import(root, file).run();
}

}  // namespace weir::app
