// References: items of the Responses API that a client names by their ids instead of sending them
// again (`item_reference`), where Weir keeps the answer that they stand in (recall.h): the AI SDK
// does so with every turn. Each is put into the request in full, so that any provider can go on
// with it; one that is not kept here, or is another key's, stays and is the provider's to know.
// Limits: kReferredResponsesMax answers that one request refers to, and kRecalledBytesMax.
#pragma once

#include "gateway/exchange.h"
#include "net/task.h"

namespace weir::gateway {

inline constexpr size_t kReferredResponsesMax = 256;

// Whether there may be any, at the price of a scan.
bool may_refer(const Exchange& x);
// False, refused: the request would be too large, or the store could not be read.
net::Task<bool> fill_references(Exchange& x);

}  // namespace weir::gateway
