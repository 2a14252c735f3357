// Affinity: what a request shares with earlier ones, so that it may go where a provider's prompt
// cache is warm. A session that the request names (a header, prompt_cache_key, user), else the
// first bytes of its prompt: instructions, tools, messages. Only bytes at the front are hashed, a
// few KiB; a prompt shorter than that is in no provider's cache. Pure.
#pragma once

#include "gateway/exchange.h"

namespace weir::gateway {

// What is hashed of a prompt's beginning: about the 1,024 tokens from which on providers cache.
inline constexpr size_t kPrefixBytes = 4096;

AffinityKeys affinity_of(const Exchange& x, const AffinityRules& rules);

}  // namespace weir::gateway
