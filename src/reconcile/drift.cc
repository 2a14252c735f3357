#include "reconcile/drift.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <set>
#include <utility>

#include "base/text.h"
#include "reconcile/account.h"

namespace weir::reconcile {

namespace {

using ledger::kUsageClasses;
using ledger::UsageClass;

constexpr int64_t kRoundingNano = 100'000;  // a hundredth of a cent

struct Side {
  std::array<int64_t, kUsageClasses> tokens{};
  std::array<Money, kUsageClasses> costs{};
  std::map<std::string, int64_t> by_tier;
  Money cost;  // of everything

  int64_t all_tokens() const {
    int64_t sum = 0;
    for (const int64_t count : tokens) sum += count;
    return sum;
  }
};

struct Cell {
  Side ledger;
  Side provider;
  int64_t open = 0;  // tokens that nothing explains yet
  std::vector<Part> parts;
};

using Days = std::map<int64_t, Cell>;

// What a provider's lines tell at all.
struct Told {
  std::set<UsageClass> meters;
  bool money = false;
};

// "gpt-4o-2024-08-06" -> "gpt-4o": sides may name the alias or what it stood for.
std::string_view without_date(std::string_view name) {
  for (const size_t length : {size_t{11}, size_t{9}}) {
    if (name.size() <= length) continue;
    const std::string_view end = name.substr(name.size() - length);
    if (end[0] != '-' && end[0] != '@') continue;
    const bool date = std::ranges::all_of(
        end.substr(1), [](char c) { return (c >= '0' && c <= '9') || c == '-'; });
    if (date) return name.substr(0, name.size() - length);
  }
  return name;
}

std::string letters_of(std::string_view name) {
  std::string text;
  for (const char c : name) {
    const char lower = ascii_lower(c);
    if ((lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9')) text += lower;
  }
  return text;
}

// The ledger's model that a statement's name or meter tells of, else the name itself.
class Names {
 public:
  void add(const std::string& provider, std::string_view model) {
    const std::string name(without_date(model));
    models_[provider].emplace(letters_of(name), name);
  }
  std::string find(const Line& line) const {
    const std::string undated(without_date(line.model));
    const auto models = models_.find(line.provider);
    if (models != models_.end()) {
      const std::string text = letters_of(undated);
      const std::string whole = letters_of(line.model);
      const std::string* best = nullptr;
      size_t length = 0;
      for (const auto& [letters, name] : models->second) {
        const bool part = !letters.empty() && whole.find(letters) != std::string::npos;
        if (letters == text) return name;
        if (!part || letters.size() <= length) continue;
        best = &name;
        length = letters.size();
      }
      if (best != nullptr) return *best;
    }
    // Neither tokens nor a model that anybody knows: searches, code execution.
    return line.meter ? undated : std::string(kTools);
  }

 private:
  std::map<std::string, std::map<std::string, std::string>> models_;
};

UsageClass folded(UsageClass meter, const Told& told) {
  if (told.meters.contains(meter)) return meter;
  switch (meter) {
    case UsageClass::output:
    case UsageClass::output_audio:
    case UsageClass::output_image:
      return UsageClass::output;
    case UsageClass::cache_write_1h:
      return told.meters.contains(UsageClass::cache_write_5m) ? UsageClass::cache_write_5m
                                                              : UsageClass::input;
    default:
      return UsageClass::input;
  }
}

void add(Side& side, const Line& line, const Told& told) {
  if (line.cost) side.cost += *line.cost;
  if (!line.meter) return;
  const size_t meter = static_cast<size_t>(folded(*line.meter, told));
  if (line.cost) side.costs[meter] += *line.cost;
  if (!line.tokens) return;
  side.tokens[meter] += *line.tokens;
  side.by_tier[line.tier] += *line.tokens;
}

Part& part_of(Cell& cell, Kind kind) {
  for (Part& part : cell.parts) {
    if (part.kind == kind) return part;
  }
  return cell.parts.emplace_back(Part{.kind = kind});
}

void add_tokens(Cell& cell, Kind kind, int64_t tokens) {
  if (tokens != 0) part_of(cell, kind).tokens += tokens;
}

int64_t moved_between_meters(const Cell& cell) {
  int64_t more = 0;
  int64_t less = 0;
  for (size_t i = 0; i < kUsageClasses; ++i) {
    const int64_t difference = cell.provider.tokens[i] - cell.ledger.tokens[i];
    (difference > 0 ? more : less) += std::abs(difference);
  }
  return std::min(more, less);
}

int64_t moved_between_tiers(const Cell& cell) {
  std::map<std::string, int64_t> difference = cell.provider.by_tier;
  for (const auto& [tier, tokens] : cell.ledger.by_tier) difference[tier] -= tokens;
  int64_t more = 0;
  int64_t less = 0;
  for (const auto& [tier, tokens] : difference) (tokens > 0 ? more : less) += std::abs(tokens);
  return std::min(more, less);
}

// Nano-dollars a token of a meter, by the ledger over all days, else by the provider.
std::array<double, kUsageClasses> rates_of(const Days& days) {
  std::array<double, kUsageClasses> rates{};
  for (size_t i = 0; i < kUsageClasses; ++i) {
    double tokens = 0;
    double cost = 0;
    double their_tokens = 0;
    double their_cost = 0;
    for (const auto& [day, cell] : days) {
      tokens += static_cast<double>(cell.ledger.tokens[i]);
      cost += static_cast<double>(cell.ledger.costs[i].nano());
      their_tokens += static_cast<double>(cell.provider.tokens[i]);
      their_cost += static_cast<double>(cell.provider.costs[i].nano());
    }
    if (tokens > 0) {
      rates[i] = cost / tokens;
    } else if (their_tokens > 0) {
      rates[i] = their_cost / their_tokens;
    }
  }
  return rates;
}

class Model {
 public:
  Model(Days& days, const Told& told, const DriftQuery& query)
      : days_(days), told_(told), query_(query) {}

  void explain() {
    if (!told_.meters.empty()) explain_tokens();
    if (told_.money) explain_money();
  }
  bool is_provisional(int64_t day) const {
    return day > query_.today - DriftQuery::kSettledAfterDays;
  }

 private:
  void explain_tokens() {
    for (auto& [day, cell] : days_) {
      add_tokens(cell, Kind::token_class,
                 std::max(moved_between_meters(cell), moved_between_tiers(cell)));
      cell.open = cell.provider.all_tokens() - cell.ledger.all_tokens();
    }
    // What is short on one day and over on the next was counted when it ended, or the other way.
    for (auto at = days_.begin(); at != days_.end(); ++at) {
      const auto next = std::next(at);
      if (next == days_.end() || next->first != at->first + 1) continue;
      Cell& today = at->second;
      Cell& tomorrow = next->second;
      if ((today.open < 0) == (tomorrow.open < 0) || today.open == 0 || tomorrow.open == 0)
        continue;
      const int64_t moved = std::min(std::abs(today.open), std::abs(tomorrow.open));
      const int64_t sign = today.open < 0 ? -1 : 1;
      add_tokens(today, Kind::late, sign * moved);
      add_tokens(tomorrow, Kind::late, -sign * moved);
      today.open -= sign * moved;
      tomorrow.open += sign * moved;
    }
    for (auto& [day, cell] : days_) {
      if (cell.open > 0) add_tokens(cell, Kind::bypass, cell.open);
      if (cell.open < 0)
        add_tokens(cell, is_provisional(day) ? Kind::late : Kind::missing, cell.open);
    }
  }

  void explain_money() {
    const std::array<double, kUsageClasses> rates = rates_of(days_);
    for (auto& [day, cell] : days_) {
      double expected = 0;
      for (size_t i = 0; i < kUsageClasses; ++i) {
        expected += static_cast<double>(cell.provider.tokens[i] - cell.ledger.tokens[i]) * rates[i];
      }
      Money left = cell.provider.cost - cell.ledger.cost;
      const bool tokens_differ = !cell.parts.empty();
      if (tokens_differ && !told_.meters.empty()) {
        const Money priced = Money::from_nano(std::llround(expected));
        largest(cell).cost += priced;
        left -= priced;
      }
      if (left == Money{}) continue;
      const int64_t scale = std::max(cell.provider.cost.nano(), cell.ledger.cost.nano());
      if (std::abs(left.nano()) <= std::max(kRoundingNano, scale / 1'000'000)) {
        part_of(cell, Kind::rounding).cost += left;
        continue;
      }
      part_of(cell, kind_of_money(day, cell)).cost += left;
    }
    if (told_.meters.empty()) join_late_money();
  }

  // Money that is left when tokens are accounted for.
  Kind kind_of_money(int64_t day, const Cell& cell) const {
    for (const Part& part : cell.parts) {
      if (part.kind == Kind::token_class) return Kind::token_class;
    }
    if (cell.ledger.cost == Money{} && cell.ledger.all_tokens() == 0) return Kind::bypass;
    if (cell.provider.cost < cell.ledger.cost && is_provisional(day)) return Kind::late;
    const bool sold = cell.provider.cost != Money{} || cell.provider.all_tokens() != 0;
    if (!sold) return Kind::missing;
    return told_.meters.empty() ? Kind::unexplained : Kind::rate;
  }

  void join_late_money() {
    for (auto at = days_.begin(); at != days_.end(); ++at) {
      const auto next = std::next(at);
      if (next == days_.end() || next->first != at->first + 1) continue;
      for (const Kind kind : {Kind::unexplained, Kind::missing}) {
        const auto one = std::ranges::find(at->second.parts, kind, &Part::kind);
        const auto other = std::ranges::find_if(next->second.parts, [](const Part& part) {
          return part.kind == Kind::unexplained || part.kind == Kind::bypass;
        });
        if (one == at->second.parts.end() || other == next->second.parts.end()) continue;
        const int64_t both = (one->cost + other->cost).nano();
        if (std::abs(both) > kRoundingNano) continue;
        one->kind = Kind::late;
        other->kind = Kind::late;
      }
    }
  }

  static Part& largest(Cell& cell) {
    return *std::ranges::max_element(cell.parts, {},
                                     [](const Part& part) { return std::abs(part.tokens); });
  }

  Days& days_;
  const Told& told_;
  const DriftQuery& query_;
};

}  // namespace

std::string_view to_string(Kind kind) {
  switch (kind) {
    case Kind::bypass:
      return "bypass";
    case Kind::missing:
      return "missing";
    case Kind::late:
      return "late";
    case Kind::token_class:
      return "class";
    case Kind::rate:
      return "rate";
    case Kind::rounding:
      return "rounding";
    case Kind::unexplained:
      return "unexplained";
  }
  return "unexplained";
}

bool is_drift(Kind kind) {
  return kind != Kind::late && kind != Kind::rounding;
}

Reconciliation reconcile(std::span<const Line> ledger, const Statement& statement,
                         const DriftQuery& query) {
  std::map<std::string, Told> told;
  const auto inside = [&query](const Line& line) {
    return line.day >= query.from_day && line.day < query.to_day;
  };
  for (const Line& line : statement.lines) {
    if (!inside(line)) continue;
    Told& provider = told[line.provider];
    if (line.meter && line.tokens) provider.meters.insert(*line.meter);
    provider.money |= line.cost.has_value();
  }
  Names names;
  std::map<std::pair<std::string, std::string>, Days> models;
  for (const Line& line : ledger) {
    if (inside(line) && line.model != kTools) names.add(line.provider, line.model);
  }
  for (const Line& line : ledger) {
    const auto provider = told.find(line.provider);
    if (!inside(line) || provider == told.end()) continue;
    const std::string model = line.model == kTools ? line.model : names.find(line);
    Line one = line;
    // Committed in advance and not sold by the token: Anthropic's costs never have it.
    if (one.provider == "anthropic" && one.tier == "priority") one.cost.reset();
    add(models[{line.provider, model}][line.day].ledger, one, provider->second);
  }
  for (const Line& line : statement.lines) {
    if (!inside(line)) continue;
    add(models[{line.provider, names.find(line)}][line.day].provider, line, told[line.provider]);
  }
  Reconciliation made;
  for (auto& [key, days] : models) {
    Model model(days, told[key.first], query);
    model.explain();
    for (auto& [day, cell] : days) {
      std::erase_if(cell.parts,
                    [](const Part& part) { return part.tokens == 0 && part.cost == Money{}; });
      for (const Part& part : cell.parts) {
        Part& sum = made.sums[part.kind];
        sum.kind = part.kind;
        sum.tokens += part.tokens;
        sum.cost += part.cost;
      }
      made.ledger_cost += cell.ledger.cost;
      made.provider_cost += cell.provider.cost;
      made.drifts.push_back({key.first, key.second, day, model.is_provisional(day),
                             cell.ledger.all_tokens(), cell.provider.all_tokens(), cell.ledger.cost,
                             cell.provider.cost, std::move(cell.parts)});
    }
  }
  return made;
}

}  // namespace weir::reconcile
