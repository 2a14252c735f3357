// Any bytes as an error body: there is always a message, a status and a class, and what is written
// from them is JSON that tells the same message in every dialect.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "base/utf8.h"
#include "dialect/errors.h"

namespace weir::dialect {
namespace {

void check(int status, std::string_view body) {
  const ApiError error = read_error(Dialect::openai_chat, status, body);
  WEIR_ASSERT(!error.message.empty() && is_utf8(error.message));
  WEIR_ASSERT(error.message.size() <= kErrorMessageBytesMax);
  WEIR_ASSERT(error.status >= 400 && error.status <= 599);
  for (const Dialect dialect :
       {Dialect::openai_chat, Dialect::openai_responses, Dialect::anthropic_messages,
        Dialect::gemini, Dialect::passthrough}) {
    const std::string written = write_error(dialect, error, "r");
    json::Document document;
    WEIR_ASSERT(document.parse(written));
    const int told = error_status(dialect, error);
    WEIR_ASSERT(told >= 400 && told <= 599);
    WEIR_ASSERT(read_error(dialect, told, written).message == error.message);
    const std::string event = write_stream_error(dialect, error, "r");
    WEIR_ASSERT(event.empty() || event.ends_with("\n\n") || event.ends_with("\r\n\r\n"));
  }
}

}  // namespace
}  // namespace weir::dialect

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const int status = data[0] < 200 ? 400 + data[0] : 200;
  weir::dialect::check(status, {reinterpret_cast<const char*>(data) + 1, size - 1});
  return 0;
}
