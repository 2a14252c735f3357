#include "provider/token.h"

#include <fmt/format.h>

#include <algorithm>

namespace weir::provider {
namespace {

constexpr size_t kReplyBytesMax = 64 * 1024;
// A token is replaced when a tenth of its life is left, five minutes at the most.
constexpr Milliseconds kSkewMax{300'000};

Milliseconds refresh_after(Milliseconds lifetime) {
  return std::max(lifetime - std::min(lifetime / 10, kSkewMax), TokenKeeper::kRetryFirst);
}

net::Task<Result<AccessToken>> fetch_token(net::Loop& loop, http::Client& client,
                                           const TokenSource& source) {
  std::string_view path;
  auto origin = http::parse_origin(source.url, &path);
  if (!origin) co_return fail(std::move(origin).error());
  auto body = token_request_body(source, loop.clock().wall_ms());
  if (!body) co_return fail(std::move(body).error());

  http::RequestBuilder head("POST", path.empty() ? "/" : path, http::host_field(*origin));
  head.header("content-type", "application/x-www-form-urlencoded");
  head.header("accept", "application/json");
  const std::string_view pieces[] = {*body};
  http::ClientRequest request{.head = head.text(), .body = pieces};
  auto started = co_await client.start(*origin, request);
  if (!started) co_return fail(std::move(started).error());
  http::ClientExchange& exchange = **started;
  net::Timer deadline(loop, [&exchange] {
    exchange.cancel({ErrorCode::timeout, "the token endpoint did not answer within 10 s"});
  });
  deadline.arm(TokenKeeper::kTimeout);

  auto response = co_await exchange.response();
  if (!response) co_return fail(std::move(response).error());
  std::string reply;
  while (true) {
    auto piece = co_await exchange.read_body();
    if (!piece) co_return fail(std::move(piece).error());
    if (piece->empty()) break;
    reply += *piece;
    if (reply.size() > kReplyBytesMax) {
      co_return fail(ErrorCode::limit_exceeded, "the token endpoint's answer is over 64 KiB");
    }
  }
  co_return parse_token_reply((*response)->status, reply);
}

}  // namespace

// One account's token: fetched, published, and fetched again before it ends.
class TokenKeeper::Keeping {
 public:
  Keeping(TokenKeeper& keeper, Entry entry)
      : entry_(std::move(entry)),
        keeper_(keeper),
        tasks_(keeper.loop_),
        timer_(keeper.loop_, [this] { on_timer(); }) {
    fetch();
  }
  const Entry& entry() const { return entry_; }
  void replace_source(TokenSource source) { entry_.source = std::move(source); }
  bool ready() const { return !entry_.state->token.get().empty(); }

 private:
  void fetch() {
    fetching_ = true;
    tasks_.spawn(run(*this));
  }

  static net::Task<void> run(Keeping& self) {
    // The source is copied: a reload may replace it while the fetch is under way.
    const TokenSource source = self.entry_.source;
    const bool was_out = self.refused_ || !self.ready();
    self.refused_ = false;
    auto token = co_await fetch_token(self.keeper_.loop_, self.keeper_.client_, source);
    self.fetching_ = false;
    const Nanoseconds now = self.keeper_.loop_.now();
    if (token) {
      self.failures_ = 0;
      self.next_ = now + refresh_after(token->lifetime);
      self.entry_.state->token_refused.store(false, std::memory_order_relaxed);
      self.entry_.state->token.publish(std::move(token->value),
                                       self.keeper_.loop_.clock().wall_ms());
      // What parked the account was the token's lack or refusal: the new one deserves its trial.
      if (was_out) self.entry_.state->credential.open();
      self.keeper_.on_fetch_(self.entry_.account, nullptr);
    } else {
      const Milliseconds wait =
          std::min(kRetryFirst * (1 << std::min(self.failures_, 10)), kRetryMost);
      ++self.failures_;
      self.next_ = now + wait;
      self.keeper_.on_fetch_(self.entry_.account, &token.error());
    }
    self.timer_.arm(std::min<Nanoseconds>(kRefusedPoll, self.next_ - now));
  }

  void on_timer() {
    if (fetching_) return;
    const Nanoseconds now = keeper_.loop_.now();
    const bool refused =
        failures_ == 0 && entry_.state->token_refused.exchange(false, std::memory_order_relaxed);
    refused_ = refused;
    if (refused || now >= next_) return fetch();
    timer_.arm(std::min<Nanoseconds>(kRefusedPoll, next_ - now));
  }

  Entry entry_;
  TokenKeeper& keeper_;
  bool fetching_ = false;
  bool refused_ = false;  // the provider refused the token: that is why one is fetched
  int failures_ = 0;
  Nanoseconds next_{0};
  net::TaskGroup tasks_;
  net::Timer timer_;
};

TokenKeeper::TokenKeeper(net::Loop& loop, http::Client& client, OnFetch on_fetch)
    : loop_(loop), client_(client), on_fetch_(std::move(on_fetch)) {}

TokenKeeper::~TokenKeeper() = default;

void TokenKeeper::keep(std::vector<Entry> entries) {
  std::vector<std::shared_ptr<Keeping>> kept;
  for (Entry& entry : entries) {
    const auto old = std::find_if(kept_.begin(), kept_.end(), [&](const auto& keeping) {
      return keeping->entry().state == entry.state;
    });
    if (old != kept_.end()) {
      (*old)->replace_source(std::move(entry.source));
      kept.push_back(*old);
    } else {
      kept.push_back(std::make_shared<Keeping>(*this, std::move(entry)));
    }
  }
  kept_ = std::move(kept);
}

bool TokenKeeper::ready() const {
  return std::all_of(kept_.begin(), kept_.end(), [](const auto& kept) { return kept->ready(); });
}

}  // namespace weir::provider
