// weir fleet serve. Runs on the main thread until a signal.
#pragma once

#include "app/cli.h"

namespace weir::app {

int run_fleet_serve(const Arguments& arguments, Terminal& terminal);

}  // namespace weir::app
