// Principal: who a request is for, from the key it presented. Immutable, part of the snapshot;
// the limit cells it points to are shared and live on across snapshots.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "access/key_fence.h"
#include "ledger/admission.h"
#include "ledger/priority.h"

namespace weir::access {

struct Principal {
  std::string key_id;  // configuration: the key's name; made by the admin API: an Id
  std::string name;
  std::string team;                 // empty: none
  std::string project;              // empty: none
  std::vector<std::string> models;  // names of models it may ask for; empty: all
  std::vector<std::pair<std::string, std::string>> tags;
  std::optional<bool> capture;                         // keep bodies of its requests
  int64_t expires_ms = 0;                              // wall time; 0: never
  std::shared_ptr<const KeyFence> fence;               // null: usable from anywhere, for all
  std::string masked;                                  // for display
  std::shared_ptr<ledger::LimitCells> key_limits;      // null: none
  std::shared_ptr<ledger::LimitCells> project_limits;  // null: none, here and below
  std::shared_ptr<ledger::LimitCells> team_limits;
  std::shared_ptr<ledger::LimitCells> organization_limits;

  // Everyone whose limits and budgets its requests count for, from near to far; entries may be
  // null.
  static constexpr std::array<std::string_view, 4> kPayers = {
      "this key", "this key's project", "this key's team", "the organization"};
  std::array<ledger::Subject, 4> payers() const {
    return {key_limits, project_limits, team_limits, organization_limits};
  }
  // Of the payers, in the same order: their limits for single models and end users; null: none.
  std::array<std::shared_ptr<const ledger::PartLimits>, 4> parts;
  ledger::Priority priority = ledger::Priority::normal;

  // An entry may end in '*': every model whose name begins so.
  bool may_use(std::string_view model) const;
  bool expired(int64_t wall_ms) const { return expires_ms != 0 && wall_ms >= expires_ms; }
};

}  // namespace weir::access
