#include "app/commands/publish_config.h"

#include "app/config/codec.h"
#include "net/tls.h"

namespace weir::app {

template <>
const ObjectSpec& spec_of<XdsConfig>() {
  static const ObjectSpec spec =
      Table<XdsConfig>("xDS", "Serves clients of xDS over gRPC: Envoy, and gRPC's own.")
          .field("listen", &XdsConfig::listen, "Where it listens, by HTTP/2.")
          .field("tls", &XdsConfig::tls, "Serves by TLS.", {.unset = "without TLS"})
          .field("streams", &XdsConfig::streams, "Most streams at once.",
                 {.min = 1, .max = 1'000'000})
          .done();
  return spec;
}

template <>
const ObjectSpec& spec_of<HaproxyBackend>() {
  static const ObjectSpec spec =
      Table<HaproxyBackend>("Backend of HAProxy", "Which backend takes the weights of a service.")
          .field("service", &HaproxyBackend::service, "The service.", {.required = true})
          .field("backend", &HaproxyBackend::backend,
                 "Its name in haproxy.cfg. Servers are found by the endpoints' names, or else by "
                 "their addresses.",
                 {.required = true})
          .done();
  return spec;
}

template <>
const ObjectSpec& spec_of<HaproxyConfig>() {
  static const ObjectSpec spec =
      Table<HaproxyConfig>("HAProxy", "An HAProxy whose weights are set by its runtime API.")
          .field("name", &HaproxyConfig::name, "How log and metrics call it.",
                 {.unset = "its address"})
          .field("address", &HaproxyConfig::address,
                 "Its `stats socket` with `level admin`: `unix:/run/haproxy/admin.sock` or "
                 "`10.0.0.9:9999`.",
                 {.required = true})
          .field("backends", &HaproxyConfig::backends, "Its backends that follow a service.",
                 {.required = true})
          .done();
  return spec;
}

template <>
const ObjectSpec& spec_of<HaproxyAgentConfig>() {
  static const ObjectSpec spec =
      Table<HaproxyAgentConfig>("Agent checks of HAProxy",
                                "Answers `agent-check` with the share of a server's weight.")
          .field("listen", &HaproxyAgentConfig::listen, "Where it listens.")
          .done();
  return spec;
}

template <>
const ObjectSpec& spec_of<PublishConfig>() {
  static const ObjectSpec spec =
      Table<PublishConfig>("Publishers", "To whom weights go besides those who ask the API.")
          .field("xds", &PublishConfig::xds, "Clients of xDS.", {.unset = "none"})
          .field("haproxy", &PublishConfig::haproxy, "HAProxies that are told.")
          .field("haproxy_agent", &PublishConfig::haproxy_agent, "HAProxies that ask.",
                 {.unset = "none"})
          .done();
  return spec;
}

Result<fleet::PublisherOptions> publisher_options(const PublishConfig& config) {
  fleet::PublisherOptions out;
  if (config.xds) {
    WEIR_TRY(const net::Address listen, net::Address::parse(config.xds->listen.to_text()));
    out.xds.emplace(fleet::PublisherOptions::Xds{.listen = listen, .config = {}, .tls = nullptr});
    out.xds->config.streams_max = config.xds->streams;
    if (config.xds->tls) {
      WEIR_TRY(out.xds->tls,
               net::TlsServerContext::load({.certificate_file = config.xds->tls->certificate,
                                            .key_file = config.xds->tls->key,
                                            .alpn = {"h2"}}));
    }
  }
  if (config.haproxy_agent) {
    WEIR_TRY(out.haproxy_agent, net::Address::parse(config.haproxy_agent->listen.to_text()));
  }
  for (const HaproxyConfig& one : config.haproxy) {
    auto& made = out.haproxy.emplace_back();
    made.name = one.name.empty() ? one.address : one.name;
    made.address = one.address;
    for (const HaproxyBackend& backend : one.backends) {
      made.backends.push_back({backend.service, backend.backend});
    }
  }
  return out;
}

}  // namespace weir::app
