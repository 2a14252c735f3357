#include "store/directory_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

namespace weir::store {

Result<void> make_private_directory(const std::string& path) {
  std::error_code error;
  const bool made = std::filesystem::create_directories(path, error);
  if (made && !error) {
    std::filesystem::permissions(path, std::filesystem::perms::owner_all, error);
  }
  if (!error) return {};
  return fail(ErrorCode::io_error, fmt::format("{}: {}", path, error.message()));
}

Result<DirectoryLock> DirectoryLock::take(const std::string& directory) {
  const std::string path = directory + "/weir.lock";
  DirectoryLock lock;
  lock.file_ = ::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  if (lock.file_ < 0) {
    return fail(
        errno == EACCES || errno == EROFS ? ErrorCode::permission_denied : ErrorCode::io_error,
        fmt::format("{}: {}", path, std::generic_category().message(errno)));
  }
  if (::flock(lock.file_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    return fail(ErrorCode::already_exists,
                fmt::format("{}: another Weir is using this data_dir. Every server needs one of "
                            "its own; a server that is to replace another starts when that one "
                            "has ended.",
                            directory));
  }
  return lock;
}

DirectoryLock::~DirectoryLock() {
  if (file_ >= 0) ::close(file_);
}

}  // namespace weir::store
