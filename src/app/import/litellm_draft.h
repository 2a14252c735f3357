// The weir.yaml that the LiteLLM importer is making, between reading and writing: models with
// their deployments, accounts found so far, prices, notes. Used by litellm*.cc; one thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "app/config/yaml.h"
#include "app/import/litellm.h"

namespace weir::app {

struct DraftDeployment {
  std::string account;
  std::string model;
  std::string deployment;
  std::string base_model;
  std::string dialect;
  int64_t order = 1;             // LiteLLM serves from the lowest that works
  std::optional<double> weight;  // as LiteLLM weighs: by weight, else by rpm, else by tpm
  std::optional<double> rpm;
  std::optional<double> tpm;
};

struct DraftModel {
  std::string name;
  std::vector<DraftDeployment> deployments;
  std::vector<std::string> fallbacks;
  std::optional<int64_t> total_ms;
  std::optional<int64_t> first_token_ms;
  std::optional<int64_t> attempts;
};

struct DraftAccount {
  std::string name;
  std::string identity;  // equal for accounts that are the same
  YamlNode node;         // its fields but the name
};

class Draft {
 public:
  std::vector<DraftModel> models;
  std::vector<DraftAccount> accounts;
  std::vector<YamlNode> prices;

  void note(const YamlNode& at, std::string path, std::string message);
  // In the order of the file.
  std::vector<ImportNote> take_notes();

  DraftModel* find_model(std::string_view name);
  DraftModel& model(const std::string& name);
  // The account with these fields, made where there is none, named after `name`.
  std::string account(YamlNode fields, const std::string& identity, const std::string& name);

 private:
  std::set<std::string> account_names_;
  std::vector<ImportNote> notes_;
};

// "os.environ/NAME" becomes "${NAME}"; any other text stands for itself.
std::string litellm_text(const YamlNode& node);
// The text of a map's field by litellm_text, or empty.
std::string litellm_field(const YamlNode& map, std::string_view name);
// A number as LiteLLM writes it: "30", 0.5, "1e-6".
std::optional<double> litellm_number(const YamlNode* node);
// Seconds as milliseconds.
std::optional<int64_t> litellm_seconds(const YamlNode* node);
bool litellm_true(const YamlNode* node);

// model_list and credential_list, into models, accounts and prices.
void import_model_list(const YamlNode& root, Draft& draft);

}  // namespace weir::app
