// Hedge: a second attempt beside one that takes longer to begin than nearly all do. Whichever sends
// first is relayed; the other is broken off and stands in the ledger as an attempt, billed by
// estimate. Only for calls that change nothing at the provider, only before the client has a byte,
// at most one a request and a share of the requests (HedgeRules). With only one usable deployment
// there is none.
#pragma once

#include <memory>
#include <optional>

#include "gateway/exchange.h"
#include "gateway/outgoing.h"
#include "gateway/relay.h"
#include "http/exchange.h"
#include "net/task.h"

namespace weir::gateway {

// What of an answer has come: its head, and the first piece of an event stream, which is valid
// until the next read.
struct Begun {
  std::optional<Result<const http::ResponseHead*>> head;
  std::optional<Result<std::string_view>> piece;

  // Whether it is worth relaying.
  bool good() const;
};

// The second attempt, where it was the one that began first. Its record is the Exchange's last.
struct Second {
  const provider::Deployment* deployment = nullptr;
  AttemptRecord record;
  std::unique_ptr<Outgoing> outgoing;
  http::ClientRequest request;
  std::unique_ptr<http::ClientExchange> upstream;
  std::optional<Error> not_connected;
  Begun begun;
  bool done = false;
};

// How long the first attempt is waited for before a second one is made; nothing where none may be.
std::optional<Nanoseconds> hedge_after(Exchange& x, const Outgoing& outgoing);

// Waits until the first attempt's answer begins, beside a second one where that takes longer than
// `after`. Gives the second where it won: the first one's record is then closed. Else null, and
// `first` holds what came; a second one that lost stands before the last record.
net::Task<std::unique_ptr<Second>> race(Exchange& x, http::ClientExchange& upstream,
                                        Nanoseconds after, Begun& first);

}  // namespace weir::gateway
