#include "fleet/xds/test_print.h"

#include <algorithm>

#include "fleet/xds/protobuf.h"

namespace weir::fleet::xds {

std::string print(std::string_view message) {
  std::string out;
  Reader reader(message);
  while (const auto field = reader.next()) {
    if (!out.empty()) out += ' ';
    out += std::to_string(field->number) + ": ";
    if (field->type != WireType::bytes) {
      out += std::to_string(field->value);
    } else if (!field->bytes.empty() &&
               std::ranges::all_of(field->bytes, [](char c) { return c >= ' ' && c <= '~'; })) {
      out += '"' + std::string(field->bytes) + '"';
    } else {
      out += '{' + print(field->bytes) + '}';
    }
  }
  return reader.failed() ? "not a message" : out;
}

}  // namespace weir::fleet::xds
