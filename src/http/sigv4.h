// AWS Signature Version 4 of one request, in its headers: arithmetic over what will be sent, no
// clock and no I/O. Source: docs.aws.amazon.com, "Create a signed AWS API request". Any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"
#include "http/headers.h"

namespace weir::http {

struct AwsCredentials {
  std::string access_key_id = {};
  Secret secret_access_key = {};
  Secret session_token = {};  // of temporary credentials, else empty

  bool empty() const { return access_key_id.empty(); }
};

struct SignedRequest {
  std::string_view method;
  std::string_view host;    // as the Host header has it
  std::string_view target;  // path and query as they go on the wire, percent-encoded
  std::span<const std::string_view> body;
  std::string_view region;
  std::string_view service;
  int64_t wall_ms = 0;
};

// AWS refuses a signature that is older or newer than this.
constexpr int64_t kSignatureSkewMaxMs = 5 * 60'000;

// Sets x-amz-date, x-amz-security-token and authorization. Signed are host, content-type and all
// headers that begin with "x-amz"; whatever else stands in `headers` may change on the way.
// internal: the cryptography failed.
Result<void> sign_v4(const SignedRequest& request, const AwsCredentials& credentials,
                     HeaderMap& headers);

// Of a request that came in: whether its authorization header is what these credentials give, for
// that region and service and at this time. permission_denied says for the developer why not.
Result<void> verify_v4(const SignedRequest& request, const HeaderList& headers,
                       const AwsCredentials& credentials);

}  // namespace weir::http
