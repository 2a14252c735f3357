#include <deque>
#include <string>

#include "dialect/errors.h"
#include "dialect/openai_responses/openai_responses.h"
#include "dialect/signature.h"
#include "dialect/usage_json.h"
#include "dialect/wire.h"

namespace weir::dialect::openai_responses {
namespace {

ApiError broken(std::string_view code, std::string_view message) {
  ApiError error;
  error.type = ApiErrorType::unavailable;
  error.status = 502;
  error.code = code;
  error.message = message;
  return error;
}

// One item of the answer. Items of parallel calls may grow at the same time: the first that is not
// done is passed on as it comes, what the others have is held until their turn.
struct Lane {
  int64_t index = 0;
  std::string type;
  std::string id;
  bool added = false;    // output_item.added was here
  bool done = false;     // nothing more comes
  bool open = false;     // a part
  bool started = false;  // some part was told
  PartKind kind = PartKind::text;
  int64_t content = -1;  // content_index of the open or last part
  size_t told = 0;       // bytes of the open part's text or arguments ...
  uint64_t hash = 0;     // ... and what they were
  int64_t summary = -1;  // summary_index of the last summary text
  bool reasoning_text = false;
  bool logprobs = false;
  size_t annotations = 0;  // of the open part
  StreamEvents held;
};

class Reader final : public StreamReader {
 public:
  void read(const SseEvent& event, StreamEvents& out) override {
    if (over_ || event.data.empty() || event.data == "[DONE]") return;
    out_ = &out;
    if (!document_.parse(event.data, {.unique_keys_levels = 0}) || !document_.root().is_object()) {
      return fail_with(
          broken("malformed_event", "the provider sent a stream event that is not a JSON object"));
    }
    const json::Value root = document_.root();
    const std::string_view type = root["type"].as_plain_string().value_or(event.event);
    if (type == "error" || (type.empty() && root["error"].is_object())) {
      fail_with(read_error_json(200, root));
    } else if (type == "response.created" || type == "response.in_progress" ||
               type == "response.queued") {
      start(root["response"]);
    } else if (type == "response.completed" || type == "response.incomplete") {
      end(root["response"], type == "response.incomplete");
    } else if (type == "response.failed" || type == "response.cancelled") {
      fail_with(read_error_json(200, root["response"]));
    } else if (type.starts_with("response.")) {
      read_item_event(type.substr(9), root);
    } else if (type == "keepalive" || type == "ping") {
      out.emplace_back().kind = EventKind::ping;
    }
  }

  void finish(StreamEvents& out) override {
    if (over_) return;
    out_ = &out;
    fail_with(broken("stream_truncated", "the provider's stream ended early"));
  }

 private:
  static constexpr size_t kLanesMax = 4096;
  static constexpr size_t kHeldBytesMax = 16 * 1024 * 1024;  // over the whole stream

  void start(json::Value response) {
    if (started_) return;
    started_ = true;
    StreamEvent& event = out_->emplace_back();
    event.kind = EventKind::start;
    event.id = response["id"].string_or("");
    event.name = response["model"].string_or("");
    event.created = response["created_at"].as_int64().value_or(0);
  }

  void read_item_event(std::string_view type, json::Value root) {
    if (!root["output_index"].is_number()) return;
    const int64_t index = root["output_index"].as_int64().value_or(-1);
    if (index < 0) return;
    if (!started_) start({});
    Lane* lane = lane_of(index);
    if (lane == nullptr || lane->done) return;
    const int64_t content = root["content_index"].as_int64().value_or(0);
    if (type == "output_item.added") {
      add_item(*lane, root["item"]);
    } else if (type == "output_item.done") {
      finish_item(*lane, root["item"]);
    } else if (type == "content_part.added") {
      open_content(*lane, content, root["part"]);
    } else if (type == "output_text.delta") {
      open_text(*lane, PartKind::text, content);
      add_text(*lane, root["delta"].string_or(""));
      add_logprobs(*lane, root["logprobs"]);
    } else if (type == "output_text.done") {
      open_text(*lane, PartKind::text, content);
      add_rest(*lane, EventKind::text_delta, root["text"].string_or(""));
      if (!lane->logprobs) add_logprobs(*lane, root["logprobs"]);
    } else if (type == "output_text.annotation.added") {
      open_text(*lane, PartKind::text, content);
      add_annotation(*lane, root["annotation"]);
    } else if (type == "refusal.delta") {
      open_text(*lane, PartKind::refusal, content);
      add_text(*lane, root["delta"].string_or(""));
    } else if (type == "refusal.done") {
      open_text(*lane, PartKind::refusal, content);
      add_rest(*lane, EventKind::text_delta, root["refusal"].string_or(""));
    } else if (type == "content_part.done") {
      finish_content(*lane, content, root["part"]);
    } else {
      read_other_event(type, root, *lane);
    }
  }

  void read_other_event(std::string_view type, json::Value root, Lane& lane) {
    if (type == "reasoning_summary_text.delta" || type == "reasoning_summary_text.done") {
      const std::string text = root[type.ends_with("delta") ? "delta" : "text"].string_or("");
      add_summary(lane, root["summary_index"].as_int64().value_or(0), text, type.ends_with("done"));
    } else if (type == "reasoning_text.delta") {
      add_reasoning(lane, root["delta"].string_or(""));
    } else if (type == "function_call_arguments.delta" && is_open(lane, PartKind::tool_call)) {
      add(lane, EventKind::args_delta, root["delta"].string_or(""));
    } else if (type == "function_call_arguments.done" && is_open(lane, PartKind::tool_call)) {
      add_rest(lane, EventKind::args_delta, root["arguments"].string_or(""));
    } else if (type == "custom_tool_call_input.delta" && is_open(lane, PartKind::tool_call)) {
      add(lane, EventKind::text_delta, root["delta"].string_or(""));
    } else if (type == "custom_tool_call_input.done" && is_open(lane, PartKind::tool_call)) {
      add_rest(lane, EventKind::text_delta, root["input"].string_or(""));
    }
    // The steps of tools that the provider runs: the item itself comes whole at its end.
  }

  // --- items ---

  Lane* lane_of(int64_t index) {
    for (size_t i = lanes_.size(); i > 0; --i) {
      if (lanes_[i - 1].index == index) return &lanes_[i - 1];
    }
    if (lanes_.size() >= kLanesMax) {
      fail_with(broken("stream_overflow", "the provider's stream has too many items"));
      return nullptr;
    }
    Lane& lane = lanes_.emplace_back();
    lane.index = index;
    return &lane;
  }

  // The lane of an item of the final output: by its id; by its place where the ids change from
  // event to event (GitHub Copilot); a new one where it was not streamed.
  Lane* lane_of_item(json::Value item, int64_t place) {
    const std::string id = item["id"].string_or("");
    const std::string type = item["type"].string_or("");
    for (Lane& lane : lanes_) {
      if (!id.empty() && lane.id == id) return &lane;
    }
    for (Lane& lane : lanes_) {
      if (lane.index == place && (lane.type.empty() || lane.type == type)) return &lane;
    }
    return static_cast<size_t>(place) < lanes_.size() ? nullptr : lane_of(place);
  }

  void add_item(Lane& lane, json::Value item) {
    if (lane.added) return;
    lane.added = true;
    lane.type = item["type"].string_or("");
    lane.id = item["id"].string_or("");
    if (is_client_call(item)) has_call_ = true;
    const bool custom = lane.type == "custom_tool_call" && is_client_call(item);
    if (lane.started || (lane.type != "function_call" && !custom)) return;
    CallId call = read_call_id(item["call_id"].string_or(""));
    StreamEvent event;
    event.id = std::move(call.id);
    event.name = full_name(item);
    event.freeform = custom;
    event.origin = call.origin;
    open(lane, PartKind::tool_call, std::move(event));
    if (!call.signature.empty()) {
      StreamEvent signature;
      signature.kind = EventKind::signature;
      signature.text = std::move(call.signature);
      signature.origin = call.origin;
      emit(lane, std::move(signature));
    }
    const EventKind kind = custom ? EventKind::text_delta : EventKind::args_delta;
    add(lane, kind, item[custom ? "input" : "arguments"].string_or(""));
  }

  // The whole item: what has not been told of it is told now.
  void finish_item(Lane& lane, json::Value item) {
    if (!lane.added) add_item(lane, item);
    if (lane.type == "message") {
      int64_t content = 0;
      for (const json::Value part : item["content"].elements()) {
        if (content > lane.content || (content == lane.content && lane.open)) {
          finish_content(lane, content, part);
        }
        ++content;
      }
    } else if (lane.type == "function_call") {
      add_rest(lane, EventKind::args_delta, item["arguments"].string_or(""));
    } else if (lane.type == "custom_tool_call" && lane.started) {
      add_rest(lane, EventKind::text_delta, item["input"].string_or(""));
    } else if (lane.type == "reasoning" && lane.open) {
      add_signature(lane, item["encrypted_content"].string_or(""));
    } else if (!lane.started) {
      add_parts(lane, item);
    }
    finish_lane(lane);
  }

  // An item that was not streamed in pieces.
  void add_parts(Lane& lane, json::Value item) {
    Reply reply;
    read_output_item(item, reply.candidates.emplace_back().parts);
    for (StreamEvent& event : events_of(reply)) {
      if (event.kind == EventKind::start || event.kind == EventKind::finish ||
          event.kind == EventKind::end) {
        continue;
      }
      emit(lane, std::move(event));
    }
    lane.started = true;
  }

  void finish_lane(Lane& lane) {
    close(lane);
    lane.done = true;
    while (next_ < lanes_.size() && lanes_[next_].done) {
      if (++next_ == lanes_.size()) break;
      for (StreamEvent& event : lanes_[next_].held) pass(std::move(event));
      lanes_[next_].held.clear();
    }
  }

  // --- contents of a message ---

  void open_content(Lane& lane, int64_t content, json::Value part) {
    const json::Value type = part["type"];
    if (type.equals("output_text")) open_text(lane, PartKind::text, content);
    if (type.equals("refusal")) open_text(lane, PartKind::refusal, content);
  }

  void open_text(Lane& lane, PartKind kind, int64_t content) {
    if (lane.open && lane.kind == kind && lane.content == content) return;
    StreamEvent event;
    event.id = lane.id;
    open(lane, kind, std::move(event));
    lane.content = content;
    lane.annotations = 0;
    lane.logprobs = false;
  }

  void finish_content(Lane& lane, int64_t content, json::Value part) {
    if (part["type"].equals("reasoning_text")) return;
    const bool refusal = part["type"].equals("refusal");
    if (content < lane.content || (content == lane.content && !lane.open && lane.started)) return;
    open_text(lane, refusal ? PartKind::refusal : PartKind::text, content);
    add_rest(lane, EventKind::text_delta, part[refusal ? "refusal" : "text"].string_or(""));
    size_t known = lane.annotations;
    for (const json::Value annotation : part["annotations"].elements()) {
      if (known > 0) {
        --known;
      } else {
        add_annotation(lane, annotation);
      }
    }
    if (!lane.logprobs) add_logprobs(lane, part["logprobs"]);
    close(lane);
  }

  void add_annotation(Lane& lane, json::Value annotation) {
    ++lane.annotations;
    StreamEvent event;
    event.kind = EventKind::citation;
    event.citation = read_annotation(annotation);
    emit(lane, std::move(event));
  }

  void add_logprobs(Lane& lane, json::Value tokens) {
    if (!tokens.is_array() || tokens.size() == 0) return;
    lane.logprobs = true;
    StreamEvent event;
    event.kind = EventKind::logprobs;
    event.text = R"({"content":)" + std::string(tokens.raw()) + R"(,"refusal":null})";
    emit(lane, std::move(event));
  }

  // --- reasoning ---

  void open_reasoning(Lane& lane) {
    if (lane.open) return;
    StreamEvent event;
    event.id = lane.id;
    event.origin = Dialect::openai_responses;
    open(lane, PartKind::thinking, std::move(event));
  }

  // Some servers give the summary beside the reasoning itself: one of them is enough.
  void add_summary(Lane& lane, int64_t index, const std::string& text, bool whole) {
    if (lane.reasoning_text || text.empty() || (whole && index <= lane.summary)) return;
    open_reasoning(lane);
    if (index > lane.summary && lane.summary >= 0) add_text(lane, "\n\n");
    lane.summary = std::max(lane.summary, index);
    add_text(lane, text);
  }

  void add_reasoning(Lane& lane, const std::string& text) {
    if (lane.summary >= 0 || text.empty()) return;
    lane.reasoning_text = true;
    open_reasoning(lane);
    add_text(lane, text);
  }

  void add_signature(Lane& lane, const std::string& field) {
    Part part{.kind = PartKind::thinking};
    read_reasoning_field(part, field);
    if (part.signature.empty()) return;
    StreamEvent event;
    event.kind = EventKind::signature;
    event.text = std::move(part.signature);
    event.origin = part.origin;
    emit(lane, std::move(event));
  }

  // --- parts ---

  static bool is_open(const Lane& lane, PartKind kind) { return lane.open && lane.kind == kind; }

  void open(Lane& lane, PartKind kind, StreamEvent event) {
    close(lane);
    lane.open = true;
    lane.started = true;
    lane.kind = kind;
    lane.told = 0;
    lane.hash = kHashSeed;
    event.kind = EventKind::part_start;
    event.part_kind = kind;
    emit(lane, std::move(event));
  }

  void close(Lane& lane) {
    if (!lane.open) return;
    lane.open = false;
    StreamEvent event;
    event.kind = EventKind::part_end;
    emit(lane, std::move(event));
  }

  void add_text(Lane& lane, std::string text) { add(lane, EventKind::text_delta, std::move(text)); }

  void add(Lane& lane, EventKind kind, std::string text) {
    if (text.empty()) return;
    lane.told += text.size();
    lane.hash = hash_of(lane.hash, text);
    StreamEvent event;
    event.kind = kind;
    event.text = std::move(text);
    emit(lane, std::move(event));
  }

  // Servers may say in `done` what they gave no deltas for. Where it is something else than the
  // deltas said, those stand: they have been told.
  void add_rest(Lane& lane, EventKind kind, const std::string& whole) {
    if (!lane.open || whole.size() <= lane.told) return;
    const std::string_view told = std::string_view(whole).substr(0, lane.told);
    if (hash_of(kHashSeed, told) == lane.hash) add(lane, kind, whole.substr(lane.told));
  }

  static constexpr uint64_t kHashSeed = 0xCBF29CE484222325ULL;  // FNV-1a
  static uint64_t hash_of(uint64_t hash, std::string_view text) {
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
    return hash;
  }

  void emit(Lane& lane, StreamEvent event) {
    if (next_ < lanes_.size() && &lanes_[next_] == &lane) return pass(std::move(event));
    held_bytes_ += event.text.size();
    lane.held.push_back(std::move(event));
    if (held_bytes_ > kHeldBytesMax) {
      fail_with(broken("stream_overflow", "the provider's stream interleaves too many items"));
    }
  }

  void pass(StreamEvent event) {
    if (over_) return;
    event.candidate = 0;
    event.part = part_;
    if (event.kind == EventKind::part_end) ++part_;
    out_->push_back(std::move(event));
  }

  // --- the end ---

  void end(json::Value response, bool incomplete) {
    if (!started_) start(response);
    int64_t index = 0;
    for (const json::Value item : response["output"].elements()) {
      if (is_client_call(item)) has_call_ = true;
      Lane* lane = lane_of_item(item, index++);
      if (over_) return;
      if (lane != nullptr && !lane->done) finish_item(*lane, item);
    }
    for (Lane& lane : lanes_) {
      if (!lane.done) finish_lane(lane);
    }
    if (over_) return;
    StreamEvent& finish = out_->emplace_back();
    finish.kind = EventKind::finish;
    finish.stop = has_call_ ? StopReason::tool_use : StopReason::end_turn;
    if (incomplete) finish.stop = stop_of_incomplete(response);
    const Usage usage = usage_of_openai_response(response);
    if (usage.reported) {
      StreamEvent& event = out_->emplace_back();
      event.kind = EventKind::usage;
      event.usage = usage;
    }
    out_->emplace_back().kind = EventKind::end;
    over_ = true;
  }

  void fail_with(ApiError error) {
    if (over_) return;
    over_ = true;
    StreamEvent& event = out_->emplace_back();
    event.kind = EventKind::error;
    event.error = std::move(error);
  }

  json::Document document_;
  StreamEvents* out_ = nullptr;
  bool started_ = false;
  bool over_ = false;
  bool has_call_ = false;
  std::deque<Lane> lanes_;  // in the order in which they were begun
  size_t next_ = 0;         // the first that is not done
  size_t held_bytes_ = 0;
  uint32_t part_ = 0;
};

}  // namespace

StopReason stop_of_incomplete(json::Value response) {
  const json::Value reason = response["incomplete_details"]["reason"];
  if (reason.equals("max_output_tokens")) return StopReason::max_tokens;
  if (reason.equals("content_filter")) return StopReason::content_filter;
  return StopReason::other;
}

std::unique_ptr<StreamReader> make_stream_reader() {
  return std::make_unique<Reader>();
}

}  // namespace weir::dialect::openai_responses
