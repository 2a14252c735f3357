#include "gateway/snapshot.h"

#include <algorithm>

namespace weir::gateway {

const Model* Snapshot::find_model(std::string_view name) const {
  const auto at = std::lower_bound(
      models.begin(), models.end(), name,
      [](const Model& model, std::string_view wanted) { return model.name < wanted; });
  return at != models.end() && at->name == name ? &*at : nullptr;
}

}  // namespace weir::gateway
