// Admission: all limits of everyone a request counts for (its key, its project, its team, the
// organization, the model, the end user) taken together, or none. `LimitCells` is one subject's
// cells, `RateCells` those of a subject that has no budget; `LimitRegistry` keeps
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
#include "ledger/priority.h"

namespace weir::ledger {

// Limits as configuration says them; 0 or absent: none.
struct LimitRules {
  int64_t requests_per_minute = 0;
  int64_t tokens_per_minute = 0;
  int64_t concurrency = 0;
  std::vector<BudgetRule> budgets = {};
  bool operator==(const LimitRules&) const = default;
};

struct RateCells {
  RequestRate requests;
  TokenRate tokens;
  Concurrency concurrency;

  void apply_rates(const LimitRules& rules);
};

struct LimitCells : RateCells {
  Budgets budgets;
  Gate gate;  // of a model: who waits for it

  void apply(const LimitRules& rules);
};

// Whose limits a request counts for.
struct Subject {
  std::shared_ptr<RateCells> rates;  // null: none
  Budgets* budgets = nullptr;        // of the same; null: none

  Subject() = default;
  Subject(std::shared_ptr<LimitCells> cells)  // NOLINT: a subject with all of its limits
      : rates(std::move(cells)),
        budgets(rates == nullptr ? nullptr : &static_cast<LimitCells*>(rates.get())->budgets) {}
  explicit Subject(std::shared_ptr<RateCells> cells) : rates(std::move(cells)) {}
};

// Limits of one payer for a part of what it asks for.
struct PartLimits {
  struct OfModel {
    std::string model;  // may end in '*': every model whose name begins so
    std::shared_ptr<LimitCells> cells;
  };
  std::string subject;          // of the registry
  std::vector<OfModel> models;  // the first that fits a name holds
  LimitRules users;             // of each end user; without any: none
  bool limits_users = false;

  // Null where none fits.
  const OfModel* of_model(std::string_view name) const;
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
  // Four payers, each for itself, for the model and for the user, and the model for everybody.
  static constexpr size_t kSubjectsMax = 13;

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
  friend Admission admit(std::span<const Subject> subjects, const AdmitRequest& request,
                         AdmitAnswer& answer);
  std::array<Subject, kSubjectsMax> subjects_;
  size_t count_ = 0;
  AdmitRequest request_;
};

// Takes every limit of every subject (those without cells are skipped), in this order: concurrency,
// budget, tokens, requests; undoes all when one denies. What is told is the first that denied, and
// until when all of them have room again. At most kSubjectsMax subjects.
Admission admit(std::span<const Subject> subjects, const AdmitRequest& request,
                AdmitAnswer& answer);

// Names of subjects in the registry: "key/<key id>", "project/<project>", "team/<team>" and, for
// all keys together, "organization"; "model/<model>" for everybody, and "<subject>/model/<model>"
// for a payer's requests for a model.
std::string key_subject(std::string_view key_id);
std::string project_subject(std::string_view project);
std::string team_subject(std::string_view team);
std::string model_subject(std::string_view model);
std::string model_subject(std::string_view subject, std::string_view model);
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
