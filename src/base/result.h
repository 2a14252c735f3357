// Result<T>: how an expected failure travels. Error is two words: a code that callers switch on,
// and a rarely allocated message for the person who reads it. Exceptions stay inside start-up code
// and third-party calls. Values only; any thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace weir {

// What went wrong, as far as a caller may act on it. Wording lives in the message and is never
// tested; codes are.
enum class ErrorCode : unsigned char {
  invalid_argument,  // the caller's input is wrong: message says what was expected and what came
  not_found,
  already_exists,
  permission_denied,
  limit_exceeded,  // a written limit (size, count, depth, queue) was reached
  timeout,         // a deadline passed
  cancelled,       // stopped on purpose: client gone, shutdown
  closed,          // orderly end where more was expected
  connection_reset,
  connection_refused,
  dns_failure,
  tls_failure,
  protocol_error,  // the peer broke the wire format
  unavailable,     // a dependency cannot serve now; trying again may help
  io_error,        // the operating system refused: message carries errno's text
  corrupt,         // stored bytes are not what was written
  internal,        // a bug in Weir
};

// The code's name as it appears in logs and metrics, e.g. "connection_refused".
std::string_view to_string(ErrorCode code);

class [[nodiscard]] Error {
 public:
  Error(ErrorCode code) : code_(code) {}  // NOLINT(google-explicit-constructor): codes are errors
  Error(ErrorCode code, std::string message)
      : code_(code), message_(std::make_unique<std::string>(std::move(message))) {}
  Error(const Error& other)
      : code_(other.code_),
        message_(other.message_ ? std::make_unique<std::string>(*other.message_) : nullptr) {}
  Error& operator=(const Error& other) {
    Error copy(other);
    return *this = std::move(copy);
  }
  Error(Error&&) noexcept = default;
  Error& operator=(Error&&) noexcept = default;
  ~Error() = default;

  ErrorCode code() const { return code_; }
  // The message, or the code's name where none was given.
  std::string_view message() const { return message_ ? *message_ : to_string(code_); }

 private:
  ErrorCode code_;
  std::unique_ptr<std::string> message_;
};

template <class T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(ErrorCode code) {
  return tl::unexpected<Error>(Error(code));
}
inline tl::unexpected<Error> fail(ErrorCode code, std::string message) {
  return tl::unexpected<Error>(Error(code, std::move(message)));
}
inline tl::unexpected<Error> fail(Error error) {
  return tl::unexpected<Error>(std::move(error));
}

}  // namespace weir

// Returns early with the error, or goes on: WEIR_TRY(auto x, parse(text));
#define WEIR_CONCAT_INNER(a, b) a##b
#define WEIR_CONCAT(a, b) WEIR_CONCAT_INNER(a, b)
#define WEIR_TRY(declaration, expression)                                     \
  auto WEIR_CONCAT(weir_try_, __LINE__) = (expression);                       \
  if (!WEIR_CONCAT(weir_try_, __LINE__))                                      \
    return ::weir::fail(std::move(WEIR_CONCAT(weir_try_, __LINE__)).error()); \
  declaration = std::move(*WEIR_CONCAT(weir_try_, __LINE__))
#define WEIR_CHECK_OK(expression)                                                      \
  do {                                                                                 \
    auto weir_check_result = (expression);                                             \
    if (!weir_check_result) return ::weir::fail(std::move(weir_check_result).error()); \
  } while (false)
