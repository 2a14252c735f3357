#include "base/result.h"

namespace weir {

std::string_view to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_argument:
      return "invalid_argument";
    case ErrorCode::not_found:
      return "not_found";
    case ErrorCode::already_exists:
      return "already_exists";
    case ErrorCode::permission_denied:
      return "permission_denied";
    case ErrorCode::limit_exceeded:
      return "limit_exceeded";
    case ErrorCode::timeout:
      return "timeout";
    case ErrorCode::cancelled:
      return "cancelled";
    case ErrorCode::closed:
      return "closed";
    case ErrorCode::connection_reset:
      return "connection_reset";
    case ErrorCode::connection_refused:
      return "connection_refused";
    case ErrorCode::dns_failure:
      return "dns_failure";
    case ErrorCode::tls_failure:
      return "tls_failure";
    case ErrorCode::protocol_error:
      return "protocol_error";
    case ErrorCode::unavailable:
      return "unavailable";
    case ErrorCode::io_error:
      return "io_error";
    case ErrorCode::corrupt:
      return "corrupt";
    case ErrorCode::internal:
      return "internal";
  }
  return "internal";
}

}  // namespace weir
