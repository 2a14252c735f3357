// Asks a provider for its list of models with an account's credential: shows that the address
// answers and the credential is accepted, and costs nothing. One loop's thread; ends within
// kProbeTimeout.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "admin/backend.h"
#include "http/client.h"
#include "net/loop.h"
#include "provider/account.h"

namespace weir::app {

inline constexpr Milliseconds kProbeTimeout{10'000};

net::Task<admin::AccountProbe> probe_account(net::Loop& loop, http::Client& client,
                                             std::shared_ptr<const provider::Account> account);

}  // namespace weir::app
