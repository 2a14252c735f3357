#include "app/alert_sender.h"

#include <fmt/format.h>

#include <algorithm>

#include "access/hmac.h"
#include "base/log.h"
#include "http/head.h"
#include "net/timer.h"

namespace weir::app {

std::string alert_signature(const Secret& secret, std::string_view timestamp,
                            std::string_view body) {
  return "v1=" + access::hmac_sha256_hex(secret, fmt::format("{}.{}", timestamp, body));
}

AlertSender::AlertSender(net::Loop& loop, http::Client& client, ledger::AlertBook& book)
    : loop_(loop), client_(client), book_(book), tasks_(loop) {}

void AlertSender::poke() {
  if (running_ || !webhook_ || book_.counts().pending == 0) return;
  running_ = true;
  tasks_.spawn(run(*this));
}

net::Task<void> AlertSender::run(AlertSender& self) {
  while (self.webhook_) {
    const auto alert = self.book_.next(self.loop_.clock().wall_ms());
    if (!alert) {
      log::error("alerts_unreadable", {{"problem", alert.error().message()}});
      break;
    }
    if (!*alert) break;
    // Copied: a reload may replace it meanwhile.
    const AlertWebhook webhook = *self.webhook_;
    const auto delivered = co_await self.deliver(webhook, **alert);
    self.settle(**alert, delivered);
    // One that fails is not hammered with the others that wait.
    if (!delivered) break;
  }
  self.running_ = false;
}

net::Task<Result<void>> AlertSender::deliver(const AlertWebhook& webhook,
                                             const ledger::Alert& alert) {
  std::string_view path;
  auto origin = http::parse_origin(webhook.url, &path);
  if (!origin) co_return fail(std::move(origin).error());
  const std::string timestamp = fmt::format("{}", loop_.clock().wall_ms() / 1000);
  http::RequestBuilder head("POST", path.empty() ? "/" : path, http::host_field(*origin));
  head.header("content-type", "application/json");
  head.header("user-agent", "weir");
  head.header("x-weir-alert-id", fmt::format("{}", alert.id));
  head.header("x-weir-timestamp", timestamp);
  head.header("x-weir-signature", alert_signature(webhook.secret, timestamp, alert.body));
  const std::string_view pieces[] = {alert.body};
  http::ClientRequest request{.head = head.text(), .body = pieces};
  auto started = co_await client_.start(*origin, request);
  if (!started) co_return fail(std::move(started).error());
  http::ClientExchange& exchange = **started;
  net::Timer deadline(loop_, [&exchange] {
    exchange.cancel({ErrorCode::timeout, "the webhook did not answer within 10 s"});
  });
  deadline.arm(kTimeout);
  const auto response = co_await exchange.response();
  if (!response) co_return fail(response.error());
  const int status = (*response)->status;
  if (status >= 200 && status < 300) co_return Result<void>{};
  co_return fail(ErrorCode::unavailable, fmt::format("the webhook answered {}", status));
}

void AlertSender::settle(const ledger::Alert& alert, const Result<void>& delivered) {
  Result<void> written;
  if (delivered) {
    written = book_.sent(alert);
    log::info("budget_alert_sent", {{"alert", alert.id}});
  } else {
    const bool again = alert.attempts + 1 < kAttemptsMax;
    const Milliseconds wait =
        std::min(kRetryFirst * (int64_t{1} << std::min<uint32_t>(alert.attempts, 20)), kRetryMost);
    written = book_.failed(alert, again ? loop_.clock().wall_ms() + wait.count() : 0);
    log::warn(again ? "budget_alert_failed" : "budget_alert_given_up",
              {{"alert", alert.id},
               {"attempts", alert.attempts + 1},
               {"problem", delivered.error().message()}});
  }
  if (!written) log::error("alerts_unwritable", {{"problem", written.error().message()}});
}

}  // namespace weir::app
