// docs/reference/roles.md: what each role may do, from the table of permissions, and which route it
// may call, from the table of routes. A test of admin/ drives every cell of it.
#include <fmt/format.h>

#include "admin/routes.h"
#include "app/reference/pages.h"
#include "identity/role.h"

namespace weir::app {
namespace {

std::string role_columns() {
  std::string out;
  for (const identity::Role role : identity::kRoles) {
    out += fmt::format(" {} |", identity::to_string(role));
  }
  return out;
}

std::string cells(identity::Permission permission) {
  std::string out;
  for (const identity::Role role : identity::kRoles) {
    const bool may = permission == identity::Permission::signed_in ||
                     identity::grants(identity::RoleSet{role}, permission);
    out += may ? " yes |" : " |";
  }
  return out;
}

}  // namespace

std::string roles_page() {
  std::string rule;
  for (size_t i = 0; i < identity::kRoles.size(); ++i) rule += "---|";
  std::string out = fmt::format(
      "# Roles\n\n<!-- Printed by `weir reference roles`. Do not edit: run\n"
      "     `weir reference roles > docs/reference/roles.md`. -->\n\n"
      "What is not marked is refused: 401 to who is nobody, 403 to who lacks the role. "
      "[people.md](../people.md)\nsays how people get roles. `admin.token` has the role admin.\n\n"
      "## Permissions\n\n| permission | lets one see or do |{}\n|---|---|{}\n",
      role_columns(), rule);
  for (const identity::PermissionRow& row : identity::permissions()) {
    out += fmt::format("| `{}` | {} |{}\n", row.name, row.doc, cells(row.permission));
  }
  out += fmt::format("\n## Routes\n\n| request | permission | anonymous |{}\n|---|---|---|{}\n",
                     role_columns(), rule);
  for (const admin::Route& route : admin::routes()) {
    out += fmt::format("| `{} {}` | `{}` |{}{}\n", route.method, route.path,
                       identity::to_string(route.permission),
                       route.permission == identity::Permission::anyone ? " yes |" : " |",
                       cells(route.permission));
  }
  return out;
}

}  // namespace weir::app
