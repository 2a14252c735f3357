// A keyed hash of short texts for tables whose keys strangers choose: SipHash-2-4 (Aumasson and
// Bernstein, 2012). Who does not know the key can not choose texts that meet in one place.
#pragma once

#include <cstdint>
#include <string_view>

namespace weir {

struct HashKey {
  uint64_t low = 0;
  uint64_t high = 0;
};

uint64_t keyed_hash(const HashKey& key, std::string_view text);

}  // namespace weir
