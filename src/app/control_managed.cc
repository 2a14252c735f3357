// The control plane's half that keeps what is managed beside the file (managed.h): a change is
// loaded, checked, stored and swapped in, or nothing happens.
#include <fmt/format.h>

#include <algorithm>

#include "app/account_probe.h"
#include "app/control_plane.h"
#include "app/price_overrides.h"
#include "base/log.h"

namespace weir::app {
namespace {

// For a worker that is busy.
constexpr Milliseconds kTrialGrace{5'000};

}  // namespace

Result<void> ControlPlane::open_records(const Config& config) {
  WEIR_TRY(auto ring, make_ring(config.secrets, config.data_dir));
  if (records_) {
    records_->use(std::move(ring));
    return {};
  }
  WEIR_TRY(records_, vault::Records::open(config.data_dir, std::move(ring)));
  WEIR_TRY(records_version_, records_->foreign_changes());
  return {};
}

Result<std::vector<ManagedItem>> ControlPlane::managed(const Config& file, const Change* change) {
  Config config;
  config.secrets = file.secrets;
  config.data_dir = options_.data_dir.empty() ? file.data_dir : options_.data_dir;
  // One server, one directory: a file that names another waits for a restart.
  if (records_) config.data_dir = config_.data_dir;
  std::vector<ManagedItem> items;
  if (records_ || vault::Records::exist(config.data_dir)) {
    const auto ring = records_ ? records_->ring() : nullptr;
    WEIR_CHECK_OK(open_records(config));
    auto found = managed_items(*records_);
    // A reload that is refused leaves the keys that are in force.
    if (!found && ring != nullptr) records_->use(ring);
    if (!found) return fail(std::move(found).error());
    items = std::move(*found);
  }
  if (change == nullptr) return items;
  const std::string section(section_of_kind(change->kind));
  std::erase_if(items, [&](const ManagedItem& item) {
    return item.section == section && item.name == change->name;
  });
  if (!change->text.empty()) items.push_back({section, change->name, change->text});
  return items;
}

Result<std::vector<admin::ConfiguredObject>> ControlPlane::configured(std::string_view kind) {
  vault::Listing listing;
  if (records_) {
    WEIR_TRY(listing, records_->list());
  }
  std::vector<admin::ConfiguredObject> objects;
  const auto add = [&](const std::string& name) {
    admin::ConfiguredObject object{.name = name, .definition = shown(config_, kind, name)};
    for (const vault::Record& record : listing.records) {
      if (record.kind != kind || record.name != name) continue;
      object.from_file = false;
      object.key_id = record.key_id;
      object.created_ms = record.created_ms;
      object.changed_ms = record.changed_ms;
    }
    objects.push_back(std::move(object));
  };
  if (kind == "account") {
    for (const Account& account : config_.accounts) add(account.name);
  } else {
    for (const Model& model : config_.models) add(model.name);
  }
  return objects;
}

Result<vault::Record> ControlPlane::record_of(std::string_view kind, const std::string& name) {
  vault::Listing listing;
  if (records_) {
    WEIR_TRY(listing, records_->list());
  }
  for (vault::Record& record : listing.records) {
    if (record.kind == kind && record.name == name) return std::move(record);
  }
  if (!shown(config_, kind, name).empty()) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("the {} \"{}\" stands in the file: it is changed there", kind, name));
  }
  return fail(ErrorCode::not_found, fmt::format("there is no {} \"{}\"", kind, name));
}

Result<void> ControlPlane::make_change(const Change& change) {
  const bool there = !shown(config_, change.kind, change.name).empty();
  const Origin origin{change.by, fmt::format("the {} \"{}\" was {}", change.kind, change.name,
                                             change.text.empty() ? "removed"
                                             : there             ? "changed"
                                                                 : "made")};
  WEIR_TRY(Config next, load_config({.change = &change}));
  if (!records_) WEIR_CHECK_OK(open_records(config_));
  const auto before = record_of(change.kind, change.name);
  const auto store = [this, &change](const Secret& text) {
    return text.empty() ? records_->remove(change.kind, change.name)
                        : records_->put(change.kind, change.name, text, clock_.wall_ms());
  };
  WEIR_CHECK_OK(store(change.text));
  if (auto generation = apply(std::move(next), origin); !generation) {
    // It could be read and not be served: as it was.
    if (auto undone = store(before ? before->text : Secret()); !undone) {
      log::error("managed_not_undone", {{"problem", undone.error().message()}});
    }
    return fail(generation.error());
  }
  return {};
}

Result<void> ControlPlane::add_configured(std::string_view kind, json::Value object,
                                          const std::string& by) {
  WEIR_CHECK_OK(check_managed(kind, object));
  const std::string name = object["name"].string_or("");
  if (!shown(config_, kind, name).empty()) {
    return fail(ErrorCode::already_exists, fmt::format("there is a {} \"{}\"", kind, name));
  }
  return make_change({std::string(kind), name, Secret(std::string(object.raw())), by});
}

Result<void> ControlPlane::change_configured(std::string_view kind, const std::string& name,
                                             json::Value change, const std::string& by) {
  if (change["name"].exists() && !change["name"].equals(name)) {
    return fail(ErrorCode::invalid_argument, "name: stays as it is");
  }
  WEIR_TRY(const vault::Record record, record_of(kind, name));
  json::Document before;
  WEIR_CHECK_OK(before.parse(record.text.reveal()));
  const Secret text(merged(before.root(), change));
  json::Document after;
  WEIR_CHECK_OK(after.parse(text.reveal()));
  WEIR_CHECK_OK(check_managed(kind, after.root()));
  return make_change({std::string(kind), name, text, by});
}

Result<void> ControlPlane::remove_configured(std::string_view kind, const std::string& name,
                                             const std::string& by) {
  WEIR_CHECK_OK(record_of(kind, name));
  return make_change({std::string(kind), name, {}, by});
}

net::Task<Result<admin::AccountProbe>> ControlPlane::probe(std::string name) {
  const auto& accounts = snapshot_->accounts;
  const auto found = std::find_if(accounts.begin(), accounts.end(),
                                  [&](const auto& account) { return account->name == name; });
  if (found == accounts.end()) {
    co_return fail(ErrorCode::not_found, fmt::format("there is no account \"{}\"", name));
  }
  const auto account = *found;
  co_return co_await probe_account(loop_, clients_->client(account->transport), account);
}

net::Task<Result<admin::AccountProbe>> ControlPlane::try_account(std::string name,
                                                                 std::string model) {
  const auto& accounts = snapshot_->accounts;
  const auto found = std::find_if(accounts.begin(), accounts.end(),
                                  [&](const auto& account) { return account->name == name; });
  if (found == accounts.end()) {
    co_return fail(ErrorCode::not_found, fmt::format("there is no account \"{}\"", name));
  }
  auto snapshot = std::make_shared<gateway::Snapshot>();
  snapshot->generation = snapshot_->generation;
  snapshot->accounts = {*found};
  WEIR_CO_TRY(snapshot->prices, price_book(config_));
  WEIR_CO_TRY(gateway::Model asked, composer_->trial_model(*found, model));
  snapshot->models.push_back(std::move(asked));
  struct Waiting {
    explicit Waiting(net::Loop& loop) : over(loop) {}
    net::Event over;
    std::optional<gateway::TrialEnd> end;
  };
  auto waiting = std::make_shared<Waiting>(loop_);
  const Nanoseconds begun = loop_.now();
  plane_->try_model(loop_, std::move(snapshot), [waiting](gateway::TrialEnd end) {
    waiting->end = std::move(end);
    waiting->over.set();
  });
  co_await waiting->over.wait_for(gateway::kProbeMost + kTrialGrace);
  if (!waiting->end) co_return fail(ErrorCode::timeout, "the call has not ended yet");
  const gateway::TrialEnd& end = *waiting->end;
  co_return admin::AccountProbe{
      .ok = end.ok,
      .status = end.status,
      .failure = end.failure,
      .detail = end.detail,
      .models = {model},
      .took = std::chrono::duration_cast<Milliseconds>(loop_.now() - begun),
      .request_id = end.request_id,
      .input_tokens = end.input_tokens,
      .output_tokens = end.output_tokens,
      .cost = end.cost.total,
      .cost_state = std::string(ledger::to_string(end.cost.state))};
}

// What `weir account` and `weir secrets` changed beside this process.
void ControlPlane::watch_records() {
  if (!records_) {
    if (vault::Records::exist(config_.data_dir)) reload_and_log("accounts were made");
    return;
  }
  const auto version = records_->foreign_changes();
  if (!version || *version == records_version_) return;
  records_version_ = *version;
  reload_and_log("what is managed changed");
}

}  // namespace weir::app
