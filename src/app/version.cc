#include "app/version.h"

#include <ares.h>
#include <fmt/core.h>
#include <nghttp2/nghttp2.h>
#include <openssl/crypto.h>
#include <sqlite3.h>
#include <zstd.h>

namespace weir::app {

std::string_view version() {
  return WEIR_VERSION;
}

std::string_view commit() {
  return WEIR_COMMIT;
}

std::string build_description() {
  std::string text = fmt::format("clang {}, {}", __clang_version__, WEIR_BUILD_TYPE);
  while (text.ends_with(' ')) text.pop_back();
#if defined(__x86_64__)
  text += ", x86_64";
#elif defined(__aarch64__)
  text += ", aarch64";
#endif
  if (std::string_view(WEIR_SANITIZERS) != "") text += fmt::format(", {}", WEIR_SANITIZERS);
  return text;
}

std::vector<std::pair<std::string, std::string>> linked_libraries() {
  return {
      {"OpenSSL", OpenSSL_version(OPENSSL_VERSION)},
      {"SQLite", sqlite3_libversion()},
      {"c-ares", ares_version(nullptr)},
      {"zstd", ZSTD_versionString()},
      {"nghttp2", nghttp2_version(0)->version_str},
      {"fmt",
       fmt::format("{}.{}.{}", FMT_VERSION / 10'000, FMT_VERSION / 100 % 100, FMT_VERSION % 100)},
      {"yaml-cpp", WEIR_YAML_CPP_VERSION},
  };
}

}  // namespace weir::app
