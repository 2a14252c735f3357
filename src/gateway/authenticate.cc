#include "base/text.h"
#include "gateway/stages.h"

namespace weir::gateway {

using dialect::ApiErrorType;

namespace {

// Whether a web page that is not of this machine sent the request from a visitor's browser. Its
// Origin says so; a page under a name that it has pointed here (DNS rebinding) says its own.
// Schemes of applications (app://, vscode-webview://) are no pages.
bool comes_from_foreign_page(const http::RequestHead& head) {
  const auto origin = head.headers.find("origin");
  if (!origin) return false;
  std::string_view host = *origin;
  if (host == "null") return true;
  if (!starts_with_ignore_case(host, "http://") && !starts_with_ignore_case(host, "https://")) {
    return false;
  }
  host.remove_prefix(host.find("://") + 3);
  if (host.starts_with("[::1]")) return host.size() > 5 && host[5] != ':';
  host = host.substr(0, host.find(':'));
  return host != "127.0.0.1" && !http::iequals(host, "localhost");
}

// "ip:port" without the port.
std::string_view ip_of(std::string_view peer) {
  peer = peer.substr(0, peer.rfind(':'));
  if (peer.starts_with('[') && peer.ends_with(']')) peer = peer.substr(1, peer.size() - 2);
  return peer;
}

bool keep_inside(Exchange& x, const access::KeyFence& fence) {
  const http::HeaderList& headers = x.client.head().headers;
  // Of several fields the last one is the nearest proxy's; joined they would mean the same.
  std::string_view forwarded;
  for (const http::Header& header : headers) {
    if (http::iequals(header.name, "x-forwarded-for")) forwarded = header.value;
  }
  if (!fence.addresses.empty() && !fence.admits(access::client_ip(ip_of(x.client.peer()), forwarded,
                                                                  x.snapshot->trusted_proxies))) {
    ++x.worker.counters.refused_keys;
    return refuse(x, ApiErrorType::permission, 403, "address_not_allowed",
                  "This API key may not be used from this address.");
  }
  if (!fence.serves(provider::to_string(x.route.operation))) {
    ++x.worker.counters.refused_keys;
    return refuse(x, ApiErrorType::permission, 403, "endpoint_not_allowed",
                  "This API key may not be used for this kind of request.");
  }
  return true;
}

}  // namespace

bool authenticate(Exchange& x) {
  const Snapshot& snapshot = *x.snapshot;
  const std::string_view key = presented_key(x.client.head());
  if (!snapshot.keys_required) {
    if (comes_from_foreign_page(x.client.head())) {
      return refuse(x, ApiErrorType::permission, 403, "cross_origin",
                    "Weir is open (no key is configured), so it does not answer to web pages of "
                    "other hosts. Configure a key to use it from a page.");
    }
    // No key is configured: everybody who can connect is served, whatever key an SDK insists on.
    x.principal = snapshot.anonymous.get();
    return true;
  }
  const auto answer = snapshot.keys.find(key, x.start_ms, x.client.kept_hash());
  x.principal = answer.principal;
  if (x.principal != nullptr) {
    return x.principal->fence == nullptr || keep_inside(x, *x.principal->fence);
  }
  ++x.worker.counters.refused_keys;
  using Refusal = access::KeyTable::Refusal;
  if (answer.refusal == Refusal::missing) {
    return refuse(x, ApiErrorType::authentication, 401, "missing_api_key",
                  "No API key was given. Send a Weir key as \"Authorization: Bearer ...\", "
                  "x-api-key, api-key or x-goog-api-key.");
  }
  if (answer.refusal == Refusal::expired) {
    return refuse(x, ApiErrorType::authentication, 401, "expired_api_key",
                  "This API key has expired. Ask whoever runs Weir for a new one.");
  }
  return refuse(x, ApiErrorType::authentication, 401, "invalid_api_key",
                "Weir does not know this API key. It takes keys that were made by Weir, not the "
                "provider's own.");
}

}  // namespace weir::gateway
