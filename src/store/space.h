// Whether a directory can be written, and how much room its disk has: found out by writing, because
// neither permissions nor a file system's flags tell of a full or failing disk. For control-plane
// threads: one small file is written and removed.
#pragma once

#include <cstdint>
#include <string>

namespace weir::store {

struct DirectoryHealth {
  bool writable = true;
  std::string problem;      // why it is not
  uint64_t free_bytes = 0;  // to this user
  uint64_t total_bytes = 0;
};

DirectoryHealth look_at_directory(const std::string& directory);

}  // namespace weir::store
