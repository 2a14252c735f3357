#include "net/dialer.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "net/resolver.h"
#include "net/tcp.h"
#include "net/tls.h"

namespace weir::net {
namespace {

constexpr size_t kAddressesMax = 8;
constexpr Nanoseconds kAttemptDelay = Milliseconds(250);  // RFC 8305, section 5

// What the attempts of one dial share; it lies in the frame that owns them.
struct Race {
  explicit Race(Loop& loop) : changed(loop) {}
  Event changed;
  std::unique_ptr<Stream> winner;
  std::optional<Error> first_error;
  size_t failed = 0;
};

Task<void> attempt(Loop& loop, Race& race, Address address, Deadline deadline) {
  auto stream = co_await connect(loop, address, deadline);
  if (!stream) {
    ++race.failed;
    if (!race.first_error) race.first_error = std::move(stream).error();
  } else if (race.winner == nullptr) {
    race.winner = std::move(*stream);
  }
  race.changed.set();
}

Task<Result<std::unique_ptr<Stream>>> connect_first(Loop& loop, std::vector<Address> addresses,
                                                    Deadline deadline) {
  if (addresses.size() == 1) co_return co_await connect(loop, addresses.front(), deadline);
  Race race(loop);
  TaskGroup attempts(loop);  // after the race: ends before what its tasks refer to
  size_t started = 0;
  while (race.winner == nullptr) {
    const bool more = started < addresses.size();
    if (!more && race.failed == started) {
      co_return fail(race.first_error->code(),
                     fmt::format("{} ({} addresses tried)", race.first_error->message(), started));
    }
    const size_t failed_before = race.failed;
    if (more) attempts.spawn(attempt(loop, race, addresses[started++], deadline));
    // On to the next address when one has failed or the delay is over.
    while (race.winner == nullptr && race.failed == failed_before) {
      race.changed.reset();
      const bool last = started == addresses.size();
      if (!co_await race.changed.wait_for(last ? kNoDeadline : kAttemptDelay)) break;
    }
  }
  co_return std::move(race.winner);
}

}  // namespace

std::string Origin::to_text() const {
  const std::string_view scheme = tls ? "https" : "http";
  const bool v6 = host.find(':') != std::string::npos && !host.starts_with('[');
  const std::string name = v6 ? fmt::format("[{}]", host) : host;
  if (port == (tls ? 443 : 80)) return fmt::format("{}://{}", scheme, name);
  return fmt::format("{}://{}:{}", scheme, name, port);
}

Result<void> deny_internal_addresses(const Origin& origin, const Address& address) {
  const AddressKind kind = address.kind();
  if (kind == AddressKind::public_internet) return {};
  return fail(ErrorCode::permission_denied,
              fmt::format("{}: {} is a {} address, which this destination may not use",
                          origin.to_text(), address.host(), to_string(kind)));
}

SystemDialer::SystemDialer(Loop& loop, Resolver& resolver, TlsClientContext& tls, DialPolicy policy)
    : loop_(loop), resolver_(resolver), tls_(tls), policy_(std::move(policy)) {}

Task<Result<std::unique_ptr<Stream>>> SystemDialer::dial(Origin origin, Deadline deadline) {
  WEIR_CO_TRY(std::vector<Address> addresses,
              co_await resolver_.resolve(origin.host, origin.port, deadline));
  if (policy_) {
    std::optional<Error> denied;
    std::erase_if(addresses, [&](const Address& address) {
      auto allowed = policy_(origin, address);
      if (!allowed && !denied) denied = std::move(allowed).error();
      return !allowed;
    });
    if (addresses.empty() && denied) co_return fail(std::move(*denied));
  }
  if (addresses.empty()) {
    co_return fail(ErrorCode::dns_failure, fmt::format("resolve {}: no address", origin.host));
  }
  if (addresses.size() > kAddressesMax) addresses.resize(kAddressesMax);
  WEIR_CO_TRY(std::unique_ptr<Stream> stream,
              co_await connect_first(loop_, std::move(addresses), deadline));
  if (!origin.tls) co_return std::move(stream);
  TlsConnectOptions options{origin.host, origin.port, origin.alpn, origin.tls_verify};
  co_return co_await tls_connect(std::move(stream), tls_, std::move(options), deadline);
}

}  // namespace weir::net
