#include "net/local.h"

#include <fmt/format.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>

#include "net/tcp.h"

namespace weir::net {

Result<Address> local_address(std::string_view path) {
  sockaddr_un address{};
  if (path.empty() || path.size() >= sizeof address.sun_path ||
      path.find('\0') != std::string_view::npos) {
    return fail(ErrorCode::invalid_argument, fmt::format("\"{}\": expected a path of 1 to {} bytes",
                                                         path, sizeof address.sun_path - 1));
  }
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

Task<Result<std::unique_ptr<Stream>>> FixedDialer::dial(Origin, Deadline deadline) {
  return connect(loop_, address_, deadline);
}

}  // namespace weir::net
