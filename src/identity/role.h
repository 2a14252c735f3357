// Roles and what each may do. A route of the admin API names the permission it needs; who has no
// role that grants it is refused, so what nobody thought of is closed. Values; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace weir::identity {

enum class Role : uint8_t { admin, operations, finance, privacy_officer, viewer };
inline constexpr std::array kRoles = {Role::admin, Role::operations, Role::finance,
                                      Role::privacy_officer, Role::viewer};

// "admin", "operator", "finance", "privacy_officer", "viewer".
std::string_view to_string(Role role);
std::optional<Role> parse_role(std::string_view name);

class RoleSet {
 public:
  constexpr RoleSet() = default;
  constexpr RoleSet(std::initializer_list<Role> roles) {
    for (const Role role : roles) add(role);
  }
  constexpr void add(Role role) { bits_ |= bit(role); }
  constexpr bool has(Role role) const { return (bits_ & bit(role)) != 0; }
  constexpr bool empty() const { return bits_ == 0; }
  // Whether every role of the other is here too.
  constexpr bool covers(RoleSet other) const { return (other.bits_ & ~bits_) == 0; }
  constexpr RoleSet both(RoleSet other) const {
    RoleSet set;
    set.bits_ = bits_ & other.bits_;
    return set;
  }
  constexpr bool operator==(const RoleSet&) const = default;
  static constexpr RoleSet all() {
    return {Role::admin, Role::operations, Role::finance, Role::privacy_officer, Role::viewer};
  }

 private:
  static constexpr uint8_t bit(Role role) {
    return static_cast<uint8_t>(1U << static_cast<uint8_t>(role));
  }
  uint8_t bits_ = 0;
};

// "admin,finance", in the order of kRoles.
std::string to_text(RoleSet roles);
// The same back; unknown names are invalid_argument.
Result<RoleSet> parse_roles(std::string_view text);

// What a request may do. `anyone` asks for nothing, `signed_in` for a person, a service account or
// a token without regard to its role; every other one for a role that grants it.
enum class Permission : uint8_t {
  anyone,
  signed_in,
  overview_read,
  requests_read,
  content_read,
  cost_read,
  cost_write,
  keys_read,
  keys_write,
  traffic_write,
  config_read,
  config_write,
  accounts_write,
  people_read,
  people_write,
  audit_read,
};

struct PermissionRow {
  Permission permission;
  std::string_view name;
  std::string_view doc;  // "Read the ledger's rows, without messages"
  RoleSet roles;         // that have it
};

// Every permission that roles grant, in the order of the documentation.
std::span<const PermissionRow> permissions();
std::string_view to_string(Permission permission);
// Whether one of the roles grants it. `anyone` is granted to all, `signed_in` to nobody: that is
// not a matter of roles.
bool grants(RoleSet roles, Permission permission);

}  // namespace weir::identity
