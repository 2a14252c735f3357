#include "identity/role.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace weir::identity {
namespace {

constexpr RoleSet kEverybody = RoleSet::all();

constexpr PermissionRow kPermissions[] = {
    {Permission::overview_read, "overview.read",
     "Status, models, plots, weights of traffic, metrics, and the API's document", kEverybody},
    {Permission::requests_read,
     "requests.read",
     "Rows of the ledger, without what was said",
     {Role::admin, Role::operations, Role::privacy_officer, Role::viewer}},
    {Permission::content_read,
     "content.read",
     "Captured messages of requests",
     {Role::admin, Role::privacy_officer}},
    {Permission::cost_read,
     "cost.read",
     "Usage, costs, budgets and prices",
     {Role::admin, Role::operations, Role::finance, Role::viewer}},
    {Permission::cost_write,
     "cost.write",
     "Prices, corrections and reconciliation",
     {Role::admin, Role::finance}},
    {Permission::keys_read,
     "keys.read",
     "Virtual keys, without their secrets",
     {Role::admin, Role::operations, Role::finance, Role::viewer}},
    {Permission::keys_write,
     "keys.write",
     "Make, rotate and revoke virtual keys",
     {Role::admin, Role::operations}},
    {Permission::traffic_write,
     "traffic.write",
     "Pin, drain and dry-run the weights of traffic",
     {Role::admin, Role::operations}},
    {Permission::config_read,
     "config.read",
     "The configuration in force, without its secrets, and earlier generations",
     {Role::admin, Role::operations, Role::privacy_officer, Role::viewer}},
    {Permission::config_write,
     "config.write",
     "Reload the configuration, try another, go back to an earlier generation",
     {Role::admin, Role::operations}},
    {Permission::accounts_write,
     "accounts.write",
     "Make, change, test and remove accounts at providers, and models",
     {Role::admin, Role::operations}},
    {Permission::people_read,
     "people.read",
     "Users, their roles and tokens",
     {Role::admin, Role::privacy_officer}},
    {Permission::people_write,
     "people.write",
     "Make, change and remove users and their tokens",
     {Role::admin}},
    {Permission::audit_read, "audit.read", "The audit log", {Role::admin, Role::privacy_officer}},
};

}  // namespace

std::string_view to_string(Role role) {
  switch (role) {
    case Role::admin:
      return "admin";
    case Role::operations:
      return "operator";
    case Role::finance:
      return "finance";
    case Role::privacy_officer:
      return "privacy_officer";
    case Role::viewer:
      return "viewer";
  }
  return "";
}

std::optional<Role> parse_role(std::string_view name) {
  for (const Role role : kRoles) {
    if (to_string(role) == name) return role;
  }
  return std::nullopt;
}

std::string to_text(RoleSet roles) {
  std::string text;
  for (const Role role : kRoles) {
    if (roles.has(role)) text.append(text.empty() ? "" : ",").append(to_string(role));
  }
  return text;
}

Result<RoleSet> parse_roles(std::string_view text) {
  RoleSet roles;
  if (text.empty()) return roles;
  for (const std::string_view name : split(text, ',')) {
    const auto role = parse_role(trim(name));
    if (!role) {
      return fail(ErrorCode::invalid_argument, fmt::format("there is no role \"{}\"; there are {}",
                                                           trim(name), to_text(RoleSet::all())));
    }
    roles.add(*role);
  }
  return roles;
}

std::span<const PermissionRow> permissions() {
  return kPermissions;
}

std::string_view to_string(Permission permission) {
  if (permission == Permission::anyone) return "anyone";
  if (permission == Permission::signed_in) return "signed_in";
  const auto* row = std::ranges::find(kPermissions, permission, &PermissionRow::permission);
  return row == std::end(kPermissions) ? "" : row->name;
}

bool grants(RoleSet roles, Permission permission) {
  if (permission == Permission::anyone) return true;
  const auto* row = std::ranges::find(kPermissions, permission, &PermissionRow::permission);
  return row != std::end(kPermissions) && !roles.both(row->roles).empty();
}

}  // namespace weir::identity
