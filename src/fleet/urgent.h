// Which changes of a table cannot wait for the next time that a publisher tells of changes. Pure.
#pragma once

#include "fleet/feed.h"

namespace weir::fleet {

// Whether an endpoint lost nine tenths of its weight, or went.
bool urgent_change(const ServiceView& before, const ServiceView& after);

}  // namespace weir::fleet
