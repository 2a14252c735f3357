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

void RequestRow::set_cost(const Cost& c) {
  cost = c.total;
  cost_state = c.state;
  price_row = c.row_id();
  list_cost = c.list;
  rates = rates_text(c);
}

size_t RequestRow::bytes() const {
  size_t size = sizeof(RequestRow);
  for (const std::string* text :
       {&key_id, &team, &project, &user, &tags, &dialect, &endpoint, &model_asked, &model,
        &deployment, &account, &provider, &provider_model, &attempts_text, &error_code,
        &usage.service_tier, &price_row, &rates}) {
    // Texts inside the string object's own buffer are counted with the row.
    if (text->capacity() > 15) size += text->capacity() + 1;
  }
  if (capture != nullptr) {
    size += sizeof(Capture) + capture->request.capacity() + capture->response.capacity() +
            capture->request_content_type.capacity() + capture->response_content_type.capacity();
  }
  return size;
}

}  // namespace weir::ledger
