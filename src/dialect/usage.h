// Usage: what one call consumed, in one canonical form for every provider. The classes do not
// overlap, so cost is a sum of class x price:
//
//   total input  = input + cache_read + cache_write_5m + cache_write_1h + input_audio + input_image
//   total output = output + output_audio + output_image
//   `reasoning` is the part of `output` spent on thinking: shown, never added.
//
// OpenAI's prompt_tokens includes cached tokens and Anthropic's input_tokens excludes them; the
// dialect readers subtract or not, so nobody else has to know. Counts are tokens, >= 0.
#pragma once

#include <cstdint>
#include <string>

namespace weir::dialect {

struct Usage {
  int64_t input = 0;           // uncached text input
  int64_t cache_read = 0;      // input served from the provider's prompt cache
  int64_t cache_write_5m = 0;  // input written to the cache for five minutes (Anthropic's default)
  int64_t cache_write_1h = 0;  // input written to the cache for an hour
  int64_t input_audio = 0;
  int64_t input_image = 0;  // only where the provider meters images apart from text
  int64_t output = 0;       // text and tool-call output, reasoning included
  int64_t output_audio = 0;
  int64_t output_image = 0;
  int64_t reasoning = 0;   // part of `output`
  int64_t tool_calls = 0;  // billed apiece: web searches, search units of reranking
  std::string service_tier =
      {};                 // as the provider billed it: "default", "flex", "priority", "batch"
  bool reported = false;  // the provider said these numbers (else they are an estimate)

  int64_t total_input() const {
    return input + cache_read + cache_write_5m + cache_write_1h + input_audio + input_image;
  }
  int64_t total_output() const { return output + output_audio + output_image; }

  // Streams tell usage in pieces, cumulatively, some servers with zeros where another piece had
  // the number: takes each field of `newer` that is not zero. Never adds.
  void merge(const Usage& newer);

  bool operator==(const Usage&) const = default;
};

}  // namespace weir::dialect
