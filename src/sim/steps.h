// Steps: a streamed answer in the pieces it is sent in. A step is the bytes of one or more events
// and says how many tokens the model had to make for it, which is what time it takes. Made one at a
// time, so that a stream holds its reply and not its wire form. One stream each; one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "dialect/stream_event.h"
#include "dialect/translate.h"
#include "sim/script.h"

namespace weir::sim {

struct Step {
  int64_t tokens = 0;   // generated for this step
  Nanoseconds wait{0};  // besides what the tokens take
};

class Steps {
 public:
  virtual ~Steps() = default;
  // Appends the next step's bytes to `out`; false when there is none.
  virtual bool next(std::string& out, Step& step) = 0;
};

// The events of a reply, a token at a time.
class ReplySteps final : public Steps {
 public:
  // `usage` is told at the start as far as the input goes where the dialect does so (Anthropic).
  ReplySteps(const dialect::Reply& reply, dialect::Dialect dialect,
             std::unique_ptr<dialect::StreamWriter> writer, std::string preamble = {});
  bool next(std::string& out, Step& step) override;

 private:
  bool write_piece(std::string& out, Step& step);

  dialect::StreamEvents events_;
  std::unique_ptr<dialect::StreamWriter> writer_;
  std::string preamble_;
  dialect::StreamEvent piece_;  // of the event at at_, token by token
  size_t at_ = 0;
  size_t offset_ = 0;  // into that event's text
};

// Recorded chunks, in the dialect's framing and the script's split.
class RawSteps final : public Steps {
 public:
  RawSteps(const RawReply& raw, dialect::Dialect dialect);
  bool next(std::string& out, Step& step) override;

 private:
  const RawReply& raw_;
  dialect::Dialect dialect_;
  std::string bytes_;  // what is framed and not yet sent
  size_t sent_ = 0;
  size_t at_ = 0;  // the next chunk
};

// Gemini's stream without alt=sse: one JSON array, an element per event.
class ArraySteps final : public Steps {
 public:
  explicit ArraySteps(std::unique_ptr<Steps> inner) : inner_(std::move(inner)) {}
  bool next(std::string& out, Step& step) override;

 private:
  std::unique_ptr<Steps> inner_;
  bool begun_ = false;
  bool ended_ = false;
};

// The wire form of one recorded chunk.
void append_raw_chunk(std::string& out, std::string_view chunk, dialect::Dialect dialect,
                      bool crlf);
// Where the event that begins at `from` ends (behind its blank line); npos when it does not.
size_t event_end(std::string_view bytes, size_t from);
size_t count_events(std::string_view bytes);

}  // namespace weir::sim
