// Messages as text, for tests that compare them with what stands in Envoy's .proto files: field
// numbers and values, `1: "name" 2: {3: 80}`. What is printable is text, what is not a message.
#pragma once

#include <string>
#include <string_view>

namespace weir::fleet::xds {

std::string print(std::string_view message);

}  // namespace weir::fleet::xds
