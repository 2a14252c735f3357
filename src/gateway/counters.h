// Counters of one worker: plain numbers with one writer. The admin side reads them by asking the
// worker for a copy (a posted message), so no counter is ever shared between threads.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "ledger/row.h"
#include "observe/histogram.h"
#include "provider/failure.h"

namespace weir::gateway {

inline constexpr size_t kFailureClasses = 16;
inline constexpr size_t kOutcomes = 5;

// What became of the provider's answer when its client left.
enum class AbortHandling : uint8_t {
  none,          // nothing was under way, or it was whole
  cancelled,     // broken off; the usage is estimated
  drained,       // read to its end; the usage is the provider's
  drain_capped,  // read on until a limit, or Weir's end; estimated
  drain_failed,  // read on until the provider broke off; estimated
};
inline constexpr size_t kAbortHandlings = 5;
std::string_view to_string(AbortHandling handling);  // drain.cc

// What a call of Weir's own came to (probe.h).
enum class ProbeEnd : uint8_t {
  answered,
  failed,   // as a sick deployment does
  unclear,  // refused, throttled or not sent: nothing is known
};
inline constexpr size_t kProbeEnds = 3;
std::string_view to_string(ProbeEnd end);  // probe.cc

// What one deployment did for this worker, by Deployment::slot.
struct DeploymentCounters {
  std::array<uint64_t, kFailureClasses> attempts{};  // by FailureClass; none = answered
  uint64_t tokens_input = 0;
  uint64_t tokens_cache_read = 0;
  uint64_t tokens_output = 0;
  int64_t cost_nano = 0;
  uint64_t unpriced = 0;
  std::array<uint64_t, kProbeEnds> probes{};  // Weir's own calls, by ProbeEnd
  int64_t probe_cost_nano = 0;                // of the cost above, theirs
  observe::Histogram first_token_s;
  observe::Histogram duration_s;
};

// Requests for one model, by Model::slot.
struct ModelCounters {
  std::array<uint64_t, kOutcomes> requests{};  // by ledger::Outcome
  uint64_t retries = 0;
  uint64_t retries_refused = 0;  // the retry budget was spent
  uint64_t fallbacks = 0;
};

struct Counters {
  std::vector<DeploymentCounters> deployments;
  std::vector<ModelCounters> models;
  std::array<uint64_t, 6> statuses{};  // answers by status class; [0]: none was sent
  uint64_t refused_keys = 0;
  uint64_t refused_limits = 0;  // our own 429 and budget answers
  uint64_t refused_memory = 0;  // bodies_bytes_max reached
  uint64_t client_aborts = 0;
  std::array<uint64_t, kAbortHandlings> aborts{};  // aborted requests by AbortHandling
  uint64_t drains_running = 0;                     // gauge
  uint64_t drains_refused = 0;                     // Worker::kDrainsMax reached: cancelled instead
  uint64_t ledger_rows_dropped = 0;
  uint64_t requests_running = 0;    // gauge
  uint64_t body_bytes_held = 0;     // gauge: buffered request and reply bodies
  uint64_t pins_followed = 0;       // requests that went to the account of an id in them
  uint64_t pins_lost = 0;           // ... whose account is not configured any more
  uint64_t responses_recalled = 0;  // requests continued from a response that Weir keeps
  uint64_t batches_settled = 0;     // whose cost was put on the ledger
  uint64_t captures_cut = 0;        // bodies longer than capture.bytes_max

  DeploymentCounters& deployment(uint32_t slot) {
    if (slot >= deployments.size()) deployments.resize(slot + 1);
    return deployments[slot];
  }
  ModelCounters& model(uint32_t slot) {
    if (slot >= models.size()) models.resize(slot + 1);
    return models[slot];
  }
};

}  // namespace weir::gateway
