// weir-bare-relay PORT PROVIDER_URL: a reverse proxy of Weir's own server and client and nothing
// else: heads and bodies through, no key, no JSON, no ledger. bench/gateway measures what all the
// rest adds. Listens on 127.0.0.1; one thread; ends by a signal.
#include <cstdio>
#include <string>

#include "base/text.h"
#include "http/bare_relay/relay.h"
#include "http/client.h"
#include "http/server.h"
#include "net/tcp.h"

namespace weir::http {
namespace {

class PlainDialer final : public net::Dialer {
 public:
  PlainDialer(net::Loop& loop, net::Address address) : loop_(loop), address_(address) {}
  net::Task<Result<std::unique_ptr<net::Stream>>> dial(Origin /*origin*/,
                                                       net::Deadline deadline) override {
    return net::connect(loop_, address_, deadline);
  }

 private:
  net::Loop& loop_;
  net::Address address_;
};

int run(std::string_view port, const char* url) {
  const auto number = parse_uint64(port, 65'535);
  const Result<Origin> origin = parse_origin(url);
  if (!number || !origin) {
    std::fputs("usage: weir-bare-relay PORT http://ADDRESS:PORT\n", stderr);
    return 2;
  }
  const auto provider = net::Address::parse(origin->host, origin->port);
  if (!provider) {
    std::fputs("weir-bare-relay: the provider must be an IP address\n", stderr);
    return 2;
  }
  SystemClock clock;
  net::Loop loop(clock);
  PlainDialer dialer(loop, *provider);
  Client client(loop, dialer);
  Server server(loop, {},
                [&](ServerExchange& exchange) { return relay(client, *origin, exchange); });
  net::ListenOptions options;
  options.address = *net::Address::parse("127.0.0.1", static_cast<uint16_t>(*number));
  auto listener = net::Listener::open(loop, options);
  if (!listener) {
    std::fprintf(stderr, "weir-bare-relay: %s\n", std::string(listener.error().message()).c_str());
    return 1;
  }
  server.listen(std::move(*listener));
  loop.run();
  return 0;
}

}  // namespace
}  // namespace weir::http

int main(int argc, char** argv) {
  return weir::http::run(argc > 1 ? argv[1] : "", argc > 2 ? argv[2] : "");
}
