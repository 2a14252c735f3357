// ChunkReader: GenerateContentResponse objects, one after the other, as stream events. A whole
// answer is one such object (or, without alt=sse, a list of them), so both readers are this one.
// Belongs to one answer.
#pragma once

#include <string>
#include <vector>

#include "base/json/document.h"
#include "dialect/gemini/partial_args.h"
#include "dialect/stream_event.h"

namespace weir::dialect::gemini {

class ChunkReader {
 public:
  static constexpr int64_t kCandidatesMax = 128;

  void read(json::Value root, StreamEvents& out);
  // Closes what is open and tells each candidate's finish.
  void finish(StreamEvents& out);
  // There is a candidate, and none without finishReason (or the prompt was blocked).
  bool all_finished() const;
  bool has_candidates() const { return !candidates_.empty(); }

 private:
  struct Candidate {
    uint32_t part = 0;
    bool open = false;
    PartKind open_kind = PartKind::text;
    size_t calls = 0;
    PartialArgs args;       // of the open call
    std::string text;       // of its text parts so far, to find what citations point to
    size_t part_begin = 0;  // of the open text part
    std::string grounding;  // the candidate that had citations last, as JSON
    bool finished = false;
    bool blocked = false;
    std::string finish_reason;
  };

  StreamEvent& add(StreamEvents& out, EventKind kind, uint32_t candidate);
  Candidate& candidate_at(uint32_t index);
  void read_candidate(json::Value value, StreamEvents& out);
  void read_part(json::Value value, uint32_t number, Candidate& candidate, StreamEvents& out);
  void read_call(json::Value call, const std::string& signature, uint32_t number,
                 Candidate& candidate, StreamEvents& out);
  void sign(std::string_view signature, uint32_t number, StreamEvents& out);
  void read_native(json::Value value, uint32_t number, Candidate& candidate, StreamEvents& out);
  void cite(uint32_t number, Candidate& candidate, StreamEvents& out);
  static bool is_open(const Candidate& candidate, PartKind kind);
  void open(PartKind kind, uint32_t number, Candidate& candidate, StreamEvents& out);
  void close(uint32_t number, Candidate& candidate, StreamEvents& out);

  bool started_ = false;
  std::string response_id_;
  std::vector<Candidate> candidates_;
  Usage usage_;
};

}  // namespace weir::dialect::gemini
