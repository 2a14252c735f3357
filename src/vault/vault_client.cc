#include "vault/vault_client.h"

#include <fmt/format.h>

#include <mutex>
#include <optional>

#include "base/encoding.h"
#include "base/json/document.h"
#include "http/client.h"
#include "net/dial_policy.h"
#include "net/loop.h"
#include "net/resolver.h"
#include "net/timer.h"
#include "net/tls.h"

namespace weir::vault {
namespace {

constexpr size_t kAnswerBytesMax = 1 << 20;

struct Asked {
  std::optional<Result<Secret>> answer;
};

Result<Secret> judge(int status, std::string body) {
  if (status >= 200 && status <= 299) return Secret(std::move(body));
  const ErrorCode code = status == 404   ? ErrorCode::not_found
                         : status == 403 ? ErrorCode::permission_denied
                                         : ErrorCode::unavailable;
  return fail(code, fmt::format("Vault answered {}", status));
}

net::Task<Result<Secret>> exchange(http::Client& client, const http::Origin& origin,
                                   std::string_view head, std::string_view body,
                                   std::unique_ptr<http::ClientExchange>& under_way) {
  const std::string_view pieces[] = {body};
  http::ClientRequest request{.head = head};
  if (!body.empty()) request.body = pieces;
  request.connect_timeout = kVaultTimeout;
  WEIR_CO_TRY(under_way, co_await client.start(origin, request));
  WEIR_CO_TRY(const http::ResponseHead* answer, co_await under_way->response());
  const int status = answer->status;
  std::string text;
  while (text.size() <= kAnswerBytesMax) {
    WEIR_CO_TRY(const std::string_view piece, co_await under_way->read_body());
    if (piece.empty()) co_return judge(status, std::move(text));
    text += piece;
  }
  co_return fail(ErrorCode::protocol_error, "Vault's answer is larger than 1 MiB");
}

net::Task<void> ask(net::Loop& loop, http::Client& client, const http::Origin& origin,
                    std::string_view head, std::string_view body, Asked& asked) {
  std::unique_ptr<http::ClientExchange> under_way;
  net::Timer patience(loop, [&under_way] {
    if (under_way) under_way->cancel({ErrorCode::timeout, "Vault does not answer"});
  });
  patience.arm(kVaultTimeout);
  asked.answer = co_await exchange(client, origin, head, body, under_way);
  loop.stop();
}

// A Vault that did not answer is not asked again at once: a configuration with many references
// waits for it once, not once for each.
class Away {
 public:
  bool is(const std::string& url, Nanoseconds now) {
    const std::lock_guard lock(mutex_);
    return url == url_ && now < until_;
  }
  void note(const std::string& url, Nanoseconds now) {
    const std::lock_guard lock(mutex_);
    url_ = url;
    until_ = now + kVaultTimeout;
  }

 private:
  std::mutex mutex_;
  std::string url_;
  Nanoseconds until_{0};
};

Away& away() {
  static Away one;
  return one;
}

}  // namespace

Result<Secret> ask_vault(const VaultAddress& vault, std::string_view method, std::string_view path,
                         std::string_view body) {
  std::string_view prefix;
  WEIR_TRY(const http::Origin origin, http::parse_origin(vault.url, &prefix));
  while (prefix.ends_with('/')) prefix.remove_suffix(1);
  std::string head =
      fmt::format("{} {}/v1/{} HTTP/1.1\r\nhost: {}\r\nx-vault-request: true\r\n", method, prefix,
                  percent_encode(path, "/"), http::host_field(origin));
  for (const std::string_view value : {vault.token.reveal(), std::string_view(vault.name_space)}) {
    if (value.find_first_of("\r\n") == value.npos) continue;
    return fail(ErrorCode::invalid_argument, "Vault's token has a line break");
  }
  if (!vault.token.empty()) head += fmt::format("x-vault-token: {}\r\n", vault.token.reveal());
  if (!vault.name_space.empty()) head += fmt::format("x-vault-namespace: {}\r\n", vault.name_space);
  if (!body.empty()) head += "content-type: application/json\r\n";

  SystemClock clock;
  if (away().is(vault.url, clock.monotonic())) {
    return fail(ErrorCode::timeout,
                fmt::format("Vault at {}: it did not answer a moment ago", origin.to_text()));
  }
  net::Loop loop(clock);
  WEIR_TRY(const auto resolver, net::CaresResolver::create(loop));
  WEIR_TRY(const auto tls, net::TlsClientContext::create({.ca_file = vault.ca_file}));
  net::SystemDialer dialer(loop, *resolver, *tls, net::inside_addresses());
  Asked asked;
  {
    http::Client client(loop, dialer);
    loop.spawn(ask(loop, client, origin, head, body, asked));
    loop.run();
    loop.destroy_tasks();
  }
  const Secret wiped(std::move(head));
  if (!asked.answer) return fail(ErrorCode::unavailable, "Vault was not asked");
  if (!*asked.answer) {
    const Error& error = asked.answer->error();
    if (error.code() == ErrorCode::timeout) away().note(vault.url, clock.monotonic());
    return fail(error.code(),
                fmt::format("Vault at {}: {}: {}", origin.to_text(), path, error.message()));
  }
  return std::move(*asked.answer);
}

Result<Secret> text_of_vault(const Secret& answer, std::string_view member) {
  json::Document document;
  if (document.parse(answer.reveal())) {
    if (auto text = document.root()["data"][member].as_string()) return Secret(std::move(*text));
  }
  return fail(ErrorCode::protocol_error, fmt::format("Vault's answer has no data.{}", member));
}

Result<Secret> read_vault_field(const VaultAddress& vault, std::string_view path,
                                std::string_view field) {
  WEIR_TRY(const Secret answer, ask_vault(vault, "GET", path, {}));
  json::Document document;
  if (document.parse(answer.reveal())) {
    const json::Value data = document.root()["data"];
    // Version 2 has the fields one level deeper, beside their metadata.
    const json::Value fields = data["metadata"].is_object() ? data["data"] : data;
    if (auto text = fields[field].as_string()) return Secret(std::move(*text));
  }
  return fail(ErrorCode::not_found, fmt::format("Vault: {} has no text \"{}\"", path, field));
}

}  // namespace weir::vault
