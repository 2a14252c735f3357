#include "vault/key_ring.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "base/encoding.h"
#include "base/json/document.h"
#include "base/json/writer.h"
#include "vault/envelope.h"

namespace weir::vault {
namespace {

constexpr std::string_view kPurpose = "weir data key";

class Local final : public Wrapper {
 public:
  explicit Local(Secret key) : key_(std::move(key)) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    const std::string_view bytes = key_.reveal();
    EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_sha256(), nullptr);
    id_ = "local:" + hex_encode({reinterpret_cast<const char*>(digest), 8});
  }
  const std::string& id() const override { return id_; }
  Result<std::string> wrap(const Secret& data_key) override {
    return seal(key_, kPurpose, data_key.reveal());
  }
  Result<Secret> unwrap(std::string_view wrapped) override {
    return vault::open(key_, kPurpose, wrapped);
  }

 private:
  Secret key_;
  std::string id_;
};

class Transit final : public Wrapper {
 public:
  Transit(VaultAddress vault, std::string mount, std::string key)
      : vault_(std::move(vault)),
        mount_(std::move(mount)),
        key_(std::move(key)),
        id_("transit:" + key_) {}
  const std::string& id() const override { return id_; }

  Result<std::string> wrap(const Secret& data_key) override {
    WEIR_TRY(const Secret text,
             ask("encrypt", "plaintext", base64_encode(data_key.reveal()), "ciphertext"));
    return std::string(text.reveal());
  }
  Result<Secret> unwrap(std::string_view wrapped) override {
    WEIR_TRY(const Secret text, ask("decrypt", "ciphertext", wrapped, "plaintext"));
    auto bytes = base64_decode(text.reveal());
    if (!bytes) return fail(ErrorCode::protocol_error, "Vault's plaintext is not base64");
    return Secret(std::move(*bytes));
  }

 private:
  Result<Secret> ask(std::string_view what, std::string_view member, std::string_view value,
                     std::string_view wanted) {
    std::string body;
    json::Writer(body).begin_object().member(member, value).end_object();
    const Secret wiped(body);
    WEIR_TRY(const Secret answer,
             ask_vault(vault_, "POST", fmt::format("{}/{}/{}", mount_, what, key_), body));
    return text_of_vault(answer, wanted);
  }

  VaultAddress vault_;
  std::string mount_;
  std::string key_;
  std::string id_;
};

Error system_error(const std::string& path, std::string_view doing) {
  const ErrorCode code = errno == EACCES || errno == EPERM || errno == EROFS
                             ? ErrorCode::permission_denied
                             : ErrorCode::io_error;
  return {code,
          fmt::format("{}: cannot {}: {}", path, doing, std::generic_category().message(errno))};
}

// Written beside and linked into place: of two starts at once one wins, and none leaves a half.
Result<void> make_key_file(const std::string& path) {
  WEIR_TRY(const Secret key, random_key());
  const std::string text = hex_encode(key.reveal()) + "\n";
  const std::string beside = fmt::format("{}.{}", path, ::getpid());
  const int file = ::open(beside.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
  if (file < 0) return fail(system_error(beside, "make the file"));
  bool made = ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
              ::fsync(file) == 0;
  Error error = system_error(beside, "write the file");
  ::close(file);
  if (made && ::link(beside.c_str(), path.c_str()) != 0 && errno != EEXIST) {
    error = system_error(path, "make the file");
    made = false;
  }
  ::unlink(beside.c_str());
  if (!made) return fail(std::move(error));
  return {};
}

}  // namespace

Result<std::unique_ptr<Wrapper>> local_wrapper(const Secret& key) {
  const std::string_view text = key.reveal();
  std::optional<std::string> bytes;
  if (text.size() == kKeyBytes) {
    bytes = std::string(text);
  } else if (text.size() == 2 * kKeyBytes) {
    bytes = hex_decode(text);
  } else {
    bytes = base64_decode(text);
  }
  if (!bytes || bytes->size() != kKeyBytes) {
    return fail(ErrorCode::invalid_argument,
                "a key for secrets has 32 bytes, as 64 hexadecimal digits or in base64: "
                "openssl rand -hex 32");
  }
  return std::unique_ptr<Wrapper>(std::make_unique<Local>(Secret(std::move(*bytes))));
}

std::unique_ptr<Wrapper> transit_wrapper(VaultAddress vault, std::string mount, std::string key) {
  return std::make_unique<Transit>(std::move(vault), std::move(mount), std::move(key));
}

Result<Secret> key_of_directory(const std::string& data_dir) {
  const std::string path = data_dir + "/secrets.key";
  int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0 && errno == ENOENT) {
    WEIR_CHECK_OK(make_key_file(path));
    file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  }
  if (file < 0) return fail(system_error(path, "read the file"));
  struct stat info{};
  const bool known = ::fstat(file, &info) == 0;
  std::string text(2 * kKeyBytes + 2, '\0');
  const ssize_t size = ::read(file, text.data(), text.size());
  ::close(file);
  if (!known || size < 0) return fail(system_error(path, "read the file"));
  text.resize(static_cast<size_t>(size));
  while (text.ends_with('\n')) text.pop_back();
  Secret key(std::move(text));
  if ((info.st_mode & 0077) != 0) {
    return fail(
        ErrorCode::permission_denied,
        fmt::format("{}: others may read this key (mode {:o}); it must be 600: chmod 600 {}", path,
                    info.st_mode & 0777, path));
  }
  return key;
}

Result<KeyRing::Wrapped> KeyRing::wrap(const Secret& data_key) {
  Wrapped wrapped{current(), {}};
  WEIR_TRY(wrapped.bytes, wrappers_.front()->wrap(data_key));
  return wrapped;
}

Result<Secret> KeyRing::unwrap(const Wrapped& wrapped) {
  for (const auto& wrapper : wrappers_) {
    if (wrapper->id() == wrapped.key_id) return wrapper->unwrap(wrapped.bytes);
  }
  return fail(ErrorCode::not_found,
              fmt::format("sealed under the key {}, which is not configured (secrets.key, "
                          "secrets.previous_key, secrets.transit)",
                          wrapped.key_id));
}

}  // namespace weir::vault
