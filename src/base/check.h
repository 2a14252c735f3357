// WEIR_ASSERT: states that only a bug of ours can bring about stop the process, in every build,
// with the place on stderr. Never for what a peer, a file or a person could send. Any thread.
#pragma once

namespace weir {

// Prints the condition and its place to stderr and aborts.
[[noreturn]] void assert_failed(const char* condition, const char* file, int line);

}  // namespace weir

#define WEIR_ASSERT(condition) \
  (static_cast<bool>(condition) ? void() : ::weir::assert_failed(#condition, __FILE__, __LINE__))
