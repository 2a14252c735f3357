// ResponsesTap: reads along what a client of the Responses API is told, to learn what a later call
// may refer to: ids for the pins of an account that keeps the answer itself, the whole answer where
// Weir keeps it (recall.h). Of Anthropic's messages it learns containers and the files in them. It
// changes nothing and fails silently: an answer that it cannot read is an answer that nobody can
// continue. One object per attempt; memory: one event, and the answer.
#pragma once

#include <string>
#include <string_view>

#include "dialect/sse.h"
#include "gateway/exchange.h"

namespace weir::gateway {

class ResponsesTap {
 public:
  // `kept_here`: the provider has no Responses API and the answer is translated.
  ResponsesTap(Exchange& x, bool kept_here) : x_(x), kept_here_(kept_here) {}

  // The next bytes of a stream, before the client has them.
  void feed(std::string_view bytes);
  // An answer that came whole.
  void whole(json::Value response);

 private:
  void take(const dialect::SseEvent& event);

  Exchange& x_;
  const bool kept_here_;
  bool broken_ = false;
  dialect::SseReader sse_;
  json::Document document_;
};

}  // namespace weir::gateway
