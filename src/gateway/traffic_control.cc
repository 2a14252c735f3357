#include "gateway/traffic_control.h"

#include <algorithm>

namespace weir::gateway {
namespace {

constexpr uint32_t kReporter = 0;
constexpr std::chrono::seconds kWorkerExpected{10};
// Sentences come from the journal once a second; more changes than this in one are let go.
constexpr uint32_t kRecords = 8'192;

uint32_t second_of(Nanoseconds now) {
  return static_cast<uint32_t>(std::chrono::floor<std::chrono::seconds>(now).count());
}

schedule::Limits limits() {
  schedule::Limits limits;
  limits.endpoints = 8'192;
  limits.groups = 8'192;
  limits.services = 8'192;
  limits.reporters = 1;
  limits.hosts = 1;
  limits.samples_per_second = 65'536;
  limits.pins = 1'024;
  limits.records = kRecords;
  limits.changes_kept = 16;
  return limits;
}

}  // namespace

schedule::Policy traffic_policy() {
  schedule::Policy policy;
  // Two deployments are usual, and one of them may be cut: a provider's capacity is its quota,
  // which is known by its headers or felt as 429, so that half of a model moves blindly.
  policy.cut_blind = 0.5F;
  policy.cut_blind_later = 0.67F;
  policy.panic = 0.3F;
  // A table is at the workers within milliseconds, and their samples at most a second old.
  policy.stage_seconds = 1;
  return policy;
}

TrafficControl::TrafficControl(Nanoseconds now, int64_t wall_ms, uint64_t epoch)
    : scheduler_(traffic_policy(), limits(), second_of(now), epoch),
      wall_offset_ms_(wall_ms - std::chrono::duration_cast<Milliseconds>(now).count()) {}

void TrafficControl::configure(const Snapshot& snapshot) {
  for (const Model& model : snapshot.models) {
    Service& service = services_[model.slot];
    if (service.id == schedule::kNone) {
      const auto id = scheduler_.add_service(model.schedule);
      const auto group =
          id ? scheduler_.add_group(*id) : Result<schedule::GroupId>(schedule::kNone);
      if (!id || !group) continue;  // beyond the limits: its deployments keep their base weights
      service = {.id = *id, .group = *group, .model = model.name, .options = model.schedule};
    } else {
      service.options = model.schedule;
      (void)scheduler_.set_options(service.id, model.schedule);
    }
    for (const auto& deployment : model.pool.deployments()) {
      if (deployment->weight == 0) continue;
      const float base = base_of(model, deployment->weight);
      Endpoint& endpoint = endpoints_[deployment->slot];
      endpoint.generation = snapshot.generation;
      // Another place under the same name is another endpoint.
      if (endpoint.id != schedule::kNone && endpoint.index != deployment->state->index) {
        (void)scheduler_.remove_endpoint(endpoint.id);
        endpoint.id = schedule::kNone;
      }
      if (endpoint.id == schedule::kNone) {
        const auto id = scheduler_.add_endpoint(service.group, {.base = base});
        if (!id) continue;
        endpoint.id = *id;
        endpoint.model = model.name;
        endpoint.deployment = deployment->name;
        endpoint.index = deployment->state->index;
        names_[*id] = {model.name, deployment->name};
      } else if (endpoint.base != base) {
        (void)scheduler_.set_base(endpoint.id, base);
      }
      endpoint.base = base;
    }
  }
  for (auto at = endpoints_.begin(); at != endpoints_.end();) {
    if (at->second.generation == snapshot.generation && at->second.id != schedule::kNone) {
      ++at;
      continue;
    }
    (void)scheduler_.remove_endpoint(at->second.id);
    at = endpoints_.erase(at);
  }
  changed_ = true;
  note_changes();
}

void TrafficControl::add(const std::vector<schedule::Sample>& samples, size_t worker) {
  if (worker >= workers_.size()) workers_.resize(worker + 1);
  workers_[worker].answered = true;
  for (const schedule::Sample& sample : samples) {
    if (sample.endpoint >= pending_.size()) {
      pending_.resize(sample.endpoint + 1);
      heard_.resize(sample.endpoint + 1);
      budgets_.resize(sample.endpoint + 1, schedule::kBudgetUnknown);
    }
    schedule::merge(pending_[sample.endpoint], sample);
    if (sample.budget != schedule::kBudgetUnknown) budgets_[sample.endpoint] = sample.budget;
  }
}

bool TrafficControl::are_heard(Nanoseconds now) {
  size_t expected = 0;
  size_t answered = 0;
  for (WorkerHeard& worker : workers_) {
    if (worker.answered) worker = {.at = now, .known = true};
    if (!worker.known || now - worker.at > kWorkerExpected) continue;
    ++expected;
    if (worker.at == now) ++answered;
  }
  return static_cast<float>(answered) >= traffic_policy().coverage * static_cast<float>(expected);
}

bool TrafficControl::evaluate(Nanoseconds now) {
  const uint32_t second = second_of(now);
  if (second < scheduler_.next_second()) return false;
  // After a pause (a suspended machine) the seconds in between are nobody's.
  if (second > scheduler_.next_second()) scheduler_.skip_to(second);
  // What few workers say is kept until the others are heard, too.
  if (are_heard(now)) {
    for (size_t i = 0; i < pending_.size(); ++i) {
      const schedule::Sample& sample = pending_[i];
      Heard& heard = heard_[i];
      if (sample.requests + sample.throttled + sample.caller_faults > 0) heard.traffic = now;
      heard.avoided = (sample.marks & schedule::kMarkAvoided) != 0;
      if ((sample.marks & schedule::kMarkProbeAnswered) != 0) ++heard.probes_answered;
      if ((sample.marks & schedule::kMarkProbeFailed) != 0) ++heard.probes_failed;
    }
    for (const auto& [slot, endpoint] : endpoints_) {
      schedule::Sample sample;
      if (endpoint.index < pending_.size()) sample = pending_[endpoint.index];
      sample.endpoint = endpoint.id;
      sample.second = second;
      sample.reporter = kReporter;
      sample.sources = 1;
      (void)scheduler_.ingest(sample);
    }
    std::fill(pending_.begin(), pending_.end(), schedule::Sample{});
  }
  const uint64_t before = scheduler_.counters().weights_changed;
  scheduler_.evaluate();
  const bool moved = scheduler_.counters().weights_changed != before;
  changed_ |= moved;
  note_changes();
  return moved;
}

std::shared_ptr<const WeightTable> TrafficControl::table() {
  if (!changed_ && table_ != nullptr) return table_;
  auto table = std::make_shared<WeightTable>();
  table->version = ++version_;
  for (const auto& [slot, endpoint] : endpoints_) {
    if (slot >= table->weights.size()) table->weights.resize(slot + 1, WeightTable::kUnknown);
    table->weights[slot] = scheduler_.weight(endpoint.id);
  }
  changed_ = false;
  table_ = std::move(table);
  return table_;
}

const TrafficControl::Endpoint* TrafficControl::find(std::string_view model,
                                                     std::string_view deployment) const {
  for (const auto& [slot, endpoint] : endpoints_) {
    if (endpoint.model == model && endpoint.deployment == deployment) return &endpoint;
  }
  return nullptr;
}

bool TrafficControl::is_last(const Endpoint& endpoint) const {
  for (const auto& [slot, other] : endpoints_) {
    if (other.model == endpoint.model && other.id != endpoint.id &&
        scheduler_.weight(other.id) > 0) {
      return false;
    }
  }
  return true;
}

Result<void> TrafficControl::pin(std::string_view model, std::string_view deployment, double share,
                                 int64_t seconds, bool force) {
  const Endpoint* endpoint = find(model, deployment);
  if (endpoint == nullptr) {
    return fail(ErrorCode::not_found, "the model has no such deployment with a weight");
  }
  if (seconds < 1 || seconds > kPinSecondsMax) {
    return fail(ErrorCode::invalid_argument, "for_s: expected 1 to 604800 seconds");
  }
  if (share == 0 && !force && is_last(*endpoint)) {
    return fail(ErrorCode::already_exists,
                "every other deployment of the model is drained already, and it would answer "
                "nothing but what its fallbacks do; \"force\": true drains it all the same");
  }
  WEIR_CHECK_OK(scheduler_.pin(endpoint->id, static_cast<float>(share),
                               scheduler_.next_second() - 1 + static_cast<uint32_t>(seconds)));
  changed_ = true;
  note_changes();
  return {};
}

Result<void> TrafficControl::unpin(std::string_view model, std::string_view deployment) {
  const Endpoint* endpoint = find(model, deployment);
  if (endpoint == nullptr) {
    return fail(ErrorCode::not_found, "the model has no such deployment with a weight");
  }
  WEIR_CHECK_OK(scheduler_.unpin(endpoint->id));
  changed_ = true;
  note_changes();
  return {};
}

Result<void> TrafficControl::dry_run(std::string_view model, bool on) {
  for (auto& [slot, service] : services_) {
    if (service.model != model) continue;
    service.options.dry_run = on;
    WEIR_CHECK_OK(scheduler_.set_options(service.id, service.options));
    changed_ = true;
    note_changes();
    return {};
  }
  return fail(ErrorCode::not_found, "there is no such model");
}

bool TrafficControl::is_dry_run(uint32_t model_slot) const {
  const auto at = services_.find(model_slot);
  return at != services_.end() && at->second.options.dry_run;
}

std::optional<TrafficControl::Seen> TrafficControl::seen(uint32_t deployment_slot) const {
  const auto at = endpoints_.find(deployment_slot);
  if (at == endpoints_.end()) return std::nullopt;
  const auto verdict = scheduler_.verdict(at->second.id);
  if (!verdict) return std::nullopt;
  Seen seen{.verdict = *verdict};
  const uint32_t index = at->second.index;
  if (index < budgets_.size() && budgets_[index] != schedule::kBudgetUnknown) {
    seen.budget = budgets_[index];
  }
  if (verdict->pinned) seen.pinned_until_ms = wall_of(verdict->pin_expiry);
  return seen;
}

void TrafficControl::note_changes() {
  for (const schedule::Record& record : scheduler_.journal().since(records_)) {
    const auto name = names_.find(record.endpoint);
    if (name == names_.end()) continue;  // added just now, at its base weight
    history_.push_back({.number = ++told_,
                        .wall_ms = wall_of(record.second),
                        .model = name->second.first,
                        .deployment = name->second.second,
                        .from = record.old_weight,
                        .to = record.new_weight,
                        .told_only = record.dry_run,
                        .reason = schedule::to_string(record.reason),
                        .cause = schedule::to_string(record.cause),
                        .sentence = schedule::explanation(record, name->second.second)});
    if (history_.size() > kHistory) history_.pop_front();
  }
  records_ = scheduler_.journal().written();
}

std::vector<TrafficControl::Change> TrafficControl::history(uint64_t after) const {
  const auto first = std::find_if(history_.begin(), history_.end(),
                                  [&](const Change& change) { return change.number > after; });
  return {first, history_.end()};
}

std::vector<TrafficControl::Change> TrafficControl::fresh() {
  auto changes = history(logged_);
  logged_ = told_;
  return changes;
}

}  // namespace weir::gateway
