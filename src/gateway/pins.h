// Pins: a stored response, a conversation, a file, a batch, encrypted reasoning exist only in the
// account that made them. The ids in an answer are remembered with the deployment's account, and a
// later request that holds one of them goes to that account or nowhere. An id that nobody
// remembers changes nothing. Worker's thread; the memory itself is state::PinTable.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json/document.h"
#include "gateway/exchange.h"

namespace weir::gateway {

// Ids of one answer or request that are looked at, at most.
inline constexpr size_t kPinsPerMessage = 256;

// Endpoints whose answers name what the account keeps.
bool keeps_state(const Exchange& x);

// After read: looks for ids that are pinned and sets Exchange::pinned. False, refused: the account
// is not configured any more.
bool take_pin(Exchange& x);

// The ids in an answer (status 2xx) of the current deployment's account. Before the answer's bytes
// go out, so that the client's next call finds them.
void learn_pins(Exchange& x, json::Value answer);
// Messages of Anthropic's whose tools run code: whether the answer may name a container and files,
// which then exist in that account alone; and the ids of an answer or of an event of its stream.
bool may_make_container(const Exchange& x);
void learn_container(Exchange& x, json::Value value);
// A DELETE was answered: what the path named is gone.
void forget_pins(Exchange& x);

// The ids in a request, the ones that bind most strongly first. Pure.
std::vector<std::string> ids_in_path(std::string_view path);
std::vector<std::string> ids_in_request(dialect::Dialect dialect, json::Value root);
// The ids in an answer. Pure.
std::vector<std::string> ids_in_answer(json::Value root);

}  // namespace weir::gateway
