#include "fleet/mirror.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/log.h"
#include "fleet/bytes.h"
#include "net/timer.h"

namespace weir::fleet {
namespace {

constexpr Nanoseconds kPostTimeout = std::chrono::seconds(10);
constexpr Nanoseconds kPause = std::chrono::seconds(1);  // after a failure

}  // namespace

Mirror::Mirror(net::Loop& loop, http::Client& client, Fleet& fleet, MirrorOptions options,
               uint64_t stream_id)
    : loop_(loop),
      client_(client),
      fleet_(fleet),
      options_(std::move(options)),
      stream_id_(stream_id),
      wake_(loop),
      tasks_(loop) {}

void Mirror::start() {
  tasks_.spawn(run());
}

void Mirror::collect() {
  std::string fresh = writer_.take();
  if (needs_snapshot_ || waiting_.size() + fresh.size() > kWaitingMost) {
    // A snapshot will hold all of this.
    if (!needs_snapshot_) {
      stats_.dropped_bytes += waiting_.size() + fresh.size();
      log::warn("fleet_mirror_behind", {{"standby", options_.origin.to_text()},
                                        {"bytes", waiting_.size() + fresh.size()}});
    }
    offset_ += waiting_.size() + fresh.size();
    waiting_.clear();
    needs_snapshot_ = true;
    return;
  }
  waiting_ += fresh;
}

void Mirror::flush() {
  collect();
  wake_.set();
}

net::Task<int> Mirror::post(std::string_view method, std::string_view bytes, uint64_t offset) {
  ++stats_.posts;
  std::string head(kOpsMagic);
  put_number(head, stream_id_);
  put_number(head, offset);
  http::RequestBuilder builder(method, options_.prefix + "/v1/fleet/mirror",
                               http::host_field(options_.origin));
  builder.header("content-type", kMirrorType);
  if (!options_.token.empty())
    builder.header("authorization", fmt::format("Bearer {}", options_.token.reveal()));
  const std::array<std::string_view, 2> pieces = {head, bytes};
  http::ClientRequest request;
  request.head = builder.text();
  request.body = pieces;
  auto exchange = co_await client_.start(options_.origin, request);
  if (!exchange) co_return 0;
  net::Timer timer(loop_, [&exchange] {
    (*exchange)->cancel(Error(ErrorCode::timeout, "the standby does not answer"));
  });
  timer.arm(kPostTimeout);
  const auto response = co_await (*exchange)->response();
  if (!response) co_return 0;
  const int status = (*response)->status;
  while (true) {
    const auto piece = co_await (*exchange)->read_body();
    if (!piece || piece->empty()) break;
  }
  if (status / 100 == 2) stats_.sent_bytes += bytes.size();
  co_return status;
}

net::Task<void> Mirror::run() {
  while (true) {
    int status = 0;
    if (needs_snapshot_) {
      collect();
      std::string state;
      fleet_.save(state, true);
      needs_snapshot_ = false;
      ++stats_.snapshots;
      status = co_await post("PUT", state, offset_);
      if (status != 200) needs_snapshot_ = true;
    } else if (!waiting_.empty()) {
      // A copy: more is added, and a drop may clear it, while this is under way.
      const uint64_t at = offset_;
      const std::string some = waiting_.substr(0, kPostMost);
      status = co_await post("POST", some, at);
      if (status == 200 && offset_ == at) {
        waiting_.erase(0, some.size());
        offset_ += some.size();
      }
      if (status == 409) needs_snapshot_ = true;
    } else {
      wake_.reset();
      co_await wake_.wait();
      continue;
    }
    const bool fine = status == 200;
    if (fine != stats_.in_step) {
      log::info(fine ? "fleet_mirror_in_step" : "fleet_mirror_out_of_step",
                {{"standby", options_.origin.to_text()}, {"status", status}});
      stats_.in_step = fine;
    }
    if (fine || status == 409) continue;
    ++stats_.failures;
    co_await net::sleep(loop_, kPause);
  }
}

}  // namespace weir::fleet
