// Credentials of Bedrock accounts: every source, their order, and what is said where one is
// missing.
#include "app/config/aws.h"

#include <gtest/gtest.h>

#include <map>

#include "app/config/load.h"

namespace weir::app {
namespace {

constexpr const char* kFile =
    "# comment\n[default]\naws_access_key_id = AKIDDEFAULT\naws_secret_access_key=sd\n\n"
    "[ work ]\r\naws_access_key_id=AKIDWORK\r\naws_secret_access_key = sw\r\n"
    "aws_session_token = tw==\r\n[half]\naws_access_key_id=AKIDHALF\n";

Loaded load(const std::string& members, std::map<std::string, std::string> environment,
            bool with_file = true) {
  Surroundings around = Surroundings::empty();
  around.variable = [environment](const std::string& name) -> std::optional<std::string> {
    const auto at = environment.find(name);
    return at == environment.end() ? std::nullopt : std::optional(at->second);
  };
  around.read_file = [with_file](const std::string& path) -> Result<std::string> {
    if (with_file && (path == "/h/u/.aws/credentials" || path == "/etc/aws")) return kFile;
    return fail(ErrorCode::not_found, "no file " + path);
  };
  return load_text("accounts:\n- {name: a, provider: bedrock, " + members + "}\n", around);
}

TEST(AwsCredentials, Sources) {
  const std::map<std::string, std::string> home = {{"HOME", "/h/u"}};
  const std::map<std::string, std::string> keys = {{"AWS_ACCESS_KEY_ID", "AKIDENV"},
                                                   {"AWS_SECRET_ACCESS_KEY", "se"},
                                                   {"AWS_SESSION_TOKEN", "te"},
                                                   {"HOME", "/h/u"},
                                                   {"AWS_REGION", "eu-west-1"}};
  auto bearer = keys;
  bearer["AWS_BEARER_TOKEN_BEDROCK"] = "token-of-bedrock";
  const struct {
    const char* name;
    std::string members;
    std::map<std::string, std::string> environment;
    const char* id;
    const char* secret;
    const char* token;
    const char* api_key;
    const char* region;
  } table[] = {
      {"own pair", "region: r, access_key_id: AKID, secret_access_key: s", keys, "AKID", "s", "",
       "", "r"},
      {"own pair with token",
       "region: r, access_key_id: AKID, secret_access_key: s, session_token: t", keys, "AKID", "s",
       "t", "", "r"},
      {"own key", "region: r, api_key: k", keys, "", "", "", "k", "r"},
      {"profile", "region: r, profile: work", home, "AKIDWORK", "sw", "tw==", "", "r"},
      {"file", "region: r, credentials_file: /etc/aws", {}, "AKIDDEFAULT", "sd", "", "", "r"},
      {"bearer of the environment", "region: r", bearer, "", "", "", "token-of-bedrock", "r"},
      {"keys of the environment", "endpoint: null", keys, "AKIDENV", "se", "te", "", "eu-west-1"},
      {"default profile", "region: r", home, "AKIDDEFAULT", "sd", "", "", "r"},
      {"none, at a simulator",
       "region: r, endpoint: 'http://127.0.0.1:1'",
       {},
       "",
       "",
       "",
       "",
       "r"},
  };
  for (const auto& row : table) {
    const Loaded loaded = load(row.members, row.environment);
    ASSERT_TRUE(loaded.config) << row.name << ": "
                               << (loaded.problems.empty() ? "" : loaded.problems[0].message);
    const Account& account = loaded.config->accounts[0];
    EXPECT_EQ(account.aws.access_key_id, row.id) << row.name;
    EXPECT_EQ(account.aws.secret_access_key.reveal(), row.secret) << row.name;
    EXPECT_EQ(account.aws.session_token.reveal(), row.token) << row.name;
    EXPECT_EQ(account.api_key.reveal(), row.api_key) << row.name;
    EXPECT_EQ(account.region, row.region) << row.name;
  }
}

TEST(AwsCredentials, Problems) {
  const std::map<std::string, std::string> home = {{"HOME", "/h/u"}};
  const struct {
    const char* name;
    std::string members;
    std::map<std::string, std::string> environment;
    ProblemCode code;
    const char* path;
  } table[] = {
      {"no region", "api_key: k", {}, ProblemCode::missing_field, "accounts[0].region"},
      {"nothing", "region: r", {}, ProblemCode::missing_field, "accounts[0].provider"},
      {"two", "region: r, api_key: k, profile: p", home, ProblemCode::conflict,
       "accounts[0].provider"},
      {"half a pair",
       "region: r, access_key_id: AKID",
       {},
       ProblemCode::missing_field,
       "accounts[0].secret_access_key"},
      {"unknown profile", "region: r, profile: other", home, ProblemCode::bad_value,
       "accounts[0].profile"},
      {"half a profile", "region: r, profile: half", home, ProblemCode::bad_value,
       "accounts[0].profile"},
      {"no file",
       "region: r, credentials_file: /nowhere",
       {},
       ProblemCode::missing_file,
       "accounts[0].credentials_file"},
  };
  for (const auto& row : table) {
    const Loaded loaded = load(row.members, row.environment);
    ASSERT_FALSE(loaded.problems.empty()) << row.name;
    EXPECT_EQ(loaded.problems[0].code, row.code) << row.name;
    EXPECT_EQ(loaded.problems[0].path, row.path) << row.name;
  }
}

}  // namespace
}  // namespace weir::app
