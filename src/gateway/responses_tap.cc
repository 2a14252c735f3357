#include "gateway/responses_tap.h"

#include <algorithm>

#include "gateway/pins.h"
#include "gateway/recall.h"

namespace weir::gateway {
namespace {

// Where an event's type is looked for when the stream has no event lines.
constexpr size_t kTypeWithin = 128;

bool is_of_interest(const dialect::SseEvent& event) {
  const std::string_view name =
      event.event.empty() ? event.data.substr(0, kTypeWithin) : event.event;
  static constexpr std::string_view kTypes[] = {"response.created", "response.completed",
                                                "response.incomplete", "response.output_item.done"};
  return std::any_of(std::begin(kTypes), std::end(kTypes),
                     [&](std::string_view type) { return name.find(type) != name.npos; });
}

}  // namespace

void ResponsesTap::feed(std::string_view bytes) {
  if (broken_ || x_.worker.keeper == nullptr) return;
  if (!sse_.feed(bytes, [this](const dialect::SseEvent& event) { take(event); })) broken_ = true;
}

void ResponsesTap::take(const dialect::SseEvent& event) {
  if (x_.route.operation == provider::Operation::generate) {
    const bool names_one = event.data.find("\"container\"") != std::string_view::npos ||
                           event.data.find("\"file_id\"") != std::string_view::npos;
    if (names_one && document_.parse(event.data, {.unique_keys_levels = 0})) {
      learn_container(x_, document_.root());
    }
    return;
  }
  if (!is_of_interest(event)) return;
  if (!document_.parse(event.data, {.unique_keys_levels = 0})) return;
  const json::Value root = document_.root();
  if (!kept_here_) {
    learn_pins(x_, root["response"].exists() ? root["response"] : root["item"]);
    return;
  }
  const json::Value type = root["type"];
  if (type.equals("response.completed") || type.equals("response.incomplete")) {
    remember_response(x_, root["response"]);
  }
}

void ResponsesTap::whole(json::Value response) {
  if (x_.worker.keeper == nullptr) return;
  if (kept_here_) {
    remember_response(x_, response);
  } else {
    learn_pins(x_, response);
  }
}

}  // namespace weir::gateway
