#include <vector>

#include "dialect/gemini/gemini.h"
#include "dialect/signature.h"
#include "dialect/wire.h"

namespace weir::dialect::gemini {
namespace {

// Google's framing: CRLF, no event names, no terminator; or, without alt=sse, the elements of one
// JSON array. Texts go out as they come; a call, an image and the finish with its usage go out
// whole.
class GeminiStreamWriter : public StreamWriter {
 public:
  explicit GeminiStreamWriter(const Context& context) : context_(context) {}

  void write(const StreamEvent& event, std::string& out) override {
    if (ended_) return;
    switch (event.kind) {
      case EventKind::start:
        id_ = event.id.empty() ? context_.request_id : event.id;
        model_ = context_.model.empty() ? event.name : context_.model;
        return;
      case EventKind::usage:
        usage_.merge(event.usage);
        return;
      case EventKind::ping:
        return;  // Google sends none, and an empty chunk is no chunk to its SDKs
      case EventKind::error:
        ended_ = true;
        begin_element(out);
        out.append(write_error(Dialect::gemini, event.error, context_.request_id));
        end_element(out);
        if (!context_.sse) out.push_back(']');
        return;
      case EventKind::end:
        ended_ = true;
        write_end(out);
        if (!context_.sse) out.push_back(']');
        return;
      default:
        write_candidate_event(event, out);
    }
  }

 private:
  struct Cited {
    Citation citation;
    size_t begin = 0;  // of its part, in State::text
    size_t end = 0;
  };
  struct State {
    bool open = false;
    std::string text;  // of the text parts, for what citations point to
    size_t part_begin = 0;
    std::vector<Cited> citations;
    Part part;
    StopReason stop = StopReason::end_turn;
    std::string logprobs;
  };

  void write_candidate_event(const StreamEvent& event, std::string& out) {
    if (event.candidate >= ReplyBuilder::kCandidatesMax) return;
    if (event.candidate >= states_.size()) states_.resize(event.candidate + 1);
    State& state = states_[event.candidate];
    switch (event.kind) {
      case EventKind::part_start:
        flush(event.candidate, state, out);
        state.open = true;
        state.part = {};
        state.part.kind = event.part_kind;
        state.part.id = event.id;
        state.part.name = event.name;
        state.part.media_type = event.media_type;
        state.part.origin = event.origin;
        state.part.freeform = event.freeform;
        state.part_begin = state.text.size();
        return;
      case EventKind::text_delta:
        write_text(event, state, out);
        return;
      case EventKind::args_delta:
        state.part.json.append(event.text);
        return;
      case EventKind::signature:
        state.part.signature.append(event.text);
        if (event.origin != Dialect::passthrough) state.part.origin = event.origin;
        return;
      case EventKind::citation:
        state.citations.push_back({event.citation, state.part_begin, state.part_begin});
        return;
      case EventKind::data:
        state.part.data.append(event.text);
        return;
      case EventKind::part_end:
        flush(event.candidate, state, out);
        return;
      case EventKind::logprobs:
        state.logprobs = event.text;
        return;
      case EventKind::finish:
        flush(event.candidate, state, out);
        if (event.stop != StopReason::unset) state.stop = event.stop;
        return;
      default:
        return;
    }
  }

  void write_text(const StreamEvent& event, State& state, std::string& out) {
    if (event.text.empty()) return;
    if (state.part.kind == PartKind::tool_call) {
      state.part.text.append(event.text);  // the input of a custom tool
      return;
    }
    if (state.part.kind == PartKind::text && state.text.size() <= kGroundedBytesMax) {
      state.text.append(event.text);
    }
    Part part;
    part.kind = state.part.kind == PartKind::thinking ? PartKind::thinking : PartKind::text;
    part.text = event.text;
    write_chunk(event.candidate, part, out);
  }

  // The part that ends: what of it has not been written yet.
  void flush(uint32_t candidate, State& state, std::string& out) {
    if (!state.open) return;
    state.open = false;
    Part& part = state.part;
    for (Cited& cited : state.citations) {
      if (cited.begin == state.part_begin) cited.end = state.text.size();
    }
    if (has_rest(part)) write_chunk(candidate, part, out);
    part = {};
  }

  // Texts have been written, their signatures have not.
  static bool has_rest(const Part& part) {
    switch (part.kind) {
      case PartKind::tool_call:
        return true;
      case PartKind::text:
      case PartKind::thinking:
      case PartKind::redacted_thinking:
        return !signature_field_base64(part, Dialect::gemini).empty();
      case PartKind::image:
      case PartKind::audio:
      case PartKind::document:
        return !part.data.empty();
      case PartKind::native:
        return part.origin == Dialect::gemini && !part.json.empty();
      default:
        return false;
    }
  }

  void write_chunk(uint32_t candidate, const Part& part, std::string& out) {
    begin_element(out);
    json::Writer w(out);
    w.begin_object().key("candidates").begin_array().begin_object();
    w.key("content").begin_object().key("parts").begin_array();
    write_reply_part(w, part);
    w.end_array().member("role", "model").end_object();
    w.member("index", static_cast<int64_t>(candidate)).end_object().end_array();
    write_tail(w, out);
  }

  void write_end(std::string& out) {
    if (states_.empty()) states_.resize(1);
    for (uint32_t i = 0; i < states_.size(); ++i) flush(i, states_[i], out);
    begin_element(out);
    json::Writer w(out);
    w.begin_object().key("candidates").begin_array();
    for (size_t i = 0; i < states_.size(); ++i) {
      w.begin_object().key("content").begin_object().key("parts").begin_array();
      w.begin_object().member("text", "").end_object().end_array();
      w.member("role", "model").end_object();
      w.member("finishReason", gemini_finish_reason(states_[i].stop));
      w.member("index", static_cast<int64_t>(i));
      if (const std::string logprobs = gemini_logprobs_of(states_[i].logprobs); !logprobs.empty()) {
        w.member_raw("logprobsResult", logprobs);
      }
      std::vector<Grounded> grounded;
      for (const Cited& cited : states_[i].citations) {
        grounded.push_back({&cited.citation, cited.begin, cited.end});
      }
      write_grounding(w, grounded, states_[i].text);
      w.end_object();
    }
    w.end_array().key("usageMetadata");
    write_usage(w, usage_);
    write_tail(w, out);
  }

  void write_tail(json::Writer& w, std::string& out) const {
    w.member("modelVersion", model_).member("responseId", id_).end_object();
    end_element(out);
  }

  void begin_element(std::string& out) {
    out.append(context_.sse ? "data: " : begun_ ? ",\r\n" : "[");
    begun_ = true;
    element_ = out.size();
  }
  void end_element(std::string& out) const {
    if (!context_.sse) return;
    join_lines(out, element_);
    out.append("\r\n\r\n");
  }

  const Context context_;
  std::string id_;
  std::string model_;
  Usage usage_;
  std::vector<State> states_;
  size_t element_ = 0;  // in the text that is being written: where the element begins
  bool begun_ = false;
  bool ended_ = false;
};

}  // namespace

std::unique_ptr<StreamWriter> make_stream_writer(const Context& context) {
  return std::make_unique<GeminiStreamWriter>(context);
}

}  // namespace weir::dialect::gemini
