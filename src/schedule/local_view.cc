#include "schedule/local_view.h"

#include <algorithm>
#include <cmath>

namespace weir::schedule {
namespace {

constexpr uint32_t kInARow = 5;
constexpr uint32_t kUnreachableInARow = 3;
constexpr double kLeaseFirst = 2;  // seconds; the scheduler's own verdict comes in about so many
constexpr double kLeaseMost = 30;
constexpr double kPaceMemory = 5;       // seconds
constexpr double kProbingShare = 0.25;  // weights below this part of the largest are for evidence
constexpr double kBudgetMargin = 2;     // other clients spend from the same budget
constexpr double kRetryShare = 0.2;
constexpr double kRetriesMost = 20;
constexpr int kTries = 6;
constexpr double kRefresh = 0.25;   // seconds
constexpr double kGuardMost = 0.4;  // of the weight; with more it is not the endpoints
constexpr double kSamePace = 1.25;
constexpr size_t kFew = 3;  // of so few, one left is enough for the guard to stand

}  // namespace

LocalView::LocalView(uint32_t endpoints) : all_(endpoints), weights_(endpoints, 0) {}

void LocalView::use(std::span<const uint16_t> weights) {
  all_.resize(weights.size());
  for (size_t i = 0; i < weights_.size() && i < weights.size(); ++i) {
    // A weight rises by what everybody has seen, or an operator wants: worth a request to see.
    if (weights[i] > weights_[i]) all_[i].until = 0;
  }
  weights_.assign(weights.begin(), weights.end());
  picker_ = Picker(weights_);
  most_ = 0;
  whole_ = 0;
  for (const uint16_t w : weights_) {
    most_ = std::max(most_, w);
    whole_ += w;
  }
}

bool LocalView::avoided(uint32_t endpoint, double now) const {
  const Endpoint& e = all_[endpoint];
  return e.until > now || e.probing;
}

bool LocalView::Budget::holds(double now, double wanted) const {
  if (left < 0 || wanted <= 0) return true;
  const double still = std::min(limit, left + (now - left_at) * refill) - reserved;
  return still >= std::min(wanted * kBudgetMargin, limit);
}

bool LocalView::fits(const Endpoint& e, double now, double tokens) const {
  return e.budgets[0].holds(now, 1) && e.budgets[1].holds(now, tokens);
}

bool LocalView::usable(uint32_t endpoint, double now, double tokens, uint32_t avoid) const {
  return endpoint != avoid && passes(endpoint, now, tokens);
}

double LocalView::score(uint32_t endpoint, bool paced) const {
  const Endpoint& e = all_[endpoint];
  const double load = e.inflight * most_ / weights_[endpoint];
  if (!paced || e.pace == 0 || pace_ == 0) return load + 1;
  // Within a quarter of the usual, a difference of pace is luck.
  const double ratio = std::clamp(e.pace / pace_, 0.25, 8.0);
  const double factor = ratio > kSamePace ? ratio / kSamePace : std::min(1.0, ratio * kSamePace);
  return (load + 1) * factor;
}

// Now and then over all endpoints: their usual pace, and whether the guard still makes sense.
void LocalView::refresh(double now) {
  refreshed_ = now;
  double sum = 0;
  double known = 0;
  uint64_t avoided_weight = 0;
  size_t left = 0;
  for (uint32_t i = 0; i < all_.size(); ++i) {
    if (weights_[i] < kProbingShare * most_) continue;
    if (all_[i].pace > 0) {
      sum += std::log(all_[i].pace);
      ++known;
    }
    if (avoided(i, now))
      avoided_weight += weights_[i];
    else
      ++left;
  }
  pace_ = known > 0 ? std::exp(sum / known) : 0;
  guarded_ = static_cast<double>(avoided_weight) <= kGuardMost * static_cast<double>(whole_) ||
             (weights_.size() <= kFew && left > 0);
}

void LocalView::refresh_if_due(double now) {
  if (now - refreshed_ >= kRefresh) refresh(now);
}

uint32_t LocalView::better(uint32_t a, uint32_t b, bool paced) const {
  // What has little weight gets just its share: comparing would starve it of the evidence that
  // it needs, or drown it because it is idle.
  const double little = kProbingShare * most_;
  if (weights_[a] < little || weights_[b] < little) return a;
  return score(b, paced) < score(a, paced) ? b : a;
}

uint32_t LocalView::choose(uint32_t endpoint, double now) {
  Endpoint& e = all_[endpoint];
  // The lease has run out: this request is the probe, and no other until it is back.
  if (e.lease > 0 && e.until <= now) e.probing = true;
  return endpoint;
}

uint32_t LocalView::pick(uint64_t random, double now, double tokens, uint32_t avoid) {
  if (whole_ == 0) return kNothing;
  if (avoid == kNothing) retries_ = std::min(kRetriesMost, retries_ + kRetryShare);
  refresh_if_due(now);
  const bool paced = is_paced(random);
  uint32_t first = kNothing;
  for (int tries = 0; tries < kTries; ++tries) {
    const uint32_t a = picker_.draw(static_cast<uint32_t>(random));
    const uint32_t b = picker_.draw(static_cast<uint32_t>(random >> 32));
    if (first == kNothing) first = a;
    random = random * 0xD1342543DE82EF95ULL + 0x9E3779B97F4A7C15ULL;
    random ^= random >> 29;
    const bool use_a = usable(a, now, tokens, avoid);
    const bool use_b = usable(b, now, tokens, avoid);
    if (!use_a && !use_b) continue;
    if (!use_b || a == b) return choose(a, now);
    if (!use_a) return choose(b, now);
    return choose(better(a, b, paced), now);
  }
  // Nearly everything is avoided, so it is not the endpoints: the weights stand alone.
  if (first == avoid && weights_.size() > 1) {
    const uint32_t other = picker_.draw(static_cast<uint32_t>(random >> 32));
    if (other != avoid) return other;
  }
  return first;
}

void LocalView::learn_pace(Endpoint& e, double now, double pace) {
  const double memory = e.pace == 0 ? 0 : std::exp(-(now - e.pace_at) / kPaceMemory);
  // A single answer never counts for more than a fifth.
  const double keep = e.pace == 0 ? 0 : std::max(memory, 0.8);
  e.pace = e.pace * keep + pace * (1 - keep);
  e.pace_at = now;
}

void LocalView::at_least(uint32_t endpoint, double now, double seconds, double work) {
  const double pace = seconds / std::max(work, 1e-9);
  if (pace > all_[endpoint].pace) learn_pace(all_[endpoint], now, pace);
}

void LocalView::sent(uint32_t endpoint, double work, double tokens) {
  all_[endpoint].inflight += work;
  all_[endpoint].budgets[0].reserved += 1;
  all_[endpoint].budgets[1].reserved += tokens;
}

void LocalView::finished(uint32_t endpoint, double now, double seconds, double work, Ended ended,
                         double tokens) {
  Endpoint& e = all_[endpoint];
  e.inflight = std::max(0.0, e.inflight - work);
  e.budgets[0].reserved = std::max(0.0, e.budgets[0].reserved - 1);
  e.budgets[1].reserved = std::max(0.0, e.budgets[1].reserved - tokens);
  e.probing = false;
  if (ended == Ended::throttled || ended == Ended::unknown) return;
  if (ended == Ended::answered) {
    e.in_a_row = 0;
    e.lease = 0;
    return;
  }
  if (ended == Ended::good) {
    learn_pace(e, now, seconds / std::max(work, 1e-9));
    e.in_a_row = 0;
    e.lease = 0;
    return;
  }
  ++e.in_a_row;
  const uint32_t most = ended == Ended::unreachable ? kUnreachableInARow : kInARow;
  if (e.in_a_row < most && e.lease == 0) return;
  if (e.until > now) return;  // sent before it was stepped around
  e.lease = e.lease == 0 ? kLeaseFirst : std::min(kLeaseMost, e.lease * 2);
  e.until = now + e.lease;
}

void LocalView::budget(uint32_t endpoint, double now, double left, double limit, double reset,
                       Resource resource) {
  Budget& budget = all_[endpoint].budgets[static_cast<size_t>(resource)];
  budget.left = left;
  budget.left_at = now;
  budget.limit = limit;
  budget.refill = reset > 0 ? (limit - left) / reset : budget.refill;
}

void LocalView::restarted(uint32_t endpoint) {
  const Endpoint before = all_[endpoint];
  all_[endpoint] = {};
  all_[endpoint].inflight = before.inflight;
  for (size_t i = 0; i < kResources; ++i)
    all_[endpoint].budgets[i].reserved = before.budgets[i].reserved;
}

bool LocalView::may_retry() {
  if (retries_ < 1) return false;
  retries_ -= 1;
  return true;
}

}  // namespace weir::schedule
