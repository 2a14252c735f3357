// Shelf: state.db, the disk behind the keeper. Changes are gathered by the caller and written in
// one transaction. One thread: the keeper's.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"
#include "state/record.h"
#include "store/sqlite.h"
#include "store/zstd.h"

namespace weir::state {

struct PutPin {
  std::string id;
  std::string account;
  int64_t expires_ms = 0;
};
struct DropPin {
  std::string id;
};
struct DropRecord {
  std::string id;
};
using Change = std::variant<PutPin, DropPin, Record, DropRecord>;

class Shelf {
 public:
  // Opens or makes the file; one that is no database any more is moved aside.
  static Result<Shelf> open(const std::string& path);

  // All of them or none.
  Result<void> write(std::span<const Change> changes);
  Result<std::optional<Record>> find(std::string_view id, RecordKind kind);
  using OnPin =
      std::function<void(std::string_view id, std::string_view account, int64_t expires_ms)>;
  // Pins that are not over their time, the ones that end last at the end; `most` of them.
  Result<void> each_pin(int64_t now_ms, size_t most, const OnPin& on_pin);
  // Drops what is over its time, pins beyond `pins_max`, and the oldest records until `bytes_max`
  // holds. Gives the number of records that had to go before their time.
  Result<uint64_t> tidy(int64_t now_ms, size_t pins_max, uint64_t bytes_max);
  Result<uint64_t> record_bytes();

 private:
  Shelf() = default;
  Result<void> apply(const Change& change);

  store::Connection connection_;
  store::Compressor compressor_;
  store::Statement put_pin_;
  store::Statement drop_pin_;
  store::Statement put_record_;
  store::Statement drop_record_;
  store::Statement find_record_;
};

}  // namespace weir::state
