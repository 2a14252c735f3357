// Journal: the rows of requests that are on their way, in a file that is mapped into memory
// (data_dir/journal.bin). A record is put there before a request is sent to a provider and again
// when it is settled; it is taken out when its row is committed. Writing is copying memory, without
// a system call, and what a killed process has written stays: the next start makes rows of it, so
// no call that went out is missing on the ledger, and no budget forgets it. A power cut may lose
// what the system had not yet written back.
//
// One JournalPort per producing thread; release() belongs to the log's writer thread. Limits: one
// record of kRecordBytes per request (longer texts are left out of the journal's copy), the slots
// given at open; a request that finds none goes without and is counted.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ledger/row.h"

namespace weir::ledger {

class Journal;

class JournalPort {
 public:
  // What is known of a request before it is sent: its row (row_codec.h), should the process end
  // before the request does. A later one replaces it. `slot` belongs to the request, kNoSlot at
  // first, and says where its record lies.
  void note(std::string_view record, uint32_t& slot);
  // The request has ended: notes its row in its last form. One that was never noted is taken in if
  // it costs something. The slot goes with the row, until it is committed and released.
  void finish(std::string_view record, uint32_t& slot, bool costs);
  uint64_t unjournaled() const { return unjournaled_.load(std::memory_order_relaxed); }
  size_t open() const { return open_; }  // noted and not finished

 private:
  friend class Journal;

  JournalPort(Journal& journal, uint32_t first, uint32_t count);
  std::optional<uint32_t> take();

  Journal& journal_;
  std::vector<uint32_t> free_;
  size_t open_ = 0;
  std::atomic<uint64_t> unjournaled_{0};
  // Slots on their way back from the writer: one producer, one consumer, as many places as slots.
  std::vector<uint32_t> returned_;
  alignas(64) std::atomic<uint64_t> returned_head_{0};
  alignas(64) std::atomic<uint64_t> returned_tail_{0};
};

class Journal {
 public:
  static constexpr size_t kSlotBytes = 2048;
  static constexpr size_t kRecordBytes = 1008;
  static constexpr uint32_t kNoSlot = UINT32_MAX;      // of a request that was not noted
  static constexpr uint32_t kNoRoom = UINT32_MAX - 1;  // of one that was, when none was free

  // Opens or makes the file, `slots` for each port, all of its room taken on the disk at once: a
  // disk that fills up later does not reach it. Without that much room there is no file and the
  // journal keeps nothing; is_on() tells.
  static Result<std::unique_ptr<Journal>> open(const std::string& path, uint32_t ports,
                                               uint32_t slots);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  // What an earlier process has left; once, right after open().
  std::vector<RequestRow> take_left() { return std::move(left_); }
  // Forgets what was left: it is committed.
  void clear();

  bool is_on() const { return base_ != nullptr; }
  JournalPort& port(uint32_t index) { return *ports_[index % ports_.size()]; }
  void release(uint32_t slot);
  uint64_t unjournaled() const;

 private:
  friend class JournalPort;
  struct Slot;

  Journal() = default;
  Slot& slot(uint32_t index) const;
  void put(uint32_t index, std::string_view record);
  void read_left(const std::string& path);

  std::byte* base_ = nullptr;
  size_t size_ = 0;
  uint32_t slots_per_port_ = 0;
  std::vector<std::unique_ptr<JournalPort>> ports_;
  std::vector<RequestRow> left_;
  bool used_ = false;  // the file held records when it was opened
};

}  // namespace weir::ledger
