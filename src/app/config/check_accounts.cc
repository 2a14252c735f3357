#include <fmt/format.h>

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "app/config/check.h"

namespace weir::app {
namespace {

// Which providers know a field that not all of them know.
struct Belongs {
  std::string_view field;
  bool (*is_set)(const Account& account);
  std::vector<Provider> providers;
};

const std::vector<Belongs>& belongings() {
  static const std::vector<Belongs> table{
      {"api_version",
       [](const Account& a) { return !a.api_version.empty(); },
       {Provider::azure_openai, Provider::anthropic}},
      {"entra", [](const Account& a) { return a.entra.has_value(); }, {Provider::azure_openai}},
      {"project", [](const Account& a) { return !a.project.empty(); }, {Provider::vertex_ai}},
      {"location", [](const Account& a) { return !a.location.empty(); }, {Provider::vertex_ai}},
      {"service_account",
       [](const Account& a) { return !a.service_account.empty(); },
       {Provider::vertex_ai}},
      {"token_endpoint",
       [](const Account& a) { return !a.token_endpoint.empty(); },
       {Provider::vertex_ai, Provider::azure_openai}},
      {"region", [](const Account& a) { return !a.region.empty(); }, {Provider::bedrock}},
      {"access_key_id",
       [](const Account& a) { return !a.access_key_id.empty(); },
       {Provider::bedrock}},
      {"secret_access_key",
       [](const Account& a) { return !a.secret_access_key.empty(); },
       {Provider::bedrock}},
      {"session_token",
       [](const Account& a) { return !a.session_token.empty(); },
       {Provider::bedrock}},
      {"profile", [](const Account& a) { return !a.profile.empty(); }, {Provider::bedrock}},
      {"credentials_file",
       [](const Account& a) { return !a.credentials_file.empty(); },
       {Provider::bedrock}},
      {"organization",
       [](const Account& a) { return !a.organization.empty(); },
       {Provider::openai, Provider::openai_compatible}},
  };
  return table;
}

class AccountCheck {
 public:
  AccountCheck(const Account& account, std::string path, Reader& reader)
      : account_(account), path_(std::move(path)), reader_(reader) {}

  void run() {
    if (reader_.has_problem(path_ + ".provider")) return;  // what else it needs is not known
    check_belongings();
    switch (account_.provider) {
      case Provider::openai:
      case Provider::anthropic:
      case Provider::gemini:
        // With an endpoint of one's own (a simulator, another gateway) there may be no key.
        if (account_.endpoint.empty()) need("api_key", account_.api_key.empty());
        break;
      case Provider::azure_openai:
        check_azure();
        break;
      case Provider::vertex_ai:
        need("project", account_.project.empty());
        need("location", account_.location.empty());
        need("service_account", account_.service_account.empty());
        break;
      case Provider::openai_compatible:
        need("endpoint", account_.endpoint.empty());
        break;
      case Provider::bedrock:
        break;  // resolve_aws() has said it
    }
    check_files();
    check_transport();
  }

 private:
  void problem(ProblemCode code, std::string_view field, std::string message,
               Severity severity = Severity::error) {
    reader_.problem_at(code, fmt::format("{}.{}", path_, field), std::move(message), severity);
  }

  void need(std::string_view field, bool absent) {
    if (!absent) return;
    problem(ProblemCode::missing_field, field,
            fmt::format("accounts of {} need \"{}\"", to_string(account_.provider), field));
  }

  void check_belongings() {
    for (const Belongs& row : belongings()) {
      if (!row.is_set(account_)) continue;
      bool fits = false;
      std::vector<std::string_view> names;
      for (const Provider provider : row.providers) {
        fits = fits || provider == account_.provider;
        names.push_back(to_string(provider));
      }
      if (fits) continue;
      problem(ProblemCode::conflict, row.field,
              fmt::format("this field is for {} accounts; this one is {}",
                          fmt::join(names, " and "), to_string(account_.provider)));
    }
  }

  void check_azure() {
    need("endpoint", account_.endpoint.empty());
    if (!account_.entra) {
      need("api_key", account_.api_key.empty());
    } else if (!account_.api_key.empty()) {
      problem(ProblemCode::conflict, "entra", "either api_key or entra, not both");
    }
  }

  void check_files() {
    for (const auto& [field, path] : {std::pair{"service_account", &account_.service_account},
                                      std::pair{"tls.ca_file", &account_.tls.ca_file}}) {
      if (path->empty()) continue;
      const auto content = reader_.surroundings().read_file(*path);
      if (content) continue;
      problem(ProblemCode::missing_file, field, std::string(content.error().message()),
              Severity::warning);
    }
  }

  // A credential that travels unprotected to another machine.
  void check_transport() {
    const std::string_view endpoint = account_.endpoint;
    const bool local = endpoint.starts_with("http://127.") ||
                       endpoint.starts_with("http://localhost") ||
                       endpoint.starts_with("http://[::1]");
    if (endpoint.starts_with("http://") && !local &&
        (!account_.api_key.empty() || account_.entra)) {
      problem(ProblemCode::conflict, "endpoint",
              "http sends the credential readable over the network; use https", Severity::warning);
    }
    if (!account_.tls.verify) {
      problem(ProblemCode::conflict, "tls.verify",
              "any machine on the way can read and change what is sent", Severity::warning);
    }
  }

  const Account& account_;
  const std::string path_;
  Reader& reader_;
};

}  // namespace

void check_accounts(const Config& config, Reader& reader) {
  for (size_t i = 0; i < config.accounts.size(); ++i) {
    AccountCheck(config.accounts[i], fmt::format("accounts[{}]", i), reader).run();
  }
}

}  // namespace weir::app
