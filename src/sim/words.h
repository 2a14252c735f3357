// Text of the simulator: a list of plain words to make answers of, and a way to count tokens that
// is simple enough to do in the head, so that a test can hold a ledger's counts against it.
//
// A token is the white space in front of it, then either up to eight bytes of one word (letters,
// digits, '_' and non-ASCII characters, never cut inside a character) or one other character.
// "The weather: fine" is four tokens. Pure functions; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/random.h"

namespace weir::sim {

// Bytes of the first token of `text`; all of it where there is white space only. 0 for no text.
size_t token_bytes(std::string_view text);
int64_t count_tokens(std::string_view text);
// The longest prefix of at most that many tokens.
std::string_view first_tokens(std::string_view text, int64_t tokens);

// Sentences of exactly that many tokens (punctuation is a token of its own).
std::string make_text(Random& random, int64_t tokens);

// A number that stands for the text: the same on every machine and in every run (FNV-1a, 64 bits).
uint64_t hash_text(std::string_view text, uint64_t seed = 0xCBF29CE484222325ULL);

}  // namespace weir::sim
