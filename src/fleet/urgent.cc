#include "fleet/urgent.h"

namespace weir::fleet {

// Both are in order of name.
bool urgent_change(const ServiceView& before, const ServiceView& after) {
  auto now = after.endpoints.begin();
  for (const EndpointView& old : before.endpoints) {
    while (now != after.endpoints.end() && now->info->name < old.info->name) ++now;
    const bool gone = now == after.endpoints.end() || now->info->name != old.info->name;
    if (old.weight > 0 && (gone || now->weight * 10 <= old.weight)) return true;
  }
  return false;
}

}  // namespace weir::fleet
