// Saved: the state of a Scheduler as bytes, and back. What was learned, health, holds, pins, table
// versions and the newest records survive; a scheduler that was saved and loaded goes on exactly as
// the first would have, if the seconds still open are saved with it. Versioned ("WSS1"),
// little-endian; floats by their bits. Reading is strict: every number is checked before it is
// used, and bytes that are not what was written are `corrupt`. Policy and limits are the owner's
// and not saved. Pure; the scheduler's thread.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace weir::schedule {

class Scheduler;

struct Saved {
  static constexpr uint32_t kRecordsMost = 16'384;  // of the journal

  // Appends to `out`. `open_seconds`: with the samples of seconds not yet judged.
  static void write(const Scheduler& from, bool open_seconds, std::string& out);
  // Into a scheduler that has nothing yet; takes the bytes it read off the front of `in`. Table
  // versions begin above those saved and above the scheduler's own epoch, unless
  // `same_versions`: then they are exactly those saved. After an error the scheduler must not be
  // used.
  static Result<void> read(std::string_view& in, bool same_versions, Scheduler& into);

 private:
  class Out;
  class In;
  template <class Archive, class Object>
  static void fields(Archive& archive, Object& object);
};

}  // namespace weir::schedule
