#include "provider/account.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "base/date.h"

namespace weir::provider {

std::string_view to_string(ProbeKind kind) {
  switch (kind) {
    case ProbeKind::completion:
      return "completion";
    case ProbeKind::list_models:
      return "list_models";
    case ProbeKind::off:
      return "off";
  }
  return {};
}

std::string_view to_string(OnAbort on_abort) {
  return on_abort == OnAbort::drain ? "drain" : "cancel";
}

std::string_view to_string(Kind kind) {
  switch (kind) {
    case Kind::openai:
      return "openai";
    case Kind::azure_openai:
      return "azure_openai";
    case Kind::anthropic:
      return "anthropic";
    case Kind::vertex_ai:
      return "vertex_ai";
    case Kind::gemini:
      return "gemini";
    case Kind::bedrock:
      return "bedrock";
    case Kind::openai_compatible:
      return "openai_compatible";
  }
  return "unknown";
}

namespace {

// Shorter ones are no secrets but would be found in ordinary words.
constexpr size_t kSecretBytesMin = 8;

void cross_out(std::string& text, std::string_view secret) {
  if (secret.size() < kSecretBytesMin) return;
  for (size_t at = text.find(secret); at != std::string::npos; at = text.find(secret, at)) {
    text.replace(at, secret.size(), "***");
  }
}

}  // namespace

std::string without_secrets(std::string text, const Account& account) {
  cross_out(text, account.api_key.reveal());
  if (account.auth == AuthKind::access_token) cross_out(text, account.state->token.get());
  cross_out(text, account.aws.secret_access_key.reveal());
  cross_out(text, account.aws.session_token.reveal());
  for (const auto& [name, value] : account.headers) cross_out(text, value);
  return text;
}

std::string clock_skew(const Account& account, const http::HeaderList& headers, int64_t wall_ms) {
  // Dates of headers are whole seconds; what is nearly too much is worth saying too.
  constexpr int64_t kWorthSaying = http::kSignatureSkewMaxMs - 60'000;
  const auto theirs = parse_http_date(headers.get("date"));
  if (account.auth != AuthKind::aws_signature || !theirs) return {};
  const int64_t ahead_ms = wall_ms - *theirs;
  if (std::abs(ahead_ms) < kWorthSaying) return {};
  return fmt::format(
      "; this machine's clock is {} seconds {} the provider's, which refuses signatures that are "
      "more than five minutes off: set the clock",
      std::abs(ahead_ms) / 1000, ahead_ms > 0 ? "ahead of" : "behind");
}

std::string TokenSlot::get() const {
  const Secret* token = current_.load(std::memory_order_acquire);
  return token == nullptr ? std::string() : std::string(token->reveal());
}

void TokenSlot::publish(Secret token, int64_t wall_ms) {
  std::erase_if(retired_, [&](const Retired& old) { return wall_ms - old.wall_ms > kGraceMs; });
  auto fresh = std::make_unique<const Secret>(std::move(token));
  current_.store(fresh.get(), std::memory_order_release);
  if (owner_) retired_.push_back({wall_ms, std::move(owner_)});
  owner_ = std::move(fresh);
}

}  // namespace weir::provider
