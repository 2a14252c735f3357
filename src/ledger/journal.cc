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

namespace weir::ledger {

namespace {

// Changes with the layout of a slot or a record: an older file is read by nobody else.
constexpr uint64_t kMagic = 0x5765'6972'4a6e'6c02;
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

// Every field once, for both directions.
template <class Fields, class Row>
void visit(Fields& fields, Row& row) {
  fields.id(row.id);
  fields.number(row.start_ms);
  for (auto* text : {&row.key_id, &row.team, &row.project, &row.user, &row.tags, &row.dialect,
                     &row.endpoint, &row.model_asked, &row.model, &row.deployment, &row.account,
                     &row.provider, &row.provider_model, &row.attempts_text, &row.error_code,
                     &row.usage.service_tier, &row.price_row, &row.rates}) {
    fields.text(*text);
  }
  fields.number(row.attempts);
  fields.number(row.status);
  fields.number(row.outcome);
  fields.number(row.streamed);
  for (auto* number :
       {&row.total_us, &row.ttft_us, &row.upstream_us, &row.usage.input, &row.usage.cache_read,
        &row.usage.cache_write_5m, &row.usage.cache_write_1h, &row.usage.input_audio,
        &row.usage.input_image, &row.usage.output, &row.usage.output_audio, &row.usage.output_image,
        &row.usage.reasoning, &row.usage.tool_calls, &row.config_generation, &row.bytes_in,
        &row.bytes_out}) {
    fields.number(*number);
  }
  fields.number(row.usage.reported);
  fields.number(row.cost_state);
  fields.money(row.cost);
  fields.money(row.list_cost);
  fields.id(row.corrects);
}

// How many bytes the fields take, so that writing them needs no further look at the room.
struct Measure {
  size_t bytes = 0;
  template <class T>
  void number(const T&) {
    bytes += sizeof(int64_t);
  }
  void money(const Money&) { bytes += sizeof(int64_t); }
  void id(const Id&) { bytes += sizeof(int64_t); }
  void text(const std::string& value) {
    bytes += sizeof(uint16_t) + std::min<size_t>(value.size(), UINT16_MAX);
  }
};

struct Writer {
  char* at;
  void bytes(const void* from, size_t size) {
    std::memcpy(at, from, size);
    at += size;
  }
  template <class T>
  void number(const T& value) {
    const auto wide = static_cast<int64_t>(value);
    bytes(&wide, sizeof wide);
  }
  void money(const Money& value) { number(value.nano()); }
  void id(const Id& value) { number(value.value()); }
  void text(const std::string& value) {
    const auto size = static_cast<uint16_t>(std::min<size_t>(value.size(), UINT16_MAX));
    bytes(&size, sizeof size);
    bytes(value.data(), size);
  }
};

struct Reader {
  std::string_view in;
  bool good = true;

  void take(void* to, size_t size) {
    good = good && in.size() >= size;
    if (!good) return;
    std::memcpy(to, in.data(), size);
    in.remove_prefix(size);
  }
  template <class T>
  void number(T& value) {
    int64_t wide = 0;
    take(&wide, sizeof wide);
    if (good) value = static_cast<T>(wide);
  }
  void money(Money& value) {
    int64_t nano = 0;
    number(nano);
    value = Money::from_nano(nano);
  }
  void id(Id& value) {
    int64_t wide = 0;
    number(wide);
    value = Id(wide);
  }
  void text(std::string& value) {
    uint16_t size = 0;
    take(&size, sizeof size);
    good = good && in.size() >= size;
    if (!good) return;
    value.assign(in.substr(0, size));
    in.remove_prefix(size);
  }
};

// The record of a row that is too long leaves out what matters least.
std::string record_of(const RequestRow& row) {
  std::string record = encode_row(row);
  if (record.size() <= Journal::kRecordBytes) return record;
  RequestRow shorter;
  Reader reader{record};
  visit(reader, shorter);
  for (std::string* text :
       {&shorter.tags, &shorter.attempts_text, &shorter.rates, &shorter.user, &shorter.model_asked,
        &shorter.error_code, &shorter.price_row, &shorter.provider_model, &shorter.deployment}) {
    text->clear();
    record = encode_row(shorter);
    if (record.size() <= Journal::kRecordBytes) return record;
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

std::string encode_row(const RequestRow& row) {
  Measure measure;
  visit(measure, row);
  std::string record(measure.bytes, '\0');
  Writer writer{record.data()};
  visit(writer, row);
  return record;
}

Result<RequestRow> decode_row(std::string_view bytes) {
  Reader reader{bytes};
  RequestRow row;
  visit(reader, row);
  const bool known =
      static_cast<uint8_t>(row.outcome) <= static_cast<uint8_t>(Outcome::denied) &&
      static_cast<uint8_t>(row.cost_state) <= static_cast<uint8_t>(CostState::unpriced);
  if (!reader.good || !reader.in.empty() || !known) {
    return fail(ErrorCode::corrupt, "a record of the journal can not be read");
  }
  return row;
}

Journal::Slot& Journal::slot(uint32_t index) const {
  static_assert(sizeof(Slot) == kSlotBytes);
  return *reinterpret_cast<Slot*>(base_ + kHeaderBytes + size_t{index} * kSlotBytes);
}

void Journal::put(uint32_t index, const RequestRow& row) {
  const std::string record = record_of(row);
  if (record.empty()) return;
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
  if (index == kNoSlot || base_ == nullptr) return;
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

void JournalPort::note(const RequestRow& row) {
  const auto [at, fresh] = open_.try_emplace(row.id.value());
  if (fresh) at->second = {take().value_or(Journal::kNoSlot), row.project};
  if (at->second.slot != Journal::kNoSlot) journal_.put(at->second.slot, row);
}

void JournalPort::finish(RequestRow& row) {
  const auto at = open_.find(row.id.value());
  if (at != open_.end()) {
    row.journal_slot = at->second.slot;
    if (row.project.empty()) row.project = std::move(at->second.project);
    open_.erase(at);
  } else if (row.cost.nano() > 0) {
    row.journal_slot = take().value_or(Journal::kNoSlot);
  }
  if (row.journal_slot != Journal::kNoSlot) journal_.put(row.journal_slot, row);
}

}  // namespace weir::ledger
