// Recall: the state of the Responses API for providers that have none. An answer that Weir made by
// translation, to a request whose `store` is not false, is kept under its id together with the
// conversation that led to it: the items of `input`, those of the answers before included. A later
// `previous_response_id` is replaced by these items before anything else looks at the request;
// GET, DELETE, input_items and cancel of /v1/responses/{id} are answered from what is kept.
//
// Only the key that asked, or one of its team, may refer to it; to others it does not exist. With
// `state.responses: false` nothing is kept. Limits: kRecalledBytesMax of a request with its
// history; the rest is state::Keeper's.
#pragma once

#include "base/json/document.h"
#include "gateway/exchange.h"
#include "net/task.h"
#include "state/record.h"

namespace weir::gateway {

inline constexpr size_t kRecalledBytesMax = 64ULL << 20;

// After take_pin: whether the request goes on from an answer that may be kept here.
bool may_continue(const Exchange& x);
// Where it may: puts the conversation in the place of `previous_response_id`. False, refused: it is
// not this key's, or could not be read.
net::Task<bool> recall(Exchange& x);

// Keeps an answer, before the client has the last of it.
void remember_response(Exchange& x, json::Value response);

// Answers a request below /v1/responses/{id} whose answer Weir keeps. False: it does not.
net::Task<bool> answer_kept_response(Exchange& x);

// What recalling consists of, for references.h too. The first is who asks; the refusals give false,
// and so does a new body that cannot be read.
state::Owner owner_of(const Exchange& x);
bool refuse_unreadable(Exchange& x);
bool refuse_recalled_too_large(Exchange& x);
bool replace_body(Exchange& x, std::string body);

}  // namespace weir::gateway
