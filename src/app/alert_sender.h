// AlertSender: delivers alerts of budgets and anomalies to the configured webhook, one at a time,
// by a signed POST. What is not answered with 2xx within kTimeout is tried again, later and later,
// and given up after kAttemptsMax attempts; the messages wait in the AlertBook, so a restart
// forgets none. On the control plane's loop.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "app/config/config.h"
#include "http/client.h"
#include "ledger/alerts.h"
#include "net/loop.h"
#include "net/task.h"

namespace weir::app {

// What x-weir-signature holds: "v1=" and the HMAC-SHA256, in hex, of "<timestamp>.<body>".
std::string alert_signature(const Secret& secret, std::string_view timestamp,
                            std::string_view body);

class AlertSender {
 public:
  static constexpr Milliseconds kTimeout{10'000};
  static constexpr Milliseconds kRetryFirst{1'000};
  static constexpr Milliseconds kRetryMost{600'000};
  static constexpr uint32_t kAttemptsMax = 14;  // about an hour and a half

  // All outlive it.
  AlertSender(net::Loop& loop, http::Client& client, ledger::AlertBook& book);

  // From the next attempt on; none: nobody is told.
  void set_webhook(std::optional<AlertWebhook> webhook) { webhook_ = std::move(webhook); }
  bool has_webhook() const { return webhook_.has_value(); }
  // Begins to deliver what is due, unless it does so already.
  void poke();

 private:
  static net::Task<void> run(AlertSender& self);
  net::Task<Result<void>> deliver(const AlertWebhook& webhook, const ledger::Alert& alert);
  void settle(const ledger::Alert& alert, const Result<void>& delivered);

  net::Loop& loop_;
  http::Client& client_;
  ledger::AlertBook& book_;
  std::optional<AlertWebhook> webhook_;
  bool running_ = false;
  net::TaskGroup tasks_;
};

}  // namespace weir::app
