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
const ObjectSpec& spec_of<NacosServer>() {
  static const ObjectSpec spec =
      Table<NacosServer>("Nacos server", "Where a Nacos is, by its open API of version 2.")
          .field("url", &NacosServer::url, "Such as `http://nacos:8848`.", {.required = true})
          .field("namespace", &NacosServer::name_space, "Its id.", {.unset = "public"})
          .field("user", &NacosServer::user, "With whose name Weir logs in.", {.unset = "nobody"})
          .field("password", &NacosServer::password, "That user's.")
          .done();
  return spec;
}

template <>
const ObjectSpec& spec_of<NacosService>() {
  static const ObjectSpec spec =
      Table<NacosService>("Service in Nacos", "Which service of Nacos takes the weights of one.")
          .field("service", &NacosService::service, "The service.", {.required = true})
          .field("name", &NacosService::name, "Its name in Nacos.", {.unset = "the same"})
          .field("group", &NacosService::group, "Its group in Nacos.")
          .done();
  return spec;
}

template <>
const ObjectSpec& spec_of<NacosConfig>() {
  static const ObjectSpec spec =
      Table<NacosConfig>("Nacos", "A Nacos whose instances are given weights. Dubbo ignores them.")
          .field("name", &NacosConfig::name, "How log and metrics call it.",
                 {.unset = "its address"})
          .field("server", &NacosConfig::server, "Where it is.", {.required = true})
          .field("writes_per_second", &NacosConfig::writes_per_second,
                 "Most weights written; each is a write of its whole cluster.",
                 {.min = 1, .max = 10'000})
          .field("services", &NacosConfig::services, "Which services.", {.required = true})
          .done();
  return spec;
}

template <>
const ObjectSpec& spec_of<DubboConfig>() {
  static const ObjectSpec spec =
      Table<DubboConfig>("Dubbo", "Consumers of Dubbo, told by override rules in a Nacos.")
          .field("name", &DubboConfig::name, "How log and metrics call it.",
                 {.unset = "its address"})
          .field("server", &DubboConfig::server, "Their configuration center.", {.required = true})
          .field("applications", &DubboConfig::applications,
                 "The consumers' applications: the rule of each names the providers.",
                 {.required = true})
          .field("services", &DubboConfig::services, "Whose endpoints are the providers.",
                 {.required = true})
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
          .field("nacos", &PublishConfig::nacos, "Weights of Nacos' instances.")
          .field("dubbo", &PublishConfig::dubbo, "Override rules of Dubbo.")
          .done();
  return spec;
}

namespace {

Result<fleet::nacos::Address> nacos_address(const NacosServer& server) {
  WEIR_TRY(fleet::nacos::Address address, fleet::nacos::parse_address(server.url));
  address.space = server.name_space;
  address.user = server.user;
  address.password = server.password;
  return address;
}

}  // namespace

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
  for (const NacosConfig& one : config.nacos) {
    auto& made = out.nacos.emplace_back();
    made.name = one.name.empty() ? one.server.url : one.name;
    WEIR_TRY(made.address, nacos_address(one.server));
    made.writes_per_second = one.writes_per_second;
    for (const NacosService& service : one.services) {
      made.services.push_back({.service = service.service,
                               .name = service.name.empty() ? service.service : service.name,
                               .group = service.group});
    }
  }
  for (const DubboConfig& one : config.dubbo) {
    auto& made = out.dubbo.emplace_back();
    made.name = one.name.empty() ? one.server.url : one.name;
    WEIR_TRY(made.address, nacos_address(one.server));
    made.applications = one.applications;
    made.services = one.services;
  }
  return out;
}

}  // namespace weir::app
