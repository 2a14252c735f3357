#include "app/config/surroundings.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

namespace weir::app {
namespace {

constexpr size_t kFileBytesMax = 4ULL << 20;

tl::unexpected<Error> failed(const std::string& path, int error) {
  const ErrorCode code = error == ENOENT || error == ENOTDIR ? ErrorCode::not_found
                         : error == EACCES                   ? ErrorCode::permission_denied
                                                             : ErrorCode::io_error;
  return fail(code, fmt::format("cannot read {}: {}", path, strerror(error)));
}

Result<std::string> read_whole_file(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return failed(path, errno);
  std::string text;
  char buffer[16'384];
  while (true) {
    const ssize_t got = read(fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    const int error = errno;
    if (got <= 0) {
      close(fd);
      if (got < 0) return failed(path, error);
      return text;
    }
    text.append(buffer, static_cast<size_t>(got));
    if (text.size() > kFileBytesMax) {
      close(fd);
      return fail(ErrorCode::limit_exceeded,
                  fmt::format("{} is larger than {} MiB", path, kFileBytesMax >> 20));
    }
  }
}

}  // namespace

Surroundings Surroundings::process() {
  return {[](const std::string& name) -> std::optional<std::string> {
            const char* value = std::getenv(name.c_str());  // NOLINT(concurrency-mt-unsafe)
            if (value == nullptr) return std::nullopt;
            return std::string(value);
          },
          read_whole_file};
}

Surroundings Surroundings::empty() {
  return {[](const std::string&) -> std::optional<std::string> { return std::nullopt; },
          [](const std::string& path) -> Result<std::string> {
            return fail(ErrorCode::not_found, fmt::format("no file {}", path));
          }};
}

}  // namespace weir::app
