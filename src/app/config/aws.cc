#include "app/config/aws.h"

#include <fmt/format.h>

#include "base/text.h"

namespace weir::app {
namespace {

class Resolution {
 public:
  Resolution(Account& account, std::string path, Reader& reader)
      : account_(account), path_(std::move(path)), reader_(reader) {}

  void run() {
    if (account_.region.empty()) account_.region = variable("AWS_REGION");
    if (account_.region.empty()) account_.region = variable("AWS_DEFAULT_REGION");
    if (account_.region.empty()) {
      problem(ProblemCode::missing_field, "region",
              "accounts of bedrock need \"region\", such as us-east-1 (or AWS_REGION)");
    }
    const bool key_pair = !account_.access_key_id.empty() || !account_.secret_access_key.empty();
    const bool profile = !account_.profile.empty() || !account_.credentials_file.empty();
    if (static_cast<int>(!account_.api_key.empty()) + key_pair + profile > 1) {
      return problem(ProblemCode::conflict, "provider",
                     "one credential, please: api_key, or access_key_id, or profile");
    }
    if (key_pair) return use_key_pair();
    if (profile) return use_profile(true);
    if (account_.api_key.empty()) use_surroundings();
  }

 private:
  std::string variable(const std::string& name) {
    return reader_.surroundings().variable(name).value_or("");
  }

  void problem(ProblemCode code, std::string_view field, std::string message,
               Severity severity = Severity::error) {
    reader_.problem_at(code, fmt::format("{}.{}", path_, field), std::move(message), severity);
  }

  void use_key_pair() {
    if (account_.access_key_id.empty() || account_.secret_access_key.empty()) {
      return problem(ProblemCode::missing_field,
                     account_.access_key_id.empty() ? "access_key_id" : "secret_access_key",
                     "access_key_id and secret_access_key belong together");
    }
    account_.aws = {.access_key_id = account_.access_key_id,
                    .secret_access_key = account_.secret_access_key,
                    .session_token = account_.session_token};
  }

  std::string file() {
    if (!account_.credentials_file.empty()) return account_.credentials_file;
    std::string path = variable("AWS_SHARED_CREDENTIALS_FILE");
    if (path.empty()) path = variable("HOME") + "/.aws/credentials";
    return path;
  }

  // `asked`: the account names a profile or a file, which must be there then.
  void use_profile(bool asked) {
    std::string profile = account_.profile;
    if (profile.empty()) profile = variable("AWS_PROFILE");
    if (profile.empty()) profile = "default";
    const std::string path = file();
    const auto text = reader_.surroundings().read_file(path);
    if (!text) {
      if (asked) {
        problem(ProblemCode::missing_file, "credentials_file", std::string(text.error().message()),
                Severity::warning);
      }
      return;
    }
    auto found = profile_credentials(*text, profile);
    if (found) {
      account_.aws = std::move(*found);
    } else if (asked) {
      problem(ProblemCode::bad_value, "profile",
              fmt::format("{} has no profile \"{}\" with aws_access_key_id and "
                          "aws_secret_access_key",
                          path, profile),
              // As for a file: it may be there where Weir runs, and it does not start without.
              Severity::warning);
    }
  }

  void use_surroundings() {
    if (std::string token = variable("AWS_BEARER_TOKEN_BEDROCK"); !token.empty()) {
      account_.api_key = Secret(std::move(token));
      return;
    }
    const std::string id = variable("AWS_ACCESS_KEY_ID");
    std::string secret = variable("AWS_SECRET_ACCESS_KEY");
    if (!id.empty() && !secret.empty()) {
      account_.aws = {.access_key_id = id,
                      .secret_access_key = Secret(std::move(secret)),
                      .session_token = Secret(variable("AWS_SESSION_TOKEN"))};
      return;
    }
    use_profile(false);
    // With an endpoint of one's own (a simulator, another gateway) there may be no credential.
    if (!account_.aws.empty() || !account_.endpoint.empty()) return;
    problem(ProblemCode::missing_field, "provider",
            "accounts of bedrock need a credential: api_key, or access_key_id and "
            "secret_access_key, or profile; or the environment's AWS_BEARER_TOKEN_BEDROCK, "
            "AWS_ACCESS_KEY_ID or AWS_PROFILE. This version does not fetch the roles of instances "
            "and web identities (STS) itself");
  }

  Account& account_;
  const std::string path_;
  Reader& reader_;
};

}  // namespace

void resolve_aws(Config& config, Reader& reader) {
  for (size_t i = 0; i < config.accounts.size(); ++i) {
    Account& account = config.accounts[i];
    std::string path = fmt::format("accounts[{}]", i);
    if (account.provider != Provider::bedrock || reader.has_problem(path + ".provider")) continue;
    Resolution(account, std::move(path), reader).run();
  }
}

std::optional<http::AwsCredentials> profile_credentials(std::string_view text,
                                                        std::string_view profile) {
  http::AwsCredentials found;
  bool inside = false;
  for (const std::string_view raw : split(text, '\n')) {
    const std::string_view line = trim(raw);
    if (line.empty() || line.front() == '#' || line.front() == ';') continue;
    if (line.front() == '[') {
      inside = line.back() == ']' && trim(line.substr(1, line.size() - 2)) == profile;
      continue;
    }
    const size_t equals = line.find('=');
    if (!inside || equals == std::string_view::npos) continue;
    const std::string_view name = trim(line.substr(0, equals));
    const std::string value(trim(line.substr(equals + 1)));
    if (name == "aws_access_key_id") found.access_key_id = value;
    if (name == "aws_secret_access_key") found.secret_access_key = Secret(value);
    if (name == "aws_session_token") found.session_token = Secret(value);
  }
  if (found.access_key_id.empty() || found.secret_access_key.empty()) return std::nullopt;
  return found;
}

}  // namespace weir::app
