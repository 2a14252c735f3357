// The standby's end of a mirror: a snapshot, then ops in order. While the primary speaks, the
// standby judges nothing by itself and takes no samples from others; after kTakeOver of silence it
// goes on alone, until a primary is heard again.
#include "base/log.h"
#include "fleet/api.h"
#include "fleet/bytes.h"
#include "fleet/mirror.h"

namespace weir::fleet {
namespace {

struct Head {
  uint64_t stream = 0;
  uint64_t offset = 0;
  std::string_view rest;
};

Result<Head> read_head(Api& api, const std::string& body) {
  if (!api.options.standby)
    return fail(ErrorCode::permission_denied, "this fleet is not configured as a standby");
  if (!std::string_view(body).starts_with(kOpsMagic) || body.size() < kMirrorHeadBytes)
    return fail(ErrorCode::invalid_argument, "expected the ops of a fleet of this version");
  Taker in(std::string_view(body).substr(kOpsMagic.size()));
  Head head;
  head.stream = in.number<uint64_t>();
  head.offset = in.number<uint64_t>();
  head.rest = in.left();
  return head;
}

void follow(Api& api) {
  if (!api.ticker.paused()) log::info("fleet_standby_follows");
  api.ticker.pause(true);
  api.standby.take_over.arm(StandbyState::kTakeOver);
}

}  // namespace

net::Task<Result<Reply>> put_mirror(Api& api, Call& call) {
  WEIR_CO_TRY(const Head head, read_head(api, call.body));
  WEIR_CO_CHECK_OK(api.fleet.load(head.rest, true));
  api.standby.stream = head.stream;
  api.standby.offset = head.offset;
  api.standby.pending.clear();
  ++api.standby.snapshots;
  follow(api);
  co_return json_reply("{}");
}

net::Task<Result<Reply>> post_mirror(Api& api, Call& call) {
  WEIR_CO_TRY(const Head head, read_head(api, call.body));
  StandbyState& standby = api.standby;
  const bool next = standby.stream == head.stream && standby.offset == head.offset;
  const bool follows = api.ticker.paused();
  standby.pending += head.rest;
  // An op may be cut off by the end of a post: whole ones are applied, the rest waits.
  if (next && follows) {
    const uint32_t before = api.fleet.next_second();
    const size_t whole = whole_ops(standby.pending);
    const auto applied = apply_ops(std::string_view(standby.pending).substr(0, whole), api.fleet);
    standby.pending.erase(0, whole);
    if (applied) {
      standby.ops += *applied;
      standby.offset += head.rest.size();
      follow(api);
      if (api.fleet.next_second() != before) api.ticker.notify();
      co_return json_reply("{}");
    }
    log::error("fleet_standby_parted", {{"error", applied.error().message()}});
  }
  standby.stream = 0;
  standby.pending.clear();
  co_return json_reply(
      R"({"error":{"code":"needs_snapshot","message":"This standby has missed something."}})", 409);
}

StandbyState::StandbyState(net::Loop& loop, Ticker& ticker)
    : take_over(loop, [&ticker] {
        log::warn("fleet_standby_takes_over");
        ticker.pause(false);
      }) {}

}  // namespace weir::fleet
