#include "app/config/surroundings.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "app/config/config.h"
#include "app/managed.h"
#include "vault/vault_client.h"

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

std::optional<std::string> variable_of_process(const std::string& name) {
  const char* value = std::getenv(name.c_str());  // NOLINT(concurrency-mt-unsafe)
  if (value == nullptr) return std::nullopt;
  return std::string(value);
}

// As Vault's own command finds it.
Result<Secret> read_vault(const std::string& path, const std::string& field) {
  const auto address = variable_of_process("VAULT_ADDR");
  if (!address) {
    return fail(ErrorCode::not_found, "the environment variable VAULT_ADDR is not set");
  }
  return vault::read_vault_field({.url = *address,
                                  .token = Secret(variable_of_process("VAULT_TOKEN").value_or("")),
                                  .name_space = variable_of_process("VAULT_NAMESPACE").value_or(""),
                                  .ca_file = variable_of_process("VAULT_CACERT").value_or("")},
                                 path, field);
}

}  // namespace

Surroundings Surroundings::process() {
  return {.variable = variable_of_process,
          .read_file = read_whole_file,
          .vault = read_vault,
          .managed = [](const Config& file) -> Result<std::vector<ManagedItem>> {
            if (!vault::Records::exist(file.data_dir)) return std::vector<ManagedItem>();
            WEIR_TRY(auto ring, make_ring(file.secrets, file.data_dir));
            WEIR_TRY(auto records, vault::Records::open(file.data_dir, std::move(ring)));
            return managed_items(records);
          }};
}

Surroundings Surroundings::empty() {
  return {[](const std::string&) -> std::optional<std::string> { return std::nullopt; },
          [](const std::string& path) -> Result<std::string> {
            return fail(ErrorCode::not_found, fmt::format("no file {}", path));
          }};
}

}  // namespace weir::app
