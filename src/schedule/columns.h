// Columns: everything kept per endpoint, as a structure of arrays so that an evaluation streams
// through memory. Endpoints of a group lie side by side; the slot of an endpoint may change, its id
// never does. About 170 bytes an endpoint, beside 224 of seconds still open (cells.h). One thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "schedule/course.h"

namespace weir::schedule {

// What latency means: of whole answers, to the first token, between tokens.
enum class Span : uint8_t { latency, ttft, itl };
inline constexpr size_t kSpans = 3;

// The latency test of one span at one endpoint.
struct SpanState {
  float evidence = 0;  // CUSUM of the standardized excess over own baseline and common movement
  float baseline = 0;  // usual ln(us), relative to the group's movement
  float variance = 1;  // of one request around it
  float shift = 0;     // excess of the last five seconds or so
};

// What the classic rules look at: totals of ten seconds, and errors in a row.
struct Window {
  uint32_t requests = 0;
  uint32_t errors = 0;
  float ln_sum = 0;  // of latencies, for the mean
  uint16_t consecutive = 0;
  uint8_t verdicts = 0;  // bit n: Detector n would cut
  uint8_t spare = 0;
};

struct Columns {
  std::vector<uint32_t> id;
  std::vector<uint32_t> host;
  std::vector<float> base;        // the operator's weight
  std::vector<float> rate;        // requests a second, smoothed over ten seconds
  std::vector<float> recent;      // requests of the last five seconds or so
  std::vector<float> recent_bad;  // errors among them
  std::vector<float> evidence;    // of the error test
  std::vector<float> silence;     // requests that should have ended since the last one did
  std::array<std::vector<SpanState>, kSpans> spans;
  std::vector<Window> window;
  std::vector<Course> course;
  std::vector<float> warm;      // seconds of slow start done; policy.warm_seconds and more is warm
  std::vector<float> throttle;  // capacity factors, each in (0, 1]
  std::vector<float> ceiling;   // the throttle at which it was refused last
  std::vector<float> balance;
  std::vector<float> burn;        // share of the rate-limit budget spent in a second
  std::vector<uint32_t> accuser;  // who first reported errors since the evidence was zero
  std::vector<uint16_t> accused_by_first;
  std::vector<uint16_t> accused_by_others;
  std::vector<uint16_t> learned;  // seconds that went into the baselines
  std::vector<uint16_t> budget;
  std::vector<uint16_t> published;
  std::vector<uint8_t> quantum;
  std::vector<uint8_t> flags;  // kBusy and the others below
  std::vector<uint8_t> reporters;

  template <class F>
  void each(const F& f) {
    f(id), f(host), f(base), f(rate), f(recent), f(recent_bad), f(evidence), f(silence);
    for (auto& span : spans) f(span);
    f(window), f(course), f(warm), f(throttle), f(ceiling), f(balance), f(burn), f(accuser);
    f(accused_by_first), f(accused_by_others), f(learned), f(budget), f(published), f(quantum);
    f(flags), f(reporters);
  }
};

// Flags of an endpoint.
inline constexpr uint8_t kBusy =
    1;  // something about its weight may move: the control law must look at it
inline constexpr uint8_t kPreheating = 2;  // weight 0 until its warm-up set has run
inline constexpr uint8_t kPinned = 4;
inline constexpr uint8_t kDisputed = 8;   // one reporter accuses it, the others do not
inline constexpr uint8_t kGrey = 16;      // the callers see errors, the endpoint does not
inline constexpr uint8_t kHeldBack = 32;  // a cut is wanted and a gate does not permit it
inline constexpr uint8_t kWarmed = 64;    // has finished a slow start, or needed none

}  // namespace weir::schedule
