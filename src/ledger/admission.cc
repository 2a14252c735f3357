#include "ledger/admission.h"

#include <algorithm>

namespace weir::ledger {

namespace {

// Which of two answers a client should be told: the one that denies, then the one that leaves it
// less.
void keep_tighter(LimitAnswer& kept, const LimitAnswer& other) {
  if (other.limit == 0) return;
  if (kept.limit == 0 || (kept.allowed && !other.allowed)) {
    kept = other;
    return;
  }
  if (kept.allowed == other.allowed && other.remaining < kept.remaining) kept = other;
}

void release(const Subject& subject, const AdmitRequest& request) {
  subject.rates->tokens.settle(request.tokens, 0, request.now);
  if (subject.budgets != nullptr) {
    subject.budgets->commit(request.cost, Money{}, request.wall_ms);
  }
  subject.rates->concurrency.leave();
}

// Takes one subject's limits but for the request rate, or none of them.
Denial take(const Subject& subject, const AdmitRequest& request, AdmitAnswer& answer) {
  RateCells& cells = *subject.rates;
  LimitAnswer concurrency = cells.concurrency.enter();
  keep_tighter(answer.concurrency, concurrency);
  if (!concurrency.allowed) return Denial::concurrency;
  if (subject.budgets != nullptr) {
    const BudgetAnswer budget = subject.budgets->reserve(request.cost, request.wall_ms);
    if (!budget.allowed) {
      answer.budget = budget;
      cells.concurrency.leave();
      return Denial::budget;
    }
  }
  const LimitAnswer tokens = cells.tokens.reserve(request.tokens, request.now);
  keep_tighter(answer.tokens, tokens);
  if (!tokens.allowed) {
    if (subject.budgets != nullptr) {
      subject.budgets->commit(request.cost, Money{}, request.wall_ms);
    }
    cells.concurrency.leave();
    return Denial::tokens;
  }
  return Denial::none;
}

// Nobody knows when a request in flight ends; a second is what clients are told.
constexpr Nanoseconds kInFlight{1'000'000'000};

// Until when every limit of everyone has room for the request, nothing else coming: a client that
// waits for the first limit alone is refused by the second. Nullopt where waiting does not help.
// Everything has been given back before.
std::optional<Nanoseconds> retry_after(std::span<const Subject> subjects, const AdmitAnswer& answer,
                                       const AdmitRequest& request) {
  Nanoseconds wait{0};
  const auto wait_for_budget = [&](const BudgetAnswer& budget) {
    if (budget.in_flight) {
      wait = std::max(wait, kInFlight);
    } else if (budget.resets_at_ms == 0) {
      return false;
    } else {
      wait = std::max<Nanoseconds>(wait, Milliseconds(budget.resets_at_ms - request.wall_ms));
    }
    return true;
  };
  if (answer.denial == Denial::concurrency) wait = kInFlight;
  if (answer.denial == Denial::budget && !wait_for_budget(answer.budget)) return std::nullopt;
  for (const Subject& subject : subjects) {
    if (subject.rates == nullptr) continue;
    if (subject.budgets != nullptr) {
      const BudgetAnswer budget = subject.budgets->reserve(request.cost, request.wall_ms);
      if (budget.allowed) {
        subject.budgets->commit(request.cost, Money{}, request.wall_ms);
      } else if (!wait_for_budget(budget)) {
        return std::nullopt;
      }
    }
    const RateCells& cells = *subject.rates;
    const LimitAnswer tokens = cells.tokens.ask(request.tokens, request.now);
    if (tokens.never) return std::nullopt;
    if (!cells.concurrency.ask().allowed) wait = std::max(wait, kInFlight);
    wait = std::max({wait, tokens.retry_after, cells.requests.ask(request.now).retry_after});
  }
  // Another worker's request that denied this one may have gone meanwhile.
  return std::max(wait, Nanoseconds(1));
}

}  // namespace

std::string_view to_string(Denial denial) {
  switch (denial) {
    case Denial::none:
      return "none";
    case Denial::concurrency:
      return "concurrency";
    case Denial::budget:
      return "budget";
    case Denial::tokens:
      return "tokens";
    case Denial::requests:
      return "requests";
  }
  return "none";
}

void RateCells::apply_rates(const LimitRules& rules) {
  requests.set_limit(rules.requests_per_minute);
  tokens.set_limit(rules.tokens_per_minute);
  concurrency.set_limit(rules.concurrency);
}

void LimitCells::apply(const LimitRules& rules) {
  apply_rates(rules);
  budgets.apply(rules.budgets);
}

const PartLimits::OfModel* PartLimits::of_model(std::string_view name) const {
  for (const OfModel& one : models) {
    const std::string_view pattern = one.model;
    if (pattern.ends_with('*') ? name.starts_with(pattern.substr(0, pattern.size() - 1))
                               : name == pattern) {
      return &one;
    }
  }
  return nullptr;
}

Admission admit(std::span<const Subject> subjects, const AdmitRequest& request,
                AdmitAnswer& answer) {
  answer = {};
  Admission admission;
  admission.request_ = request;
  size_t indices[Admission::kSubjectsMax] = {};
  const auto deny = [&answer](Denial denial, size_t subject) {
    answer.denial = denial;
    answer.subject = subject;
  };
  for (size_t i = 0; i < subjects.size() && admission.count_ < Admission::kSubjectsMax; ++i) {
    if (subjects[i].rates == nullptr) continue;
    if (const Denial denial = take(subjects[i], request, answer); denial != Denial::none) {
      deny(denial, i);
      break;
    }
    indices[admission.count_] = i;
    admission.subjects_[admission.count_++] = subjects[i];
  }
  // The request rates come last, so that what another limit refused does not use them up, and all
  // are asked before one is taken. What one gave and another worker's request took of the next is
  // not put back: a bucket that may have been clamped in between can not be refunded exactly, and
  // one request less is the safe side.
  for (const bool taking : {false, true}) {
    // With one subject there is nothing to ask first.
    if (!taking && admission.count_ < 2) continue;
    for (size_t i = 0; answer.allowed() && i < admission.count_; ++i) {
      RequestRate& rate = admission.subjects_[i].rates->requests;
      if (!taking && rate.has_room(request.now)) continue;
      const LimitAnswer requests = taking ? rate.take(request.now) : rate.ask(request.now);
      if (taking || !requests.allowed) keep_tighter(answer.requests, requests);
      if (!requests.allowed) deny(Denial::requests, indices[i]);
    }
  }
  if (!answer.allowed()) {
    for (size_t i = 0; i < admission.count_; ++i) release(admission.subjects_[i], request);
    for (size_t i = 0; i < admission.count_; ++i) admission.subjects_[i] = {};
    admission.count_ = 0;
    // What did not deny is told as it stands now that everything has been put back.
    if (answer.denial != Denial::requests) answer.requests = {};
    if (answer.denial != Denial::tokens) answer.tokens = {};
    for (const Subject& subject : subjects) {
      if (subject.rates == nullptr) continue;
      if (answer.denial != Denial::requests) {
        keep_tighter(answer.requests, subject.rates->requests.peek(request.now));
      }
      if (answer.denial != Denial::tokens) {
        keep_tighter(answer.tokens, subject.rates->tokens.peek(request.now));
      }
    }
    answer.retry_after = retry_after(subjects, answer, request);
  }
  return admission;
}

Admission& Admission::operator=(Admission&& other) noexcept {
  if (this != &other) {
    if (count_ > 0) settle(0, Money{}, request_.now, request_.wall_ms);
    for (size_t i = 0; i < other.count_; ++i) subjects_[i] = std::move(other.subjects_[i]);
    count_ = other.count_;
    request_ = other.request_;
    other.count_ = 0;
  }
  return *this;
}

Admission::~Admission() {
  if (count_ > 0) settle(0, Money{}, request_.now, request_.wall_ms);
}

bool Admission::raise(Money cost) {
  if (count_ == 0 || cost <= request_.cost) return true;
  // Reservations are held in whole micro-dollars: given back in one piece, they must be taken so.
  for (size_t i = 0; i < count_; ++i) {
    Budgets* budgets = subjects_[i].budgets;
    if (budgets == nullptr || budgets->exchange(request_.cost, cost, request_.wall_ms)) continue;
    while (i-- > 0) {
      if (subjects_[i].budgets == nullptr) continue;
      subjects_[i].budgets->exchange(cost, request_.cost, request_.wall_ms);
    }
    return false;
  }
  request_.cost = cost;
  return true;
}

void Admission::settle(int64_t tokens, Money cost, Nanoseconds now, int64_t /*ended_ms*/) {
  for (size_t i = 0; i < count_; ++i) {
    RateCells& cells = *subjects_[i].rates;
    cells.tokens.settle(request_.tokens, tokens, now);
    if (subjects_[i].budgets != nullptr) {
      subjects_[i].budgets->commit(request_.cost, cost, request_.wall_ms);
    }
    cells.concurrency.leave();
    subjects_[i] = {};
  }
  count_ = 0;
}

std::string key_subject(std::string_view key_id) {
  return "key/" + std::string(key_id);
}
std::string project_subject(std::string_view project) {
  return "project/" + std::string(project);
}
std::string team_subject(std::string_view team) {
  return "team/" + std::string(team);
}
std::string model_subject(std::string_view model) {
  return "model/" + std::string(model);
}
std::string model_subject(std::string_view subject, std::string_view model) {
  return std::string(subject) + "/model/" + std::string(model);
}

std::shared_ptr<LimitCells> LimitRegistry::get(std::string_view subject, const LimitRules& rules) {
  std::string name(subject);
  Entry& entry = entries_[name];
  if (entry.cells == nullptr) {
    entry.cells = std::make_shared<LimitCells>();
    const auto spent = spent_.find(name);
    if (spent != spent_.end()) {
      for (const auto& [day, money] : spent->second.days) {
        entry.cells->budgets.seed_day(day, money);
      }
      entry.cells->budgets.seed_total(spent->second.total);
      entry.corrections = std::move(spent->second.corrections);
      spent_.erase(spent);
    }
  }
  entry.cells->apply(rules);
  entry.budgets = rules.budgets;
  return entry.cells;
}

void LimitRegistry::remember(std::string_view subject, SpentBefore spent) {
  spent_[std::string(subject)] = std::move(spent);
}

void LimitRegistry::correct(const std::string& subject, int64_t day, Money sum, int64_t wall_ms) {
  const auto found = entries_.find(subject);
  if (found == entries_.end()) return;  // its spending is remembered when it gets cells
  Money& counted = found->second.corrections[day];
  const Money more = sum - counted;
  if (more == Money{}) return;
  found->second.cells->budgets.correct(day, more, wall_ms);
  counted = sum;
}

void LimitRegistry::drop_unused() {
  std::erase_if(entries_, [](const auto& entry) {
    return entry.second.cells.use_count() == 1 &&
           entry.second.cells->budgets.spent_ever() == Money{};
  });
}

std::vector<BudgetStanding> LimitRegistry::standings(int64_t wall_ms) const {
  std::vector<BudgetStanding> list;
  for (const auto& [subject, entry] : entries_) {
    if (entry.cells.use_count() == 1) continue;
    for (const BudgetRule& rule : entry.budgets) {
      const Budgets& budgets = entry.cells->budgets;
      list.push_back({subject, rule, budgets.spent(rule, wall_ms), budgets.reserved()});
    }
  }
  return list;
}

}  // namespace weir::ledger
