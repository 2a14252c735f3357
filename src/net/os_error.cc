#include "net/os_error.h"

#include <fmt/format.h>

#include <cerrno>
#include <system_error>

namespace weir::net {
namespace {

ErrorCode code_of(int number) {
  switch (number) {
    case ECONNREFUSED:
      return ErrorCode::connection_refused;
    case ECONNRESET:
    case ECONNABORTED:
    case EPIPE:
      return ErrorCode::connection_reset;
    case ETIMEDOUT:
      return ErrorCode::timeout;
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EHOSTDOWN:
    case ENETDOWN:
    case EADDRNOTAVAIL:
      return ErrorCode::unavailable;
    case EADDRINUSE:
      return ErrorCode::already_exists;
    case EACCES:
    case EPERM:
      return ErrorCode::permission_denied;
    default:
      return ErrorCode::io_error;
  }
}

}  // namespace

Error os_error(int number, std::string_view doing) {
  return {code_of(number), fmt::format("{}: {}", doing, std::generic_category().message(number))};
}

}  // namespace weir::net
