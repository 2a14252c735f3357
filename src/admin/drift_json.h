// Drifts as the admin API and `weir reconcile --json` tell them. Pure; any thread.
#pragma once

#include "base/json/writer.h"
#include "reconcile/drift.h"

namespace weir::admin {

void write_part(json::Writer& w, const reconcile::Part& part);
// Its members, into an open object.
void write_drift(json::Writer& w, const reconcile::Drift& drift);

}  // namespace weir::admin
