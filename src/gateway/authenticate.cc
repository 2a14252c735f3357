#include "gateway/stages.h"

namespace weir::gateway {

using dialect::ApiErrorType;

bool authenticate(Exchange& x) {
  const Snapshot& snapshot = *x.snapshot;
  const std::string_view key = presented_key(x.client.head());
  if (!snapshot.keys_required) {
    // No key is configured: everybody who can connect is served, whatever key an SDK insists on.
    x.principal = snapshot.anonymous.get();
    return true;
  }
  const auto answer = snapshot.keys.find(key, x.start_ms);
  x.principal = answer.principal;
  if (x.principal != nullptr) return true;
  ++x.worker.counters.refused_keys;
  using Refusal = access::KeyTable::Refusal;
  if (answer.refusal == Refusal::missing) {
    return refuse(x, ApiErrorType::authentication, 401, "missing_api_key",
                  "No API key was given. Send a Weir key as \"Authorization: Bearer ...\", "
                  "x-api-key, api-key or x-goog-api-key.");
  }
  if (answer.refusal == Refusal::expired) {
    return refuse(x, ApiErrorType::authentication, 401, "expired_api_key",
                  "This API key has expired. Ask whoever runs Weir for a new one.");
  }
  return refuse(x, ApiErrorType::authentication, 401, "invalid_api_key",
                "Weir does not know this API key. It takes keys that were made by Weir, not the "
                "provider's own.");
}

}  // namespace weir::gateway
