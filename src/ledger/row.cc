#include "ledger/row.h"

namespace weir::ledger {

std::string_view to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::ok:
      return "ok";
    case Outcome::error:
      return "error";
    case Outcome::aborted:
      return "aborted";
    case Outcome::truncated:
      return "truncated";
    case Outcome::denied:
      return "denied";
  }
  return "error";
}

size_t bytes_of(const Capture& capture) {
  return sizeof(Capture) + capture.request.capacity() + capture.response.capacity() +
         capture.request_content_type.capacity() + capture.response_content_type.capacity();
}

}  // namespace weir::ledger
