// Composer: Config -> Snapshot. It keeps what must outlive a reload: the states of accounts and
// deployments, limit cells, counter slots. Control-plane thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "access/key_hash.h"
#include "access/key_store.h"
#include "admin/backend.h"
#include "app/config/config.h"
#include "base/result.h"
#include "gateway/snapshot.h"
#include "ledger/admission.h"
#include "provider/token.h"

namespace weir::app {

struct Composition {
  std::shared_ptr<const gateway::Snapshot> snapshot;
  std::vector<provider::TokenKeeper::Entry> tokens;
};

class Composer {
 public:
  // Counter slots are never given twice; beyond these many names a reload is refused.
  static constexpr size_t kSlotsMax = 4096;

  explicit Composer(std::shared_ptr<const access::KeyHasher> hasher) : hasher_(std::move(hasher)) {}

  // `stored` includes revoked keys. Errors: invalid_argument with what a person must change.
  // Nothing is kept of a failed one but names seen.
  Result<Composition> compose(const Config& config, const std::vector<access::StoredKey>& stored,
                              uint64_t generation, int64_t wall_ms);
  const admin::SlotNames& slot_names() const { return names_; }
  // A model of one deployment for a call that a person tries: by the provider's name, with one
  // place in the counters for all such calls. Errors: limit_exceeded.
  Result<gateway::Model> trial_model(std::shared_ptr<const provider::Account> account,
                                     const std::string& name);
  // Asked before budgets are made that were not there before, so that they know what was spent
  // without them: ledger::remember_spending(). Its errors are compose()'s.
  void on_new_budgets(std::function<Result<void>(ledger::LimitRegistry&)> remember) {
    remember_ = std::move(remember);
  }
  const ledger::LimitRegistry& limits() const { return limits_; }
  ledger::LimitRegistry& limits() { return limits_; }

 private:
  using Accounts = std::map<std::string, std::shared_ptr<const provider::Account>>;

  Result<std::shared_ptr<const provider::Account>> make_account(
      const Account& account, std::vector<provider::TokenKeeper::Entry>& tokens);
  Result<gateway::Model> make_model(const Model& model, const Accounts& accounts, int64_t wall_ms);
  // Everything that make_keys() can fail by, without changing anything.
  Result<void> check_keys(const Config& config, const std::vector<access::StoredKey>& stored) const;
  std::vector<access::KeyEntry> make_keys(const Config& config,
                                          const std::vector<access::StoredKey>& stored);
  bool has_new_budgets(const Config& config, const std::vector<access::StoredKey>& stored) const;
  // Null where there is nothing to hold.
  std::shared_ptr<ledger::LimitCells> cells_of(const std::string& subject,
                                               const ledger::LimitRules& rules);
  using Parts = std::shared_ptr<const ledger::PartLimits>;
  Parts parts_of(const std::string& subject, const access::PartRules& rules);
  Result<uint32_t> model_slot(const std::string& name);
  Result<uint32_t> deployment_slot(const provider::Deployment& deployment,
                                   const std::string& model);

  std::shared_ptr<const access::KeyHasher> hasher_;
  ledger::LimitRegistry limits_;
  std::shared_ptr<ledger::UserLimits> users_;
  std::function<Result<void>(ledger::LimitRegistry&)> remember_;
  std::map<std::string, std::shared_ptr<provider::AccountState>> account_states_;
  std::map<std::string, std::shared_ptr<provider::DeploymentState>> deployment_states_;
  std::map<std::string, uint32_t> model_slots_;
  std::map<std::string, uint32_t> deployment_slots_;
  admin::SlotNames names_;
};

// Whether a running gateway may go over to `next` by a reload. Refused (invalid_argument) is what a
// half-written file would do and nobody means: serving no model any more, or asking for no key.
// `has_stored_keys`: keys were made by the admin API, so that one is asked for in any case.
Result<void> check_reload(const Config& running, const Config& next, bool has_stored_keys);

// Where a provider is reached when an account names no endpoint.
std::string default_endpoint(const Account& account);

}  // namespace weir::app
