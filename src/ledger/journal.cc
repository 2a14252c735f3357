#include "ledger/journal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "base/log.h"
#include "ledger/row_codec.h"

namespace weir::ledger {

namespace {

// Changes with the layout of a slot or a record: an older file is read by nobody else.
constexpr uint64_t kMagic = 0x5765'6972'4a6e'6c03;
constexpr size_t kHeaderBytes = 4096;
constexpr uint64_t kAreaBit = 1;

// Tells a whole record from a torn one; nobody forges it. Four lanes of eight bytes: one
// multiplication need not wait for the one before it.
uint64_t checksum(std::string_view bytes) {
  constexpr uint64_t kFactor = 0x9e37'79b9'7f4a'7c15;
  uint64_t lanes[4] = {bytes.size(), 1, 2, 3};
  const auto add = [&lanes](const char* from) {
    uint64_t words[4];
    std::memcpy(words, from, sizeof words);
    for (size_t i = 0; i < 4; ++i) lanes[i] = std::rotl((lanes[i] ^ words[i]) * kFactor, 29);
  };
  for (; bytes.size() >= 32; bytes.remove_prefix(32)) add(bytes.data());
  if (!bytes.empty()) {
    char last[32] = {};
    std::memcpy(last, bytes.data(), bytes.size());
    add(last);
  }
  uint64_t hash = 0;
  for (const uint64_t lane : lanes) hash = std::rotl((hash ^ lane) * kFactor, 29);
  return hash;
}

// The record of a row that is too long leaves out what matters least. Empty: nothing helps.
std::string shortened(std::string_view record) {
  auto row = decode_row(record);
  if (!row) return {};
  std::string shorter;
  for (std::string* text :
       {&row->tags, &row->attempts_text, &row->rates, &row->user, &row->model_asked,
        &row->error_code, &row->price_row, &row->provider_model, &row->deployment}) {
    text->clear();
    encode_row(*row, shorter);
    if (shorter.size() <= Journal::kRecordBytes) return shorter;
  }
  return {};
}

}  // namespace

// Two areas: a record is written into the one that is not in force, then `state` turns.
struct Journal::Slot {
  // 0: free; else the size of the record, times two, and which area.
  std::atomic<uint64_t> state;
  uint64_t checksums[2];
  uint64_t reserved;
  char areas[2][kRecordBytes];
};

Journal::Slot& Journal::slot(uint32_t index) const {
  static_assert(sizeof(Slot) == kSlotBytes);
  return *reinterpret_cast<Slot*>(base_ + kHeaderBytes + size_t{index} * kSlotBytes);
}

void Journal::put(uint32_t index, std::string_view record) {
  std::string shorter;
  if (record.size() > kRecordBytes) {
    shorter = shortened(record);
    if (shorter.empty()) return;
    record = shorter;
  }
  Slot& to = slot(index);
  const uint64_t before = to.state.load(std::memory_order_relaxed);
  const uint64_t area = before == 0 ? 0 : (before & kAreaBit) ^ kAreaBit;
  std::memcpy(to.areas[area], record.data(), record.size());
  to.checksums[area] = checksum(record);
  to.state.store(record.size() << 1 | area, std::memory_order_release);
}

void Journal::read_left(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  uint64_t magic = 0;
  if (bytes.size() < kHeaderBytes) return;
  std::memcpy(&magic, bytes.data(), sizeof magic);
  if (magic != kMagic) return;
  uint64_t unreadable = 0;
  for (size_t at = kHeaderBytes; at + kSlotBytes <= bytes.size(); at += kSlotBytes) {
    uint64_t words[3] = {};
    std::memcpy(words, bytes.data() + at, sizeof words);
    const uint64_t size = words[0] >> 1;
    if (words[0] == 0) continue;
    used_ = true;
    const size_t area = words[0] & kAreaBit;
    const size_t begin = at + offsetof(Slot, areas) + area * kRecordBytes;
    const std::string_view record =
        size > kRecordBytes ? std::string_view() : std::string_view(bytes).substr(begin, size);
    auto row = decode_row(record);
    if (!row || checksum(record) != words[1 + area]) {
      ++unreadable;
      continue;
    }
    left_.push_back(std::move(*row));
  }
  if (unreadable > 0) log::error("journal_records_unreadable", {{"records", unreadable}});
}

Result<std::unique_ptr<Journal>> Journal::open(const std::string& path, uint32_t ports,
                                               uint32_t slots) {
  std::unique_ptr<Journal> journal(new Journal());
  journal->slots_per_port_ = slots;
  for (uint32_t i = 0; i < ports; ++i) {
    journal->ports_.push_back(
        std::unique_ptr<JournalPort>(new JournalPort(*journal, i * slots, slots)));
  }
  journal->read_left(path);
  const size_t size = kHeaderBytes + size_t{ports} * slots * kSlotBytes;
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) {
    return fail(ErrorCode::io_error,
                fmt::format("{}: {}", path, std::generic_category().message(errno)));
  }
  // Never smaller: what an earlier process left is in it until clear().
  struct stat info{};
  const bool known = ::fstat(file, &info) == 0;
  const size_t whole = std::max(size, known ? static_cast<size_t>(info.st_size) : 0);
  const int refused = ::posix_fallocate(file, 0, static_cast<off_t>(whole));
  void* base = refused == 0 ? ::mmap(nullptr, whole, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)
                            : MAP_FAILED;
  ::close(file);
  if (base == MAP_FAILED) {
    log::warn("journal_off",
              {{"file", path},
               {"reason", std::generic_category().message(refused == 0 ? errno : refused)}});
    return journal;
  }
  journal->base_ = static_cast<std::byte*>(base);
  journal->size_ = whole;
  return journal;
}

Journal::~Journal() {
  if (base_ != nullptr) ::munmap(base_, size_);
}

void Journal::clear() {
  if (base_ == nullptr) return;
  // Pages that nobody has used need not come into memory.
  const size_t slots = used_ ? (size_ - kHeaderBytes) / kSlotBytes : 0;
  for (uint32_t i = 0; i < slots; ++i) {
    if (slot(i).state.load(std::memory_order_relaxed) != 0) slot(i).state.store(0);
  }
  std::memcpy(base_, &kMagic, sizeof kMagic);
}

void Journal::release(uint32_t index) {
  if (index == kNoSlot || index == kNoRoom || base_ == nullptr) return;
  slot(index).state.store(0, std::memory_order_release);
  JournalPort& home = *ports_[index / slots_per_port_];
  const uint64_t tail = home.returned_tail_.load(std::memory_order_relaxed);
  home.returned_[tail % home.returned_.size()] = index;
  home.returned_tail_.store(tail + 1, std::memory_order_release);
}

uint64_t Journal::unjournaled() const {
  uint64_t sum = 0;
  for (const auto& port : ports_) sum += port->unjournaled();
  return sum;
}

JournalPort::JournalPort(Journal& journal, uint32_t first, uint32_t count)
    : journal_(journal), returned_(count) {
  // The first slot is on top: the same few pages are used over and over.
  for (uint32_t i = count; i-- > 0;) free_.push_back(first + i);
}

std::optional<uint32_t> JournalPort::take() {
  uint64_t head = returned_head_.load(std::memory_order_relaxed);
  const uint64_t tail = returned_tail_.load(std::memory_order_acquire);
  for (; head != tail; ++head) free_.push_back(returned_[head % returned_.size()]);
  returned_head_.store(head, std::memory_order_release);
  if (free_.empty() || !journal_.is_on()) {
    unjournaled_.fetch_add(1, std::memory_order_relaxed);
    return std::nullopt;
  }
  const uint32_t slot = free_.back();
  free_.pop_back();
  return slot;
}

void JournalPort::note(std::string_view record, uint32_t& slot) {
  if (slot == Journal::kNoSlot) {
    slot = take().value_or(Journal::kNoRoom);
    ++open_;
  }
  if (slot != Journal::kNoRoom) journal_.put(slot, record);
}

void JournalPort::finish(std::string_view record, uint32_t& slot, bool costs) {
  if (slot != Journal::kNoSlot) {
    --open_;
  } else if (costs) {
    slot = take().value_or(Journal::kNoRoom);
  } else {
    return;
  }
  if (slot != Journal::kNoRoom) journal_.put(slot, record);
}

}  // namespace weir::ledger
