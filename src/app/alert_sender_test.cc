#include "app/alert_sender.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "http/server.h"
#include "net/memory_stream.h"
#include "store/temporary_directory.h"

namespace weir::app {
namespace {

using ledger::AlertBook;

// A webhook that answers with the statuses of a list, then with 200.
class AlertSenderTest : public testing::Test {
 protected:
  AlertSenderTest() {
    auto book = AlertBook::open(directory_.path());
    EXPECT_TRUE(book);
    book_.emplace(std::move(*book));
    sender_.emplace(loop_, client_, *book_);
    sender_->set_webhook(AlertWebhook{"http://hooks/budget?a=b", Secret("s3cret")});
    network_.listen("hooks", 80, [this](std::unique_ptr<net::MemoryStream> stream) {
      server_.serve_connection(std::move(stream));
    });
  }
  ~AlertSenderTest() override {
    sender_.reset();
    loop_.destroy_tasks();
  }

  net::Task<void> answer(http::ServerExchange& exchange) {
    std::string body;
    while (true) {
      auto piece = co_await exchange.read_body();
      if (!piece || piece->empty()) break;
      body += *piece;
    }
    bodies_.push_back(body);
    timestamps_.emplace_back(exchange.head().headers.get("x-weir-timestamp"));
    signatures_.emplace_back(exchange.head().headers.get("x-weir-signature"));
    const int status = statuses_.empty() ? 200 : statuses_.front();
    if (!statuses_.empty()) statuses_.erase(statuses_.begin());
    http::ResponseHead head;
    head.status = status;
    (void)co_await exchange.respond(head, "");
  }

  void reach(int64_t spent) {
    const ledger::BudgetStanding standing[] = {{.subject = "key/a",
                                                .rule = {.limit = Money::from_nano(100)},
                                                .spent = Money::from_nano(spent)}};
    ASSERT_TRUE(book_->watch(standing, loop_.clock().wall_ms(), true));
  }
  // As the control plane does, each second.
  void run_for(int seconds) {
    for (int i = 0; i < seconds; ++i) {
      sender_->poke();
      loop_.run_until_idle();
      loop_.advance(Milliseconds(1000));
      loop_.run_until_idle();
    }
  }

  ManualClock clock_;
  net::Loop loop_{clock_};
  net::MemoryNetwork network_{loop_};
  http::Client client_{loop_, network_};
  store::TemporaryDirectory directory_;
  std::optional<AlertBook> book_;
  http::Server server_{loop_, {}, [this](http::ServerExchange& x) { return answer(x); }};
  std::optional<AlertSender> sender_;
  std::vector<int> statuses_;
  std::vector<std::string> bodies_, timestamps_, signatures_;
};

TEST_F(AlertSenderTest, SignsAndDeliversEachOnce) {
  reach(85);
  run_for(3);
  ASSERT_EQ(bodies_.size(), 2u);
  EXPECT_THAT(bodies_[0], testing::HasSubstr(R"("subject":"key/a")"));
  EXPECT_EQ(signatures_[0], alert_signature(Secret("s3cret"), timestamps_[0], bodies_[0]));
  EXPECT_NE(signatures_[0], signatures_[1]);
  EXPECT_EQ(book_->counts().sent, 2u);
  EXPECT_EQ(book_->counts().pending, 0u);
}

TEST(AlertSignature, IsHmacSha256OfTimestampAndBody) {
  // openssl dgst -sha256 -hmac s3cret <<< '1795348800.{}' (without the line's end)
  EXPECT_EQ(alert_signature(Secret("s3cret"), "1795348800", "{}"),
            "v1=21b6ba9d97351e66d4d4e3f2904a5ecf88dae70e0deece633704f652a156049f");
}

TEST_F(AlertSenderTest, TriesAgainLaterAndLater) {
  statuses_ = {500, 503, 302};
  reach(50);
  run_for(1);
  EXPECT_EQ(bodies_.size(), 1u);
  run_for(1);
  EXPECT_EQ(bodies_.size(), 2u) << "after a second";
  run_for(1);
  EXPECT_EQ(bodies_.size(), 2u);
  run_for(1);
  EXPECT_EQ(bodies_.size(), 3u) << "after two more";
  run_for(4);
  EXPECT_EQ(bodies_.size(), 4u);
  EXPECT_EQ(book_->counts().sent, 1u);
  EXPECT_EQ(book_->counts().failed, 3u);
}

TEST_F(AlertSenderTest, GivesUpInTheEnd) {
  statuses_.assign(100, 500);
  reach(50);
  run_for(10'000);
  EXPECT_EQ(bodies_.size(), AlertSender::kAttemptsMax);
  EXPECT_EQ(book_->counts().given_up, 1u);
  EXPECT_EQ(book_->counts().pending, 0u);
}

TEST_F(AlertSenderTest, AWebhookThatDoesNotAnswerIsLeft) {
  network_.black_hole("hooks", 80);
  reach(50);
  run_for(8);
  EXPECT_GE(book_->counts().failed, 1u);
  EXPECT_EQ(book_->counts().pending, 1u);
}

}  // namespace
}  // namespace weir::app
