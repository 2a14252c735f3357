// The commands of `weir`. Each lives in a file of its own under commands/ and says everything about
// itself: options, help, examples, function. A new command is declared here, and listed in
// commands.cc. Commands run on the main thread.
#pragma once

#include "app/cli.h"

namespace weir::app {

// The whole program.
Command program();

Command serve_command();
Command check_command();
Command config_command();
Command import_command();
Command key_command();
Command user_command();
Command audit_command();
Command account_command();
Command secrets_command();
Command ledger_command();
Command prices_command();
Command reconcile_command();
Command sim_command();
Command bench_command();
Command fleet_command();
Command reference_command();
Command version_command();

}  // namespace weir::app
