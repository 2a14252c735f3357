#include "ledger/row_codec.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace weir::ledger {
namespace {

// Every field once, for both directions: numbers first, then the texts.
template <class Fields, class Row>
void visit(Fields& fields, Row& row) {
  fields.id(row.id);
  fields.number(row.start_ms);
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
  for (auto* text :
       {&row.key_id, &row.team, &row.project, &row.user, &row.tags, &row.dialect, &row.endpoint,
        &row.model_asked, &row.model, &row.deployment, &row.account, &row.provider,
        &row.provider_model, &row.attempts_text, &row.error_code, &row.price_row, &row.rates}) {
    fields.text(*text);
  }
  fields.text(row.usage.service_tier);
}

// How many bytes the fields take, so that the writer needs no further checks of its room.
struct Measure {
  size_t bytes = 0;
  template <class T>
  void number(const T&) {
    bytes += sizeof(int64_t);
  }
  void money(const Money&) { bytes += sizeof(int64_t); }
  void id(const Id&) { bytes += sizeof(int64_t); }
  void text(std::string_view value) { bytes += sizeof(uint32_t) + value.size(); }
};

struct Writer {
  char* at;
  template <class T>
  void number(const T& value) {
    const auto wide = static_cast<int64_t>(value);
    std::memcpy(at, &wide, sizeof wide);
    at += sizeof wide;
  }
  void money(const Money& value) { number(value.nano()); }
  void id(const Id& value) { number(value.value()); }
  void text(std::string_view value) {
    const auto size = static_cast<uint32_t>(value.size());
    std::memcpy(at, &size, sizeof size);
    at += sizeof size;
    if (size == 0) return;
    std::memcpy(at, value.data(), size);
    at += size;
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
  template <class Text>
  void text(Text& value) {
    uint32_t size = 0;
    take(&size, sizeof size);
    good = good && in.size() >= size;
    if (!good) return;
    value = in.substr(0, size);
    in.remove_prefix(size);
  }
};

template <class Row>
Result<Row> decode(std::string_view bytes) {
  Reader reader{bytes};
  Row row;
  visit(reader, row);
  const bool known =
      static_cast<uint8_t>(row.outcome) <= static_cast<uint8_t>(Outcome::denied) &&
      static_cast<uint8_t>(row.cost_state) <= static_cast<uint8_t>(CostState::unpriced);
  if (!reader.good || !reader.in.empty() || !known) {
    return fail(ErrorCode::corrupt, "a record of a ledger row can not be read");
  }
  return row;
}

}  // namespace

template <class Text>
void encode_row(const BasicRow<Text>& row, std::string& out) {
  Measure measure;
  visit(measure, row);
  out.resize(measure.bytes);
  Writer writer{out.data()};
  visit(writer, row);
}
template void encode_row(const RequestRow& row, std::string& out);
template void encode_row(const RowView& row, std::string& out);

Result<RequestRow> decode_row(std::string_view bytes) {
  return decode<RequestRow>(bytes);
}

Result<RowView> view_row(std::string_view bytes) {
  return decode<RowView>(bytes);
}

}  // namespace weir::ledger
