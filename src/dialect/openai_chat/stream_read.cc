#include <algorithm>
#include <string>
#include <vector>

#include "base/utf8.h"
#include "dialect/errors.h"
#include "dialect/openai_chat/openai_chat.h"
#include "dialect/usage_json.h"
#include "dialect/wire.h"

namespace weir::dialect::openai_chat {
namespace {

// Tells from fragments whether a tool call's arguments are a whole JSON object by now.
class ObjectTracker {
 public:
  void add(std::string_view fragment) {
    for (const char c : fragment) {
      if (escaped_) {
        escaped_ = false;
      } else if (in_string_) {
        escaped_ = c == '\\';
        in_string_ = c != '"';
      } else if (c == '"') {
        in_string_ = true;
      } else if (c == '{' || c == '[') {
        ++depth_;
        begun_ = true;
      } else if (c == '}' || c == ']') {
        --depth_;
      }
    }
  }
  bool complete() const { return begun_ && depth_ <= 0 && !in_string_; }
  // A custom tool's input is any text: what follows it tells that it is whole.
  void set_freeform() { freeform_ = true; }
  bool over() const { return freeform_ || complete(); }

 private:
  int64_t depth_ = 0;
  bool begun_ = false;
  bool in_string_ = false;
  bool escaped_ = false;
  bool freeform_ = false;
};

struct Call {
  int64_t index = 0;
  std::string id;
  std::string name;
  std::string signature;
  Dialect origin = Dialect::passthrough;
  bool freeform = false;
  std::string held;  // arguments that wait for their turn
  ObjectTracker tracker;
  enum class State : uint8_t { waiting, open, closed } state = State::waiting;
};

// One choice of the stream. Parts of a choice do not overlap in StreamEvents, but servers may
// interleave the fragments of parallel calls: the first call is passed on as it comes, and another
// one waits until the arguments before it are whole (or the choice ends), so that nothing is ever
// told twice or out of place.
class Choice {
 public:
  Choice(uint32_t number, const std::string& reply_id) : number_(number), reply_id_(reply_id) {}

  void read(json::Value choice, StreamEvents& out) {
    const json::Value delta = choice["delta"].is_object() ? choice["delta"] : choice["message"];
    read_thinking_delta(delta, out);
    read_content(delta["content"], out);
    read_annotations(delta["annotations"], out);
    text(PartKind::refusal, delta["refusal"].string_or(""), out);
    read_audio(delta["audio"], out);
    for (const json::Value image : delta["images"].elements()) read_image(image, out);
    for (const json::Value call : delta["tool_calls"].elements()) read_call(call, out);
    if (delta["function_call"].is_object()) read_function_call(delta["function_call"], out);
    if (const json::Value logprobs = choice["logprobs"]; logprobs.is_object()) {
      add(out, EventKind::logprobs).text = logprobs.raw();
    }
    const std::string reason = choice["finish_reason"].string_or("");
    if (reason.empty()) return;
    stop_ = stop_of_finish_reason(reason);
    if (stop_ == StopReason::end_turn) stop_sequence_ = matched_stop_of(choice);
  }

  bool finished() const { return stop_ != StopReason::unset; }
  // More calls, or more that has to wait, than any model sends.
  bool overflow() const { return overflow_; }

  // The end of the stream: everything still open or waiting, then the finish.
  void finish(StreamEvents& out) {
    end_calls(out);
    close(out);
    if (!calls_.empty() && (stop_ == StopReason::unset || stop_ == StopReason::end_turn)) {
      stop_ = StopReason::tool_use;
    }
    if (stop_ == StopReason::unset) stop_ = StopReason::end_turn;
    if (stop_ == StopReason::end_turn && !stop_sequence_.empty()) {
      stop_ = StopReason::stop_sequence;
    }
    StreamEvent& event = add(out, EventKind::finish);
    event.stop = stop_;
    if (stop_ == StopReason::stop_sequence) event.name = stop_sequence_;
  }

 private:
  StreamEvent& add(StreamEvents& out, EventKind kind) {
    StreamEvent& event = out.emplace_back();
    event.kind = kind;
    event.candidate = number_;
    event.part = part_;
    return event;
  }

  StreamEvent& open(StreamEvents& out, PartKind kind) {
    close(out);
    open_ = true;
    kind_ = kind;
    part_has_text_ = false;
    characters_before_ = characters_;
    StreamEvent& event = add(out, EventKind::part_start);
    event.part_kind = kind;
    return event;
  }

  void close(StreamEvents& out) {
    if (!open_) return;
    add(out, EventKind::part_end);
    open_ = false;
    ++part_;
  }

  // --- text and thinking ---

  void text(PartKind kind, const std::string& piece, StreamEvents& out) {
    if (piece.empty()) return;
    if (call_unfinished()) {
      hold(piece.size());
      late_.push_back({kind, piece});
      return;
    }
    end_calls(out);
    if (!open_ || kind_ != kind) open(out, kind);
    part_has_text_ = true;
    if (kind == PartKind::text) characters_ += utf8_code_points(piece);
    add(out, EventKind::text_delta).text = piece;
  }

  void read_content(json::Value content, StreamEvents& out) {
    if (content.is_string()) {
      text(PartKind::text, content.string_or(""), out);
      return;
    }
    // Mistral's parts, thinking among them.
    for (const json::Value part : content.elements()) {
      if (!part["type"].equals("thinking")) {
        text(PartKind::text, part["text"].string_or(""), out);
        continue;
      }
      if (part["thinking"].is_string()) {
        text(PartKind::thinking, part["thinking"].string_or(""), out);
      }
      for (const json::Value piece : part["thinking"].elements()) {
        text(PartKind::thinking, piece["text"].string_or(""), out);
      }
    }
  }

  void read_thinking_delta(json::Value delta, StreamEvents& out) {
    std::string piece = delta["reasoning_content"].string_or("");
    if (piece.empty()) piece = delta["reasoning"].string_or("");
    text(PartKind::thinking, piece, out);
    for (const json::Value detail : delta["reasoning_details"].elements()) {
      read_detail(detail, !piece.empty(), out);
    }
  }

  // The text of an entry repeats what reasoning_content has said already (in this chunk or, where
  // the entry comes last with its signature, before), unless the server sends entries alone.
  void read_detail(json::Value detail, bool said, StreamEvents& out) {
    const bool thinking = open_ && kind_ == PartKind::thinking;
    Part part;
    if (detail["type"].equals("reasoning.encrypted")) {
      part.kind = PartKind::redacted_thinking;
      read_detail_field(part, detail, "data");
      if (call_unfinished()) return;
      if (part.kind == PartKind::text) {  // of the text that is open or was
        if (open_ && kind_ == PartKind::text) add_signature(out, part.signature, part.origin);
        return;
      }
      if (part.kind == PartKind::thinking) return sign_thinking(part, out);
      if (part.data.empty()) return;
      end_calls(out);
      open(out, PartKind::redacted_thinking).origin = part.origin;
      add(out, EventKind::data).text = part.data;
      close(out);
      return;
    }
    const std::string signature = detail["signature"].string_or("");
    const bool repeats = said || (thinking && part_has_text_ && !signature.empty());
    if (!repeats) {
      std::string piece = detail["text"].string_or("");
      if (piece.empty()) piece = detail["summary"].string_or("");
      text(PartKind::thinking, piece, out);
    }
    if (signature.empty() || call_unfinished()) return;
    part.kind = PartKind::thinking;
    read_detail_field(part, detail, "signature");
    sign_thinking(part, out);
  }

  void sign_thinking(const Part& part, StreamEvents& out) {
    if (part.signature.empty()) return;
    if (!open_ || kind_ != PartKind::thinking) {
      end_calls(out);
      open(out, PartKind::thinking);
    }
    add_signature(out, part.signature, part.origin);
    close(out);
  }

  // Positions count from the beginning of the message.
  void read_annotations(json::Value annotations, StreamEvents& out) {
    if (!open_ || kind_ != PartKind::text) return;
    for (const json::Value annotation : annotations.elements()) {
      const auto before = static_cast<int64_t>(characters_before_);
      add(out, EventKind::citation).citation = read_annotation(annotation, before);
    }
  }

  void read_image(json::Value image, StreamEvents& out) {
    const auto url = image["image_url"]["url"].as_string();
    const auto data = url ? parse_data_url(*url) : std::nullopt;
    if (!data || call_unfinished()) return;
    end_calls(out);
    open(out, PartKind::image).media_type = data->media_type;
    add(out, EventKind::data).text = data->data;
    close(out);
  }

  void read_audio(json::Value audio, StreamEvents& out) {
    if (!audio.is_object()) return;
    text(PartKind::text, audio["transcript"].string_or(""), out);
  }

  // --- tool calls ---

  // Which call a fragment belongs to. `index` says it, but some servers leave it out or give every
  // call the same one: then a new id that comes with a name begins a call.
  Call& find_call(json::Value fragment) {
    const auto index = fragment["index"].as_int64();
    const std::string id = fragment["id"].string_or("");
    const json::Value function = fragment[fragment["custom"].is_object() ? "custom" : "function"];
    const bool named = !function["name"].string_or("").empty();
    Call* found = nullptr;
    for (Call& call : calls_) {
      if (!id.empty() && call.id == id) return call;
      if (index ? call.index == *index : (id.empty() || call.id == id)) found = &call;
    }
    const bool other = found != nullptr && !id.empty() && found->id != id && !found->id.empty();
    if (found != nullptr && !(other && named)) return *found;
    Call& call = calls_.emplace_back();
    call.index = index.value_or(static_cast<int64_t>(calls_.size()) - 1);
    return call;
  }

  void read_call(json::Value fragment, StreamEvents& out) {
    if (!fragment.is_object()) return;
    if (calls_.size() >= kCallsMax) {
      overflow_ = true;
      return;
    }
    take(find_call(fragment), read_tool_call(fragment), out);
  }

  void read_function_call(json::Value function, StreamEvents& out) {
    if (calls_.empty()) calls_.emplace_back();
    Part part;
    part.name = function["name"].string_or("");
    part.json = function["arguments"].string_or("");
    take(calls_.back(), part, out);
  }

  void take(Call& call, const Part& part, StreamEvents& out) {
    if (call.id.empty()) call.id = part.id;
    if (call.name.empty()) call.name = part.name;
    if (part.freeform && !call.freeform) {
      call.freeform = true;
      call.tracker.set_freeform();
    }
    // What comes behind whole arguments is white space at best.
    const bool late =
        call.state == Call::State::closed || (!call.freeform && call.tracker.complete());
    std::string_view arguments = call.freeform ? part.text : part.json;
    if (late) arguments = {};
    if (!call.freeform) call.tracker.add(arguments);
    if (call.state == Call::State::open) {
      add_signature(out, part.signature, part.origin);
      add_arguments(out, call, arguments);
      return;
    }
    if (call.signature.empty()) {
      call.signature = part.signature;
      call.origin = part.origin;
    }
    hold(arguments.size());
    call.held.append(arguments);
    advance(out);
  }

  void add_signature(StreamEvents& out, std::string_view signature, Dialect origin) {
    if (signature.empty()) return;
    StreamEvent& event = add(out, EventKind::signature);
    event.text = signature;
    event.origin = origin;
  }

  void add_arguments(StreamEvents& out, const Call& call, std::string_view arguments) {
    if (arguments.empty()) return;
    add(out, call.freeform ? EventKind::text_delta : EventKind::args_delta).text = arguments;
  }

  // Opens the next waiting call as soon as nothing before it can go on.
  void advance(StreamEvents& out) {
    while (next_ < calls_.size()) {
      Call& call = calls_[next_];
      if (call.state == Call::State::open) {
        const bool followed = next_ + 1 < calls_.size();
        if (!followed || !call.tracker.over()) return;
        close_call(call, out);
        continue;
      }
      if (call.name.empty()) return;  // a server that sends the name later
      open_call(call, out);
    }
  }

  void open_call(Call& call, StreamEvents& out) {
    if (call.id.empty()) {
      call.id = "call_" + plain_id(reply_id_) + "_" + std::to_string(next_);
    }
    StreamEvent& start = open(out, PartKind::tool_call);
    start.id = call.id;
    start.name = call.name;
    start.freeform = call.freeform;
    call.state = Call::State::open;
    add_signature(out, call.signature, call.origin);
    add_arguments(out, call, call.held);
    call.held.clear();
  }

  void close_call(Call& call, StreamEvents& out) {
    close(out);
    call.state = Call::State::closed;
    ++next_;
  }

  // A call that has begun and whose arguments may go on.
  bool call_unfinished() const {
    return std::any_of(calls_.begin() + static_cast<std::ptrdiff_t>(next_), calls_.end(),
                       [](const Call& call) { return !call.tracker.over(); });
  }

  // Closes all calls, those that waited too; then what was said in between.
  void end_calls(StreamEvents& out) {
    while (next_ < calls_.size()) {
      Call& call = calls_[next_];
      if (call.state != Call::State::open) open_call(call, out);
      close_call(call, out);
    }
    const auto late = std::move(late_);
    late_.clear();
    for (const auto& [kind, piece] : late) text(kind, piece, out);
  }

  void hold(size_t bytes) {
    held_bytes_ += bytes;
    overflow_ = overflow_ || held_bytes_ > kHeldBytesMax;
  }

  static constexpr size_t kCallsMax = 1024;
  static constexpr size_t kHeldBytesMax = 16 * 1024 * 1024;  // over the whole stream

  const uint32_t number_;
  const std::string& reply_id_;
  uint32_t part_ = 0;
  bool open_ = false;
  PartKind kind_ = PartKind::text;
  bool part_has_text_ = false;
  size_t characters_ = 0;         // of texts so far
  size_t characters_before_ = 0;  // of those in front of the open part
  std::vector<Call> calls_;
  size_t next_ = 0;  // the first call that is not closed
  struct Late {
    PartKind kind;
    std::string text;
  };
  std::vector<Late> late_;
  size_t held_bytes_ = 0;
  bool overflow_ = false;
  StopReason stop_ = StopReason::unset;
  std::string stop_sequence_;
};

ApiError broken(std::string_view code, std::string_view message) {
  ApiError error;
  error.type = ApiErrorType::unavailable;
  error.status = 502;
  error.code = code;
  error.message = message;
  return error;
}

class Reader final : public StreamReader {
 public:
  void read(const SseEvent& event, StreamEvents& out) override {
    if (over_) return;
    if (event.data == "[DONE]") {
      end(out);
      return;
    }
    if (event.data.empty()) return;
    if (!document_.parse(event.data, {.unique_keys_levels = 0}) || !document_.root().is_object()) {
      // Compatible servers send texts like "data: upstream error" when they break.
      fail_with(
          broken("malformed_event", "the provider sent a stream event that is not a JSON object"),
          out);
      return;
    }
    read_chunk(document_.root(), event, out);
  }

  void finish(StreamEvents& out) override {
    if (over_) return;
    // Compatible servers may leave [DONE] out; every choice has told its end then.
    const bool whole =
        !choices_.empty() &&
        std::all_of(choices_.begin(), choices_.end(), [](const Choice& c) { return c.finished(); });
    if (whole) {
      end(out);
      return;
    }
    fail_with(broken("stream_truncated", "the provider's stream ended early"), out);
  }

 private:
  void read_chunk(json::Value root, const SseEvent& event, StreamEvents& out) {
    json::Value told = error_in_openai_chunk(root);
    if (event.event == "error" && !told.exists()) told = root;
    if (told.exists()) {
      const json::Value error = told["error"];
      const auto status = (error.is_object() ? error : told)["code"].as_int64().value_or(0);
      const bool is_status = status >= 400 && status <= 599;
      fail_with(read_error_json(is_status ? static_cast<int>(status) : 500, told), out);
      return;
    }
    const json::Value choices = root["choices"];
    // Azure's first chunk tells only about the prompt's filtering and has no id yet.
    if (!started_ && (choices.size() > 0 || !root["id"].string_or("").empty())) start(root, out);
    for (const json::Value choice : choices.elements()) {
      if (!choice.is_object()) continue;
      const int64_t index = choice["index"].as_int64().value_or(0);
      if (index < 0 || index >= ReplyBuilder::kCandidatesMax) continue;
      while (choices_.size() <= static_cast<size_t>(index)) {
        choices_.emplace_back(static_cast<uint32_t>(choices_.size()), id_);
      }
      Choice& state = choices_[static_cast<size_t>(index)];
      state.read(choice, out);
      if (!state.overflow()) continue;
      fail_with(broken("stream_overflow", "the provider's stream interleaves too many tool calls"),
                out);
      return;
    }
    read_usage_of(root, out);
  }

  void start(json::Value root, StreamEvents& out) {
    started_ = true;
    id_ = root["id"].string_or("");
    StreamEvent& event = out.emplace_back();
    event.kind = EventKind::start;
    event.id = id_;
    event.name = root["model"].string_or("");
    event.created = root["created"].as_int64().value_or(0);
  }

  void read_usage_of(json::Value root, StreamEvents& out) {
    const Usage newer = usage_of_openai_body(root);
    const json::Value tier = root["service_tier"];
    if (tier.is_string()) tier_ = canonical_service_tier(tier.string_or(""));
    if (!newer.reported) return;
    const Usage before = usage_;
    replace_usage(usage_, newer);
    if (usage_.service_tier.empty()) usage_.service_tier = tier_;
    if (usage_ == before) return;
    StreamEvent& event = out.emplace_back();
    event.kind = EventKind::usage;
    event.usage = usage_;
  }

  void end(StreamEvents& out) {
    if (choices_.empty()) {
      fail_with(broken("stream_empty", "the provider's stream held no answer"), out);
      return;
    }
    for (Choice& choice : choices_) choice.finish(out);
    out.emplace_back().kind = EventKind::end;
    over_ = true;
  }

  void fail_with(ApiError error, StreamEvents& out) {
    StreamEvent& event = out.emplace_back();
    event.kind = EventKind::error;
    event.error = std::move(error);
    over_ = true;
  }

  json::Document document_;
  bool started_ = false;
  bool over_ = false;
  std::string id_;
  std::string tier_;
  Usage usage_;
  std::vector<Choice> choices_;
};

}  // namespace

std::unique_ptr<StreamReader> make_stream_reader() {
  return std::make_unique<Reader>();
}

}  // namespace weir::dialect::openai_chat
