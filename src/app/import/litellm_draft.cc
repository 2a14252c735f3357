#include "app/import/litellm_draft.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "app/config/schema.h"

namespace weir::app {
namespace {

constexpr std::string_view kEnvironment = "os.environ/";

std::string escape(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text.substr(i).starts_with("${")) out += '$';
    out += text[i];
  }
  return out;
}

}  // namespace

void Draft::note(const YamlNode& at, std::string path, std::string message) {
  ImportNote note{at.line, std::move(path), std::move(message)};
  const auto behind = [](const ImportNote& a, const ImportNote& b) { return a.line < b.line; };
  notes_.insert(std::upper_bound(notes_.begin(), notes_.end(), note, behind), std::move(note));
}

std::vector<ImportNote> Draft::take_notes() {
  return std::exchange(notes_, {});
}

DraftModel* Draft::find_model(std::string_view name) {
  for (DraftModel& model : models) {
    if (model.name == name) return &model;
  }
  return nullptr;
}

DraftModel& Draft::model(const std::string& name) {
  if (DraftModel* found = find_model(name)) return *found;
  models.push_back({});
  models.back().name = name;
  return models.back();
}

std::string Draft::account(YamlNode fields, const std::string& identity, const std::string& name) {
  for (const DraftAccount& account : accounts) {
    if (account.identity == identity) return account.name;
  }
  std::string unique = name;
  for (int i = 2; !account_names_.insert(unique).second; ++i)
    unique = fmt::format("{}-{}", name, i);
  accounts.push_back({unique, identity, std::move(fields)});
  return unique;
}

std::string litellm_text(const YamlNode& node) {
  if (node.kind != YamlNode::Kind::scalar) return {};
  const std::string_view text = node.text;
  if (!text.starts_with(kEnvironment)) return escape(text);
  return fmt::format("${{{}}}", text.substr(kEnvironment.size()));
}

std::string litellm_field(const YamlNode& map, std::string_view name) {
  const YamlNode* node = map.find(name);
  return node == nullptr ? std::string() : litellm_text(*node);
}

std::optional<double> litellm_number(const YamlNode* node) {
  if (node == nullptr || node->kind != YamlNode::Kind::scalar) return std::nullopt;
  double number = 0;
  const char* end = node->text.data() + node->text.size();
  const auto [at, error] = std::from_chars(node->text.data(), end, number);
  if (error != std::errc() || at != end || !std::isfinite(number) || number < 0)
    return std::nullopt;
  return number;
}

std::optional<int64_t> litellm_seconds(const YamlNode* node) {
  const std::optional<double> seconds = litellm_number(node);
  if (!seconds || *seconds <= 0 || *seconds > 86'400) return std::nullopt;
  return static_cast<int64_t>(std::llround(*seconds * 1'000));
}

bool litellm_true(const YamlNode* node) {
  if (node == nullptr || node->kind != YamlNode::Kind::scalar) return false;
  return node->text == "true" || node->text == "True" || node->text == "TRUE" ||
         node->text == "yes" || node->text == "on";
}

}  // namespace weir::app
