#include "gateway/traffic.h"

#include <algorithm>
#include <cmath>

#include "gateway/queue.h"
#include "schedule/table.h"

namespace weir::gateway {
namespace {

using provider::FailureClass;
using schedule::Ended;
using schedule::LocalView;
using schedule::Sample;

constexpr double kInputPart = 0.1;  // of the time that a generated token takes
constexpr double kWorkOfACall = 20;
// Latencies are compared for as much work as this, so that a long answer is no slow one.
constexpr double kWorkCompared = 100;
constexpr double kUsualMemory = 0.1;
constexpr double kPatienceTimes = 4;  // the usual

double seconds(Nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

void smooth(double& usual, double number) {
  usual += (number - usual) * (usual == 0 ? 1 : kUsualMemory);
}

double microseconds(Nanoseconds time) {
  return std::chrono::duration<double, std::micro>(time).count();
}

Ended ended_of(const Ending& ending) {
  if (ending.blameless) return Ended::unknown;
  switch (ending.failure) {
    case FailureClass::none:
      return Ended::good;
    case FailureClass::connect:
    case FailureClass::tls:
      return Ended::unreachable;
    case FailureClass::throttled:
      return Ended::throttled;
    case FailureClass::invalid:
    case FailureClass::content_filter:
    case FailureClass::not_found:
      return Ended::answered;
    default:
      return provider::rule_of(ending.failure).counts_against_health ? Ended::failed
                                                                     : Ended::unknown;
  }
}

}  // namespace

float base_of(const Model& model, uint32_t weight) {
  uint32_t most = 0;
  for (const auto& deployment : model.pool.deployments()) {
    most = std::max(most, deployment->weight);
  }
  if (static_cast<float>(most) <= schedule::kBaseMost) return static_cast<float>(weight);
  return schedule::kBaseMost * static_cast<float>(weight) / static_cast<float>(most);
}

double work_of(int64_t input, int64_t output) {
  return kWorkOfACall + kInputPart * static_cast<double>(std::max<int64_t>(input, 0)) +
         static_cast<double>(std::max<int64_t>(output, 0));
}

double rendezvous(uint64_t key, uint32_t slot, uint16_t weight) {
  uint64_t mixed = key ^ (uint64_t{slot} + 1) * 0x9E3779B97F4A7C15ULL;
  mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9ULL;
  mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBULL;
  mixed ^= mixed >> 31;
  const double uniform = (static_cast<double>(mixed >> 11) + 0.5) * 0x1.0p-53;
  return -std::log(uniform) / weight;
}

void Traffic::Quantile::add(double number) {
  constexpr double kHigh = 0.95;
  // Wide steps while it is young.
  const double step = seen < kLeast ? 0.3 : 0.05;
  if (seen == 0) value = number;
  value *= std::exp(number > value ? step * kHigh : -step * (1 - kHigh));
  ++seen;
}

Nanoseconds Traffic::usual_most(const Model& model, bool stream) const {
  if (model.slot >= models_.size()) return {};
  const Quantile& begins = models_[model.slot].begins[stream ? 1 : 0];
  if (begins.seen < Quantile::kLeast) return {};
  return Nanoseconds(static_cast<int64_t>(begins.value));
}

Traffic::Seen& Traffic::seen(uint32_t index) {
  if (index >= seen_.size()) seen_.resize(index + 1);
  return seen_[index];
}

Traffic::Books& Traffic::books(const Wish& wish) {
  if (wish.model.slot >= models_.size()) models_.resize(wish.model.slot + 1);
  Books& of = models_[wish.model.slot];
  const uint64_t version = table_ == nullptr ? 0 : table_->version;
  // A request that began on an older snapshot chooses by the newer one's weights.
  if (wish.generation > of.generation || of.version != version) rebuild(of, wish);
  return of;
}

void Traffic::rebuild(Books& of, const Wish& wish) {
  of.version = table_ == nullptr ? 0 : table_->version;
  const bool newest = wish.generation >= of.generation;
  const auto pool = wish.model.pool.deployments();
  if (newest) {
    of.generation = wish.generation;
    for (Tier& tier : of.tiers) {
      std::fill(tier.in_pool.begin(), tier.in_pool.end(), Ticket::kNone);
    }
    for (uint32_t i = 0; i < pool.size(); ++i) {
      if (pool[i]->weight == 0) continue;
      auto tier = std::find_if(of.tiers.begin(), of.tiers.end(),
                               [&](const Tier& one) { return one.priority == pool[i]->priority; });
      if (tier == of.tiers.end()) {
        of.tiers.push_back({.priority = pool[i]->priority});
        tier = of.tiers.end() - 1;
      }
      auto slot = std::find(tier->slots.begin(), tier->slots.end(), pool[i]->slot);
      const auto position = static_cast<size_t>(slot - tier->slots.begin());
      if (slot == tier->slots.end()) {
        tier->slots.push_back(pool[i]->slot);
        tier->in_pool.push_back(i);
        tier->indices.push_back(0);
        tier->bases.push_back(1);
      }
      tier->indices[position] = pool[i]->state->index;
      tier->in_pool[position] = i;
      tier->bases[position] = base_of(wish.model, pool[i]->weight);
    }
  }
  std::vector<uint16_t> weights;
  for (Tier& tier : of.tiers) {
    weights.assign(tier.slots.size(), 0);
    double published = 0;
    double whole = 0;
    for (size_t i = 0; i < tier.slots.size(); ++i) {
      if (tier.in_pool[i] == Ticket::kNone) continue;
      const double base = static_cast<double>(schedule::kWeightUnit * tier.bases[i]);
      const uint16_t told = table_ == nullptr ? WeightTable::kUnknown : table_->of(tier.slots[i]);
      weights[i] = told != WeightTable::kUnknown
                       ? told
                       : static_cast<uint16_t>(std::clamp(base, 1.0, 65'000.0));
      published += weights[i];
      whole += base;
    }
    tier.view.use(weights);
    tier.share = whole > 0 ? std::min(1.0, published / whole) : 0;
  }
  of.order.clear();
  for (uint32_t t = 0; t < of.tiers.size(); ++t) {
    if (of.tiers[t].share > 0) of.order.push_back(t);
  }
  std::sort(of.order.begin(), of.order.end(),
            [&](uint32_t a, uint32_t b) { return of.tiers[a].priority < of.tiers[b].priority; });
}

Traffic::Place Traffic::place_of(Books& of, const provider::Deployment& deployment) {
  for (uint32_t t = 0; t < of.tiers.size(); ++t) {
    Tier& tier = of.tiers[t];
    if (tier.priority != deployment.priority) continue;
    for (uint32_t i = 0; i < tier.slots.size(); ++i) {
      if (tier.slots[i] == deployment.slot) return {&tier, t, i};
    }
  }
  return {};
}

// Requests keep to the deployments of the snapshot that they hold.
const provider::Deployment* Traffic::at(const Books& of, const Tier& tier, uint32_t position,
                                        const Wish& wish) const {
  const auto pool = wish.model.pool.deployments();
  if (wish.generation == of.generation) {
    const uint32_t in_pool = tier.in_pool[position];
    return in_pool < pool.size() ? pool[in_pool].get() : nullptr;
  }
  for (const auto& one : pool) {
    if (one->slot == tier.slots[position] && one->weight > 0) return one.get();
  }
  return nullptr;
}

bool Traffic::account_holds(const provider::Deployment& deployment, const Wish& wish) {
  const provider::AccountState& state = *deployment.account->state;
  bool holds = wish.who == nullptr || !goes_behind(*wish.who, state.gate);
  if (holds && state.requests.limit() > 0) holds = state.requests.peek(wish.now).remaining >= 1;
  if (holds && state.tokens.limit() > 0) {
    holds = static_cast<double>(state.tokens.peek(wish.now).remaining) >= wish.tokens;
  }
  if (holds && state.concurrency.limit() > 0) {
    holds = state.concurrency.in_flight() < state.concurrency.limit();
  }
  if (!holds && !wish.again) ++counters_.account_full;
  return holds;
}

// All of the account's limits, or none.
bool Traffic::take_limits(Ticket& ticket, provider::AccountState& account, const Wish& wish) {
  ticket.limited =
      account.requests.limit() > 0 || account.tokens.limit() > 0 || account.concurrency.limit() > 0;
  if (!ticket.limited) return true;
  const auto tokens = static_cast<int64_t>(wish.tokens);
  if (!account.concurrency.enter().allowed) return false;
  if (!account.tokens.reserve(tokens, wish.now).allowed) {
    account.concurrency.leave();
    return false;
  }
  if (account.requests.take(wish.now).allowed) return true;
  account.tokens.settle(tokens, 0, wish.now);
  account.concurrency.leave();
  return false;
}

bool Traffic::sent(Ticket& ticket, const Wish& wish, const provider::Deployment& deployment,
                   double work, bool stream) {
  provider::AccountState& account = *deployment.account->state;
  if (!take_limits(ticket, account, wish)) return false;
  deployment.state->in_flight.fetch_add(1, std::memory_order_relaxed);
  account.in_flight.fetch_add(1, std::memory_order_relaxed);
  Books& of = books(wish);
  const Place place = place_of(of, deployment);
  ticket = {.model = wish.model.slot,
            .tier = place.tier == nullptr ? Ticket::kNone : place.tier_index,
            .at = place.at,
            .index = deployment.state->index,
            .work = work,
            .tokens = wish.tokens,
            .limited = ticket.limited,
            .awaiting = stream};
  if (place.tier != nullptr) place.tier->view.sent(place.at, work, wish.tokens);
  Seen& of_it = seen(ticket.index);
  ++of_it.inflight;
  of_it.sample.inflight = std::max(
      of_it.sample.inflight, static_cast<uint16_t>(std::min<uint32_t>(of_it.inflight, 0xfffe)));
  if (stream && of_it.awaiting++ == 0) of_it.last_sign = wish.now;
  return true;
}

void Traffic::began(Ticket& ticket, Nanoseconds now) {
  if (!ticket.open() || !ticket.awaiting) return;
  ticket.awaiting = false;
  Seen& of_it = seen(ticket.index);
  --of_it.awaiting;
  of_it.last_sign = now;
}

void Traffic::finished(Ticket& ticket, const provider::Deployment& deployment, Nanoseconds now,
                       Nanoseconds started, const Ending& ending) {
  if (!ticket.open()) return;
  Ended ended = ended_of(ending);
  if (ending.probe && ended == Ended::good) ended = Ended::answered;
  provider::AccountState& account = *deployment.account->state;
  deployment.state->in_flight.fetch_sub(1, std::memory_order_relaxed);
  account.in_flight.fetch_sub(1, std::memory_order_relaxed);
  if (ticket.limited) {
    account.concurrency.leave();
    account.tokens.settle(static_cast<int64_t>(ticket.tokens), ending.input + ending.output, now);
  }

  Seen& of_it = seen(ticket.index);
  --of_it.inflight;
  if (ticket.awaiting) --of_it.awaiting;
  of_it.last_sign = now;
  const bool good = ended == Ended::good;
  const double actual = good ? work_of(ending.input, ending.output) : ticket.work;
  if (ticket.tier != Ticket::kNone) {
    LocalView& view = models_[ticket.model].tiers[ticket.tier].view;
    view.corrected(ticket.at, ticket.work, actual);
    const Nanoseconds took = good ? ending.latency : now - started;
    view.finished(ticket.at, seconds(now), seconds(took), actual, ended, ticket.tokens);
  }
  if (good) {
    const bool stream = ending.first.count() > 0;
    models_[ticket.model].begins[stream ? 1 : 0].add(
        static_cast<double>((stream ? ending.first : ending.latency).count()));
  }
  if (ending.outrun && ended == Ended::unknown) {
    models_[ticket.model].begins[ending.stream ? 1 : 0].add(
        static_cast<double>((now - started).count()));
    note_outrun(of_it, ticket, ending.stream, now, now - started);
  }
  ticket.model = Ticket::kNone;

  Sample& sample = of_it.sample;
  if (ending.probe && ended != Ended::throttled) {
    if (ended == Ended::answered && ending.failure == FailureClass::none) {
      sample.marks |= schedule::kMarkProbeAnswered;
    } else if (ended == Ended::failed || ended == Ended::unreachable) {
      sample.marks |= schedule::kMarkProbeFailed;
    }
    return;
  }
  switch (ended) {
    case Ended::good: {
      const double compared = microseconds(ending.latency) * kWorkCompared / actual;
      schedule::add_request(sample, compared, false);
      smooth(of_it.usual_ln_latency, schedule::ln_units(compared));
      smooth(of_it.usual_work, actual);
      if (ending.first.count() > 0) {
        smooth(of_it.usual_first, static_cast<double>(ending.first.count()));
        ++sample.streams;
        sample.ln_ttft += schedule::ln_units(microseconds(ending.first));
        const double between = microseconds(ending.behind) /
                               static_cast<double>(std::max<int64_t>(ending.output - 1, 1));
        sample.ln_itl += schedule::ln_units(between);
        smooth(of_it.usual_ln_itl, schedule::ln_units(between));
      }
      const int64_t tokens = std::max<int64_t>(ending.input + ending.output, 0);
      sample.tokens = schedule::saturating_add(
          sample.tokens, static_cast<uint32_t>(std::min<int64_t>(tokens, 1 << 30)));
      break;
    }
    case Ended::unreachable:
      ++sample.unreachable;
      [[fallthrough]];
    case Ended::failed:
      schedule::add_request(sample, 0, true);
      break;
    case Ended::throttled:
      ++sample.throttled;
      break;
    case Ended::answered:
      ++sample.caller_faults;
      break;
    case Ended::unknown:
      break;
  }
}

// A bound from below shows that something is slow and never that it is quick: where it lies below
// the usual it says nothing. What it does not tell is put down as the usual.
void Traffic::note_outrun(Seen& of, const Ticket& ticket, bool stream, Nanoseconds now,
                          Nanoseconds took) {
  if (of.usual_work == 0) return;
  Sample& sample = of.sample;
  const auto usual_ln = static_cast<uint32_t>(of.usual_ln_latency);
  if (stream) {
    if (of.usual_first == 0 || static_cast<double>(took.count()) <= of.usual_first) return;
    ++sample.streams;
    sample.ln_ttft += schedule::ln_units(microseconds(took));
    sample.ln_itl += static_cast<uint32_t>(of.usual_ln_itl);
  }
  const uint32_t bound = schedule::ln_units(microseconds(took) * kWorkCompared / of.usual_work);
  if (!stream && bound <= usual_ln) return;
  sample.requests = schedule::saturating_add(sample.requests, 1);
  sample.ln_latency = schedule::saturating_add(sample.ln_latency, std::max(bound, usual_ln));
  if (ticket.tier == Ticket::kNone) return;
  models_[ticket.model].tiers[ticket.tier].view.at_least(ticket.at, seconds(now), seconds(took),
                                                         of.usual_work);
}

void Traffic::quota(const Ticket& ticket, Nanoseconds now, const provider::RateLimits& limits) {
  if (!ticket.open() || limits.empty()) return;
  Sample& sample = seen(ticket.index).sample;
  const auto left_of = [](const provider::RateLimit& limit) {
    return static_cast<double>(limit.remaining) / static_cast<double>(limit.limit);
  };
  double least = 1;
  for (const provider::Limited what : {provider::Limited::requests, provider::Limited::tokens}) {
    const provider::RateLimit* scarcest = nullptr;
    for (const provider::RateLimit& limit : limits) {
      if (limit.what != what || limit.limit <= 0) continue;
      if (scarcest == nullptr || left_of(limit) < left_of(*scarcest)) scarcest = &limit;
    }
    if (scarcest == nullptr) continue;
    least = std::min(least, left_of(*scarcest));
    sample.budget = std::min(sample.budget, static_cast<uint16_t>(least * schedule::kBudgetFull));
    sample.budget_reset_ms =
        std::max(sample.budget_reset_ms, static_cast<uint32_t>(scarcest->reset_ms));
    if (ticket.tier == Ticket::kNone) continue;
    models_[ticket.model].tiers[ticket.tier].view.budget(
        ticket.at, seconds(now), static_cast<double>(scarcest->remaining),
        static_cast<double>(scarcest->limit), scarcest->reset_ms / 1e3,
        what == provider::Limited::tokens ? schedule::Resource::tokens
                                          : schedule::Resource::requests);
  }
  if (sample.budget == schedule::kBudgetUnknown) return;
  // What is spent of the limits is how busy the deployment is.
  const auto spent = static_cast<uint8_t>(
      100 - 100U * std::min(sample.budget, schedule::kBudgetFull) / schedule::kBudgetFull);
  if (sample.utilization == schedule::kUtilizationUnknown || sample.utilization < spent) {
    sample.utilization = spent;
  }
}

std::vector<Sample> Traffic::take_samples(Nanoseconds now) {
  std::vector<Sample> samples;
  for (const Books& of : models_) {
    for (const Tier& tier : of.tiers) {
      for (uint32_t i = 0; i < tier.indices.size(); ++i) {
        if (!tier.view.avoided(i, seconds(now))) continue;
        seen(tier.indices[i]).sample.marks |= schedule::kMarkAvoided;
      }
    }
  }
  for (uint32_t i = 0; i < seen_.size(); ++i) {
    Seen& of = seen_[i];
    Sample& sample = of.sample;
    // Answers take as long as they take: only streams that should have begun long ago are missed.
    const auto patience =
        std::max<double>(static_cast<double>(kPatience.count()), kPatienceTimes * of.usual_first);
    const bool overdue =
        of.awaiting > 0 && static_cast<double>((now - of.last_sign).count()) > patience;
    sample.inflight =
        overdue ? static_cast<uint16_t>(std::min<uint32_t>(of.awaiting, 0xfffe)) : uint16_t{0};
    if (sample != Sample{}) {
      sample.endpoint = i;
      samples.push_back(sample);
    }
    sample = {};
  }
  return samples;
}

bool Traffic::all_drained(const Model& model) const {
  bool any = false;
  for (const auto& deployment : model.pool.deployments()) {
    if (deployment->weight == 0) continue;
    if (!drained(*deployment)) return false;
    any = true;
  }
  return any;
}

bool Traffic::avoided(const Wish& wish, const provider::Deployment& deployment) {
  const Place place = place_of(books(wish), deployment);
  return place.tier != nullptr && place.tier->view.avoided(place.at, seconds(wish.now));
}

double Traffic::inflight(const Wish& wish, const provider::Deployment& deployment) {
  const Place place = place_of(books(wish), deployment);
  return place.tier == nullptr ? 0 : place.tier->view.inflight(place.at);
}

}  // namespace weir::gateway
