// Admission: all limits of everyone a request counts for (its key, its project, its team, the
// organization) taken together, or none. `LimitCells` is one subject's cells; `LimitRegistry` keeps
// them across configuration generations, so a reload does not refill anyone's bucket; `Admission`
// is what a request holds while it is in flight. admit() and settle() are called by workers and are
// lock-free; the registry belongs to the control plane's thread.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/money.h"
#include "ledger/budget.h"
#include "ledger/limits.h"

namespace weir::ledger {

// Limits as configuration says them; 0 or absent: none.
struct LimitRules {
  int64_t requests_per_minute = 0;
  int64_t tokens_per_minute = 0;
  int64_t concurrency = 0;
  std::vector<BudgetRule> budgets = {};
  bool operator==(const LimitRules&) const = default;
};

struct LimitCells {
  RequestRate requests;
  TokenRate tokens;
  Concurrency concurrency;
  Budgets budgets;

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
  Money reserved() const { return request_.cost; }
  // Holds at least `cost` from now on, in every budget or in none: for an attempt after one that is
  // billed. False: a budget does not cover it; what was held stays held.
  bool raise(Money cost);
  // Gives everything back and charges what was really used. `tokens` counts input and output. The
  // cost counts on the day of admission, as its row in the ledger does, whenever it ended.
  void settle(int64_t tokens, Money cost, Nanoseconds now, int64_t ended_ms);

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

// Names of subjects in the registry: "key/<key id>", "project/<project>", "team/<team>" and, for
// all keys together, "organization".
std::string key_subject(std::string_view key_id);
std::string project_subject(std::string_view project);
std::string team_subject(std::string_view team);
inline constexpr std::string_view kOrganizationSubject = "organization";

// What a subject has spent, from the ledger.
struct SpentBefore {
  std::vector<std::pair<int64_t, Money>> days;  // of the last Budgets::kDaysKept, UTC
  Money total;
  std::map<int64_t, Money> corrections = {};  // that are in these sums, by day
};

// How a budget stands.
struct BudgetStanding {
  std::string subject;
  BudgetRule rule;
  Money spent;
  Money reserved;  // by requests under way
};

class LimitRegistry {
 public:
  // The cells for that subject, made on first use; applies the rules to them.
  std::shared_ptr<LimitCells> get(std::string_view subject, const LimitRules& rules);
  // Counted in the subject's cells when they are made, which must not have happened yet.
  void remember(std::string_view subject, SpentBefore spent);
  // What the ledger's corrections of that day come to: what the subject's cells do not have of it
  // yet is counted, or taken back.
  void correct(const std::string& subject, int64_t day, Money sum, int64_t wall_ms);
  // Forgets cells that nobody else holds and that have never spent anything, so that a key that is
  // taken out and put back does not get a fresh budget. After each reload.
  void drop_unused();
  // Every budget in use, hard and soft.
  std::vector<BudgetStanding> standings(int64_t wall_ms) const;
  bool has(std::string_view subject) const { return entries_.contains(std::string(subject)); }
  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::shared_ptr<LimitCells> cells;
    std::vector<BudgetRule> budgets;
    std::map<int64_t, Money> corrections;  // that are counted, by day
  };
  std::unordered_map<std::string, Entry> entries_;
  std::unordered_map<std::string, SpentBefore> spent_;
};

}  // namespace weir::ledger
