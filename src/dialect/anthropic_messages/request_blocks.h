// BlockWriter: the content blocks of a request, and which parts become one. Belongs to one request.
#pragma once

#include <optional>
#include <string_view>

#include "base/json/writer.h"
#include "dialect/conversation.h"

namespace weir::dialect::anthropic_messages {

class BlockWriter {
 public:
  BlockWriter(json::Writer& writer, Dropped& dropped) : w_(writer), dropped_(dropped) {}

  // Whether the API takes the part in a turn of that role; notes what it does not.
  bool can_send(const Part& part, Role role);
  // A part that can_send() let pass.
  void write(const Part& part);
  void write_text(std::string_view text, const std::optional<CacheControl>& cache);
  void write_cache(const std::optional<CacheControl>& cache);
  // The next `count` cache breakpoints are not written.
  void skip_breakpoints(size_t count) { breakpoints_skipped_ = count; }

 private:
  void write_text_part(const Part& part);
  void write_source(const Part& part);
  void write_tool_result(const Part& result);

  json::Writer& w_;
  Dropped& dropped_;
  size_t breakpoints_skipped_ = 0;
};

}  // namespace weir::dialect::anthropic_messages
