// Traffic: what one worker knows of the deployments and does with it. Each model has a view of each
// of its priorities (schedule/local_view.h): the weights of the latest table, the work in flight,
// the pace, the guard and the budgets, between two tables. Every attempt's outcome goes into the
// view and into a sample of this second; the control plane collects the samples, judges them
// (traffic_control.h) and posts the next table. One per worker, on its loop's thread.
//
// Deployments keep their place in a view for as long as the process lives, so a reload forgets
// nothing; what is configured no more has the weight 0. Limits: Composer::kSlotsMax deployments.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "gateway/snapshot.h"
#include "provider/failure.h"
#include "provider/pool.h"
#include "provider/quota.h"
#include "schedule/local_view.h"
#include "schedule/sample.h"

namespace weir::gateway {

struct Exchange;

// The published weights of all deployments: what the scheduler says. Immutable, shared.
struct WeightTable {
  static constexpr uint16_t kUnknown = 0xffff;
  uint64_t version = 0;
  std::vector<uint16_t> weights;  // by Deployment::slot

  uint16_t of(uint32_t slot) const { return slot < weights.size() ? weights[slot] : kUnknown; }
};

// A configured weight as a base of the scheduler's: its own value up to 64, else in proportion to
// the largest of the model.
float base_of(const Model& model, uint32_t weight);

// What a call will cost a deployment, in units of one generated token: reading a token of the
// prompt takes about a tenth of that.
double work_of(int64_t input, int64_t output);

// What a request shares with others, as hashes; 0 is nothing. `home` is the session, or what its
// prompt begins with; `own` is the conversation, where home has more work than its share.
struct AffinityKeys {
  uint64_t home = 0;
  uint64_t own = 0;
};

// One attempt in the books: taken out with what was put in.
struct Ticket {
  static constexpr uint32_t kNone = 0xffff'ffff;
  uint32_t model = kNone;  // slot
  uint32_t tier = 0;
  uint32_t at = 0;     // position in the tier's view
  uint32_t index = 0;  // DeploymentState::index
  double work = 0;
  double tokens = 0;
  bool limited = false;   // the account's configured limits hold a part of it
  bool awaiting = false;  // a stream whose first content has not come

  bool open() const { return model != kNone; }
};

// What an attempt came to.
struct Ending {
  provider::FailureClass failure = provider::FailureClass::none;
  bool blameless = false;  // a time-out of the client's making
  Nanoseconds latency{0};  // of a success: what the provider took, the client's pauses left out
  Nanoseconds first{0};    // of a stream: to the first content; else 0
  Nanoseconds behind{0};   // of a stream: waited for behind the first content
  int64_t input = 0;       // tokens read, cached ones left out
  bool stream = false;
  bool outrun = false;  // broken off, as another attempt began first
  bool probe = false;   // a call of Weir's own (probe.h): too small to be compared
  int64_t output = 0;   // tokens generated
};

struct TrafficCounters {
  uint64_t spills = 0;          // picks of a lower priority, as the higher had no capacity left
  uint64_t unguarded = 0;       // picks that no guard or budget would have let through
  uint64_t leases_hit = 0;      // picks of the one that comes back first, all being parked
  uint64_t affinity_home = 0;   // requests with a key that went to its home
  uint64_t affinity_own = 0;    // ... to its conversation's: home had more than its share
  uint64_t affinity_moved = 0;  // ... elsewhere
  uint64_t hedges = 0;          // second attempts beside a slow one
  uint64_t hedges_won = 0;      // ... that began first
  uint64_t hedges_refused = 0;  // ... that the budget did not allow
  uint64_t account_full = 0;    // deployments passed over for their account's configured limits
};

class Traffic {
 public:
  // How long nothing may come back of a stream until it counts as vanished, at least.
  static constexpr Nanoseconds kPatience{10'000'000'000};
  // Requests at once that a deployment may always have for the sake of affinity.
  static constexpr double kFewRequests = 4;

  // What is asked of a pick.
  struct Wish {
    const Model& model;
    uint64_t generation = 0;  // of the model's snapshot
    Nanoseconds now{0};
    double tokens = 0;  // that the call may use
    double work = 0;
    AffinityKeys affinity = {};
    const Exchange* who = nullptr;  // null: nobody goes first
    bool again = false;             // it waits, and was counted when it came
    bool bound = false;  // what it is about is at one account alone: a drain does not keep it away
  };
  // The learned 95th percentile of the time until an answer begins; zero while it is not known.
  Nanoseconds usual_most(const Model& model, bool stream) const;

  void use(std::shared_ptr<const WeightTable> table) { table_ = std::move(table); }

  // A deployment of that model among those that `serves(deployment)` lets through: of the highest
  // priority that has capacity left, by weight, load and pace. Nothing where none is let through:
  // what an operator has drained is not, unless the wish is bound to it.
  // A trial that the pick takes is the caller's to report on or to give back.
  template <class Serves>
  provider::Pick pick(Random& random, const Wish& wish, const Serves& serves);

  // The attempt begins; the account's configured limits have been asked by pick() and are taken
  // here: false where another worker was faster.
  bool sent(Ticket& ticket, const Wish& wish, const provider::Deployment& deployment, double work,
            bool stream);
  // The first content of a stream has come.
  void began(Ticket& ticket, Nanoseconds now);
  // The attempt is over. `seconds` since it began.
  void finished(Ticket& ticket, const provider::Deployment& deployment, Nanoseconds now,
                Nanoseconds started, const Ending& ending);
  // What the provider's headers told.
  void quota(const Ticket& ticket, Nanoseconds now, const provider::RateLimits& limits);

  // The samples since the last call, `endpoint` being DeploymentState::index.
  std::vector<schedule::Sample> take_samples(Nanoseconds now);
  const schedule::Sample& sample(uint32_t index) { return seen(index).sample; }
  const TrafficCounters& counters() const { return counters_; }
  void count_hedge() { ++counters_.hedges; }
  void count_hedge_won() { ++counters_.hedges_won; }
  void count_hedge_refused() { ++counters_.hedges_refused; }
  // Whether the account's configured limits let the call through.
  bool account_holds(const provider::Deployment& deployment, const Wish& wish);
  // Whether an operator has drained all of the model.
  bool all_drained(const Model& model) const;
  // Whether this worker steps around the deployment at the moment.
  bool avoided(const Wish& wish, const provider::Deployment& deployment);
  double inflight(const Wish& wish, const provider::Deployment& deployment);

 private:
  struct Tier {
    uint32_t priority = 0;
    schedule::LocalView view{0};
    std::vector<uint32_t> slots;    // by position
    std::vector<uint32_t> in_pool;  // by position: in the pool of the newest snapshot
    std::vector<uint32_t> indices;  // by position: DeploymentState::index
    std::vector<float> bases;       // by position
    double share = 1;               // of its base weight that is published
  };
  // The 95th percentile of a stream of numbers, by steps on a logarithmic scale.
  struct Quantile {
    static constexpr uint32_t kLeast = 50;  // numbers until it is believed
    double value = 0;
    uint32_t seen = 0;
    void add(double number);
  };
  struct Books {  // of a model
    uint64_t generation = 0;
    uint64_t version = ~uint64_t{0};  // of the table
    std::vector<Tier> tiers;          // tickets hold their indices
    std::vector<uint32_t> order;      // of the tiers that are in use, by priority
    std::array<Quantile, 2> begins;   // ns until an answer begins: whole ones, streams
  };
  struct Seen {  // of a deployment, in this second
    schedule::Sample sample;
    uint32_t inflight = 0;
    uint32_t awaiting = 0;
    Nanoseconds last_sign{0};  // something came back, or nothing was awaited
    // What successes are like, smoothed; 0 is unknown.
    double usual_first = 0;  // ns to the first content
    double usual_work = 0;
    double usual_ln_latency = 0;  // as samples count them
    double usual_ln_itl = 0;
  };

  Books& books(const Wish& wish);
  void rebuild(Books& books, const Wish& wish);
  Seen& seen(uint32_t index);
  struct Place {
    Tier* tier = nullptr;
    uint32_t tier_index = 0;
    uint32_t at = 0;
  };
  Place place_of(Books& books, const provider::Deployment& deployment);
  const provider::Deployment* at(const Books& books, const Tier& tier, uint32_t position,
                                 const Wish& wish) const;
  bool drained(const provider::Deployment& deployment) const {
    return table_ != nullptr && table_->of(deployment.slot) == 0;
  }
  // What was broken off because another attempt began first took at least `took`.
  void note_outrun(Seen& of, const Ticket& ticket, bool stream, Nanoseconds now, Nanoseconds took);
  static bool take_limits(Ticket& ticket, provider::AccountState& account, const Wish& wish);

  // Where the request's like went, if that is usable and not too loaded; else nothing.
  template <class Usable>
  uint32_t prefer(Tier& tier, uint64_t random, const Wish& wish, const Usable& usable);

  std::shared_ptr<const WeightTable> table_;
  std::vector<Books> models_;  // by Model::slot
  std::vector<Seen> seen_;     // by DeploymentState::index
  TrafficCounters counters_;
};

// A place in the order of weighted rendezvous hashing: the least wins, in proportion to the
// weights, and a weight that falls moves only its own keys.
double rendezvous(uint64_t key, uint32_t slot, uint16_t weight);

template <class Usable>
uint32_t Traffic::prefer(Tier& tier, uint64_t random, const Wish& wish, const Usable& usable) {
  constexpr uint32_t kNothing = schedule::LocalView::kNothing;
  const double now = std::chrono::duration<double>(wish.now).count();
  const schedule::LocalView& view = tier.view;
  const auto count = static_cast<uint32_t>(view.size());
  if (count < 2) return kNothing;
  // What comes back to its weight needs its share of the traffic for evidence, keys or not.
  if (tier.share < 1) {
    uint16_t most = 0;
    for (uint32_t i = 0; i < count; ++i) most = std::max(most, view.weight(i));
    uint64_t mark = ((random >> 32) * view.whole()) >> 32;
    uint32_t drawn = 0;
    while (drawn + 1 < count && mark >= view.weight(drawn)) mark -= view.weight(drawn++);
    if (view.weight(drawn) * 4U < most) return kNothing;
  }
  double load = wish.work;
  for (uint32_t i = 0; i < count; ++i) load += view.inflight(i);
  const auto has_room = [&](uint32_t i) {
    const double share = load * view.weight(i) / static_cast<double>(view.whole());
    // A few requests at once are no load.
    return view.inflight(i) + wish.work <=
           std::max((1 + wish.model.affinity.slack) * share, kFewRequests * wish.work);
  };
  uint32_t passed_over = kNothing;
  for (const uint64_t key : {wish.affinity.home, wish.affinity.own}) {
    if (key == 0) break;
    uint32_t best = kNothing;
    double least = 0;
    for (uint32_t i = 0; i < count; ++i) {
      if (view.weight(i) == 0 || i == passed_over) continue;
      const double place = rendezvous(key, tier.slots[i], view.weight(i));
      if (best != kNothing && place >= least) continue;
      if (!view.passes(i, now, wish.tokens) || !usable(i)) continue;
      best = i;
      least = place;
    }
    if (best == kNothing) break;
    if (has_room(best)) {
      ++(passed_over == kNothing ? counters_.affinity_home : counters_.affinity_own);
      return best;
    }
    passed_over = best;
  }
  ++counters_.affinity_moved;
  return kNothing;
}

template <class Serves>
provider::Pick Traffic::pick(Random& random, const Wish& wish, const Serves& serves) {
  using provider::Choice;
  using provider::Lease;
  Books& of = books(wish);
  const double now = std::chrono::duration<double>(wish.now).count();
  const auto deployment = [&](const Tier& tier, uint32_t position) {
    return at(of, tier, position, wish);
  };
  for (const bool strict : {true, false}) {
    for (size_t t = 0; t < of.order.size(); ++t) {
      Tier& tier = of.tiers[of.order[t]];
      // What a tier has lost of its capacity goes to the next.
      const bool last = t + 1 == of.order.size();
      if (strict && !last && tier.share < 1 && random.uniform() >= tier.share) continue;
      const auto usable = [&](uint32_t i) {
        const provider::Deployment* one = deployment(tier, i);
        return one != nullptr && provider::would_open(*one, wish.now) && serves(*one) &&
               account_holds(*one, wish);
      };
      if (strict && wish.affinity.home != 0) {
        const uint32_t position = prefer(tier, random.next(), wish, usable);
        if (position != schedule::LocalView::kNothing) {
          const provider::Deployment* one = deployment(tier, position);
          const Lease::Gate gate = provider::ask(*one, wish.now);
          if (gate == Lease::Gate::open) {
            tier.view.chosen(position, now);
            if (t > 0) ++counters_.spills;
            return {one, Choice::affinity};
          }
          if (gate == Lease::Gate::trial) return {one, Choice::trial};
        }
      }
      // Another worker may take a trial in between.
      for (int tries = 0; tries < 3; ++tries) {
        const uint32_t position =
            tier.view.pick_among(random.next(), now, wish.tokens, strict, usable);
        if (position == schedule::LocalView::kNothing) break;
        const provider::Deployment* one = deployment(tier, position);
        const Lease::Gate gate = provider::ask(*one, wish.now);
        if (gate == Lease::Gate::closed) continue;
        if (!strict) ++counters_.unguarded;
        if (t > 0) ++counters_.spills;
        return {one, gate == Lease::Gate::trial ? Choice::trial
                     : t > 0                    ? Choice::spill
                                                : Choice::weighted};
      }
    }
  }
  // All are parked: the one that comes back first. Configured limits and drains hold even then.
  const provider::Deployment* soonest = nullptr;
  for (const auto& one : wish.model.pool.deployments()) {
    if (one->weight == 0 || (drained(*one) && !wish.bound)) continue;
    if (!serves(*one) || !account_holds(*one, wish)) continue;
    if (soonest == nullptr || provider::parked_until(*soonest) > provider::parked_until(*one)) {
      soonest = one.get();
    }
  }
  if (soonest != nullptr) ++counters_.leases_hit;
  return {soonest, Choice::least_parked};
}

}  // namespace weir::gateway
