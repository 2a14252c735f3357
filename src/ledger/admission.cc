#include "ledger/admission.h"

#include <algorithm>

namespace weir::ledger {

namespace {

// Which of two answers a client should be told: the one that denies, then the one that leaves the
// smaller share of its limit.
void keep_tighter(LimitAnswer& kept, const LimitAnswer& other) {
  if (other.limit == 0) return;
  if (kept.limit == 0 || (kept.allowed && !other.allowed)) {
    kept = other;
    return;
  }
  if (kept.allowed == other.allowed && other.remaining < kept.remaining) kept = other;
}

void release(LimitCells& cells, const AdmitRequest& request) {
  cells.tokens.settle(request.tokens, 0, request.now);
  cells.budgets.commit(request.cost, Money{}, request.wall_ms);
  cells.concurrency.leave();
}

// Takes one subject's limits but for the request rate, or none of them.
Denial take(LimitCells& cells, const AdmitRequest& request, AdmitAnswer& answer) {
  LimitAnswer concurrency = cells.concurrency.enter();
  keep_tighter(answer.concurrency, concurrency);
  if (!concurrency.allowed) return Denial::concurrency;
  const BudgetAnswer budget = cells.budgets.reserve(request.cost, request.wall_ms);
  if (!budget.allowed) {
    answer.budget = budget;
    cells.concurrency.leave();
    return Denial::budget;
  }
  const LimitAnswer tokens = cells.tokens.reserve(request.tokens, request.now);
  keep_tighter(answer.tokens, tokens);
  if (!tokens.allowed) {
    cells.budgets.commit(request.cost, Money{}, request.wall_ms);
    cells.concurrency.leave();
    return Denial::tokens;
  }
  return Denial::none;
}

std::optional<Nanoseconds> retry_after(const AdmitAnswer& answer, const AdmitRequest& request) {
  switch (answer.denial) {
    case Denial::none:
      return std::nullopt;
    // Nobody knows when a request in flight ends; a second is what clients are told.
    case Denial::concurrency:
      return std::chrono::seconds(1);
    case Denial::budget:
      if (answer.budget.in_flight) return std::chrono::seconds(1);
      if (answer.budget.resets_at_ms == 0) return std::nullopt;
      return Milliseconds(std::max<int64_t>(answer.budget.resets_at_ms - request.wall_ms, 0));
    case Denial::tokens:
      if (answer.tokens.never) return std::nullopt;
      return answer.tokens.retry_after;
    case Denial::requests:
      return answer.requests.retry_after;
  }
  return std::nullopt;
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

void LimitCells::apply(const LimitRules& rules) {
  requests.set_limit(rules.requests_per_minute);
  tokens.set_limit(rules.tokens_per_minute);
  concurrency.set_limit(rules.concurrency);
  budgets.apply(rules.budgets);
}

Admission admit(std::span<const std::shared_ptr<LimitCells>> subjects, const AdmitRequest& request,
                AdmitAnswer& answer) {
  answer = {};
  Admission admission;
  admission.request_ = request;
  size_t indices[Admission::kSubjectsMax] = {};
  for (size_t i = 0; i < subjects.size() && admission.count_ < Admission::kSubjectsMax; ++i) {
    if (subjects[i] == nullptr) continue;
    answer.denial = take(*subjects[i], request, answer);
    if (answer.denial != Denial::none) {
      answer.subject = i;
      break;
    }
    indices[admission.count_] = i;
    admission.subjects_[admission.count_++] = subjects[i];
  }
  // The request rate comes last, so that what another limit refused does not use it up. What an
  // earlier subject gave and a later one refuses is not put back: a bucket that may have been
  // clamped in between can not be refunded exactly, and one request less is the safe side.
  for (size_t i = 0; answer.allowed() && i < admission.count_; ++i) {
    LimitAnswer requests = admission.subjects_[i]->requests.take(request.now);
    keep_tighter(answer.requests, requests);
    if (!requests.allowed) {
      answer.denial = Denial::requests;
      answer.subject = indices[i];
    }
  }
  if (!answer.allowed()) {
    for (size_t i = 0; i < admission.count_; ++i) release(*admission.subjects_[i], request);
    admission.count_ = 0;
    // What did not deny is told as it stands now that everything has been put back.
    if (answer.denial != Denial::requests) answer.requests = {};
    if (answer.denial != Denial::tokens) answer.tokens = {};
    for (const auto& subject : subjects) {
      if (subject == nullptr) continue;
      if (answer.denial != Denial::requests) {
        keep_tighter(answer.requests, subject->requests.peek(request.now));
      }
      if (answer.denial != Denial::tokens) {
        keep_tighter(answer.tokens, subject->tokens.peek(request.now));
      }
    }
    answer.retry_after = retry_after(answer, request);
  }
  return admission;
}

Admission& Admission::operator=(Admission&& other) noexcept {
  if (this != &other) {
    if (count_ > 0) settle(0, Money{}, request_.now, request_.wall_ms);
    subjects_ = std::move(other.subjects_);
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
    Budgets& budgets = subjects_[i]->budgets;
    if (budgets.exchange(request_.cost, cost, request_.wall_ms)) continue;
    while (i-- > 0) subjects_[i]->budgets.exchange(cost, request_.cost, request_.wall_ms);
    return false;
  }
  request_.cost = cost;
  return true;
}

void Admission::settle(int64_t tokens, Money cost, Nanoseconds now, int64_t /*ended_ms*/) {
  for (size_t i = 0; i < count_; ++i) {
    LimitCells& cells = *subjects_[i];
    cells.tokens.settle(request_.tokens, tokens, now);
    cells.budgets.commit(request_.cost, cost, request_.wall_ms);
    cells.concurrency.leave();
    subjects_[i] = nullptr;
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
