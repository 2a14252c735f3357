// Admission: all limits of everyone a request counts for (its key, its team) taken together, or
// none. `LimitCells` is one subject's cells; `LimitRegistry` keeps them across configuration
// generations, so a reload does not refill anyone's bucket; `Admission` is what a request holds
// while it is in flight. admit() and settle() are called by workers and are lock-free; the
// registry belongs to the control plane's thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"
#include "base/money.h"
#include "ledger/budget.h"
#include "ledger/limits.h"

namespace weir::ledger {

struct BudgetRule {
  Money limit;
  BudgetWindow window = BudgetWindow::month;
  bool operator==(const BudgetRule&) const = default;
};

// Limits as configuration says them; 0 or absent: none.
struct LimitRules {
  int64_t requests_per_minute = 0;
  int64_t tokens_per_minute = 0;
  int64_t concurrency = 0;
  std::optional<BudgetRule> budget = std::nullopt;
  bool operator==(const LimitRules&) const = default;
};

struct LimitCells {
  RequestRate requests;
  TokenRate tokens;
  Concurrency concurrency;
  BudgetCell day{{}, BudgetWindow::day};      // spending is counted in both windows always;
  BudgetCell month{{}, BudgetWindow::month};  // a limit stands in one of them

  void apply(const LimitRules& rules);
};

enum class Denial : uint8_t { none, concurrency, budget, tokens, requests };
std::string_view to_string(Denial denial);

struct AdmitRequest {
  int64_t tokens = 0;  // estimate: input and the most it may answer
  Money cost;          // estimate, for budgets; zero where there is no price
  Nanoseconds now{0};  // monotonic
  int64_t wall_ms = 0;
};

// The tightest of the subjects' answers, for the response headers. Filled on allow and on deny.
struct AdmitAnswer {
  Denial denial = Denial::none;
  size_t subject = 0;  // index of the subject that denied
  LimitAnswer requests;
  LimitAnswer tokens;
  LimitAnswer concurrency;
  BudgetAnswer budget;  // of the subject that denied by budget
  // Until trying again may help; nullopt where waiting does not.
  std::optional<Nanoseconds> retry_after;

  bool allowed() const { return denial == Denial::none; }
};

// Move-only. Settle exactly once; a forgotten one is settled as having used nothing.
class Admission {
 public:
  static constexpr size_t kSubjectsMax = 4;

  Admission() = default;
  Admission(Admission&& other) noexcept { *this = std::move(other); }
  Admission& operator=(Admission&& other) noexcept;
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;
  ~Admission();

  bool held() const { return count_ > 0; }
  // Gives everything back and charges what was really used. `tokens` counts input and output.
  void settle(int64_t tokens, Money cost, Nanoseconds now, int64_t wall_ms);

 private:
  friend Admission admit(std::span<const std::shared_ptr<LimitCells>> subjects,
                         const AdmitRequest& request, AdmitAnswer& answer);
  std::array<std::shared_ptr<LimitCells>, kSubjectsMax> subjects_;
  size_t count_ = 0;
  AdmitRequest request_;
};

// Takes every limit of every subject (null entries are skipped), in this order: concurrency,
// budget, tokens, requests; undoes all when one denies. At most kSubjectsMax subjects.
Admission admit(std::span<const std::shared_ptr<LimitCells>> subjects, const AdmitRequest& request,
                AdmitAnswer& answer);

// Names of subjects in the registry: "key/<key id>" and "team/<team>".
std::string key_subject(std::string_view key_id);
std::string team_subject(std::string_view team);

class LimitRegistry {
 public:
  // The cells for that subject, made on first use; applies the rules to them.
  std::shared_ptr<LimitCells> get(std::string_view subject, const LimitRules& rules);
  // What the subject had spent by `wall_ms` in the windows of that time, from the ledger: counted
  // in its cells when they are made, which must not have happened yet.
  void remember(std::string_view subject, Money in_day, Money in_month, int64_t wall_ms);
  // Forgets cells that nobody else holds and that have spent nothing this month, so that a key that
  // is taken out and put back does not get a fresh budget. After each reload.
  void drop_unused(int64_t wall_ms);
  size_t size() const { return cells_.size(); }

 private:
  struct Spent {
    Money in_day;
    Money in_month;
    int64_t wall_ms = 0;
  };
  std::unordered_map<std::string, std::shared_ptr<LimitCells>> cells_;
  std::unordered_map<std::string, Spent> spent_;
};

}  // namespace weir::ledger
