#include "identity/sign_in_guard.h"

#include <algorithm>

namespace weir::identity {

SignInGuard::Entry& SignInGuard::entry(Table& table, std::string_view key, Nanoseconds now) const {
  const auto found = table.find(std::string(key));
  if (found != table.end()) {
    if (now - found->second.touched > kMemory) found->second = {};
    return found->second;
  }
  if (table.size() >= kEntriesMax) {
    table.erase(std::ranges::min_element(
        table, {}, [](const Table::value_type& one) { return one.second.touched; }));
  }
  return table[std::string(key)];
}

void SignInGuard::count(Entry& entry, uint32_t allowed, Nanoseconds now) {
  entry.touched = now;
  if (++entry.failures < allowed) return;
  const uint32_t doublings = std::min(entry.failures - allowed, 10U);
  entry.locked_until = now + std::min(kFirstLock * (1U << doublings), kLongestLock);
  ++counts_.lockouts;
}

Nanoseconds SignInGuard::begin(std::string_view name, std::string_view address, Nanoseconds now) {
  Entry& by_name = entry(names_, name, now);
  Entry& by_address = entry(addresses_, address, now);
  const Nanoseconds until = std::max(by_name.locked_until, by_address.locked_until);
  if (until > now) {
    ++counts_.refused;
    return until - now;
  }
  ++counts_.failed;
  count(by_name, kNameFailures, now);
  count(by_address, kAddressFailures, now);
  return Nanoseconds{0};
}

Nanoseconds SignInGuard::left(std::string_view name, std::string_view address,
                              Nanoseconds now) const {
  Nanoseconds until = now;
  for (auto [table, key] : {std::pair(&names_, name), std::pair(&addresses_, address)}) {
    const auto found = table->find(std::string(key));
    if (found != table->end()) until = std::max(until, found->second.locked_until);
  }
  return until - now;
}

void SignInGuard::succeeded(std::string_view name, std::string_view address) {
  --counts_.failed;
  ++counts_.succeeded;
  names_.erase(std::string(name));
  const auto found = addresses_.find(std::string(address));
  if (found == addresses_.end()) return;
  // Others at that address may still guess: only this attempt is taken back.
  if (found->second.failures > 0) --found->second.failures;
  found->second.locked_until = Nanoseconds{0};
}

void SignInGuard::not_made(std::string_view name, std::string_view address) {
  --counts_.failed;
  ++counts_.refused;
  for (auto [table, key] : {std::pair(&names_, name), std::pair(&addresses_, address)}) {
    const auto found = table->find(std::string(key));
    if (found == table->end()) continue;
    if (found->second.failures > 0) --found->second.failures;
    found->second.locked_until = Nanoseconds{0};
  }
}

}  // namespace weir::identity
