#include "store/space.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>

namespace weir::store {
namespace {

// A page of the database: what the next commit needs at least.
constexpr size_t kProbeBytes = 4096;

// 0, or the error's number.
int write_probe(const std::string& path) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return errno;
  const std::array<char, kProbeBytes> page{};
  const ssize_t written = ::write(file, page.data(), page.size());
  const int error = written < 0 ? errno : written < static_cast<ssize_t>(page.size()) ? ENOSPC : 0;
  ::close(file);
  ::unlink(path.c_str());
  return error;
}

}  // namespace

DirectoryHealth look_at_directory(const std::string& directory) {
  DirectoryHealth health;
  struct statvfs info{};
  if (::statvfs(directory.c_str(), &info) == 0) {
    health.free_bytes = uint64_t{info.f_bavail} * info.f_frsize;
    health.total_bytes = uint64_t{info.f_blocks} * info.f_frsize;
  }
  if (const int error = write_probe(directory + "/.write-probe"); error != 0) {
    health.writable = false;
    health.problem = fmt::format("{} cannot be written: {}", directory, strerror(error));
  }
  return health;
}

}  // namespace weir::store
