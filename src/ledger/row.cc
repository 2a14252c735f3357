#include "ledger/row.h"

#include "base/json/writer.h"

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
  list_cost = c.total;
  rates.clear();
  if (c.rates == nullptr) return;
  json::Writer w(rates);
  w.begin_object();
  for (size_t i = 0; i < kUsageClasses; ++i) {
    const auto& rate = c.rates->pico_per_token[i];
    if (rate) w.member(to_string(static_cast<UsageClass>(i)), *rate);
  }
  if (c.row->nano_per_tool_call) w.member("tool_call", *c.row->nano_per_tool_call);
  w.end_object();
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
