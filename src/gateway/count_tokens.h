// Counting the tokens of a request: each dialect has an endpoint that takes a request of its own
// form, with fewer members, and answers a number. Here is what these forms differ in. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/json/document.h"
#include "base/result.h"
#include "dialect/conversation.h"
#include "gateway/exchange.h"
#include "provider/account.h"

namespace weir::gateway {

// The request that is to be counted: Gemini's clients may wrap it.
json::Value counted_request(const Exchange& x);

// A whole request in the provider's dialect -> the body of its count.
Result<std::string> count_request(dialect::Dialect dialect, const provider::Deployment& deployment,
                                  std::string_view request);

// The number in a provider's answer. Errors: protocol_error.
Result<int64_t> read_count(dialect::Dialect dialect, json::Value answer);

// The answer for a client of that dialect.
std::string count_body(dialect::Dialect dialect, int64_t tokens);

}  // namespace weir::gateway
