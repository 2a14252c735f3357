// Access tokens for accounts that log in with OAuth: Microsoft Entra client credentials (RFC 6749
// §4.4) and Google service accounts (RFC 7523, a JWT signed with RS256). The control thread keeps
// every account's token fresh; requests only read TokenSlot. One fetch per account at a time.
//
// TokenKeeper lives on the control thread's loop. Limits: answers of 64 KiB, one attempt every
// kRetryFirst..kRetryMost while fetching fails.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/secret.h"
#include "http/client.h"
#include "net/loop.h"
#include "net/task.h"
#include "provider/account.h"

namespace weir::provider {

// How one account logs in.
struct TokenSource {
  enum class Kind : uint8_t { entra, google_service_account };
  Kind kind = Kind::entra;
  std::string url;        // the token endpoint, whole
  std::string client_id;  // entra
  Secret client_secret;   // entra
  std::string scope;
  std::string client_email;    // google
  Secret private_key_pem;      // google
  std::string private_key_id;  // google
};

// Reads a Google service account's JSON key file's text. `token_endpoint` overrides its token_uri.
Result<TokenSource> parse_service_account(std::string_view json, std::string_view token_endpoint);

// The form body of the token request. Google's carries a JWT for `wall_ms`, valid for an hour.
Result<std::string> token_request_body(const TokenSource& source, int64_t wall_ms);

struct AccessToken {
  Secret value;
  Milliseconds lifetime{0};
};
// Reads {"access_token":...,"expires_in":...}; the error says what the endpoint said.
Result<AccessToken> parse_token_reply(int status, std::string_view body);

class TokenKeeper {
 public:
  static constexpr Milliseconds kRetryFirst{1'000};
  static constexpr Milliseconds kRetryMost{60'000};
  static constexpr Milliseconds kTimeout{10'000};
  static constexpr Milliseconds kRefusedPoll{1'000};  // how soon a 401 leads to a fresh token

  struct Entry {
    std::string account;
    TokenSource source;
    std::shared_ptr<AccountState> state;
  };
  // Told about every fetch: the account's name and the error, or nullptr when it went well.
  using OnFetch = std::function<void(std::string_view account, const Error* error)>;

  TokenKeeper(net::Loop& loop, http::Client& client, OnFetch on_fetch);
  ~TokenKeeper();

  // Starts keeping these accounts' tokens and stops keeping all others. Accounts whose state is
  // already kept go on with the token they have.
  void keep(std::vector<Entry> entries);
  // Whether every kept account has a token.
  bool ready() const;

 private:
  class Keeping;
  net::Loop& loop_;
  http::Client& client_;
  OnFetch on_fetch_;
  std::vector<std::shared_ptr<Keeping>> kept_;
};

}  // namespace weir::provider
