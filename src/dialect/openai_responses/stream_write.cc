#include <deque>
#include <optional>

#include "dialect/errors.h"
#include "dialect/openai_responses/items_write.h"
#include "dialect/openai_responses/openai_responses.h"
#include "dialect/signature.h"
#include "dialect/wire.h"

namespace weir::dialect::openai_responses {
namespace {

constexpr Dialect kOwn = Dialect::openai_responses;

// The items of an answer as they grow, and the events that tell it. A whole answer is the same
// without the events. Memory is that of the answer: its end repeats it.
class Writer final : public StreamWriter {
 public:
  Writer(const Context& context, bool events) : events_(events), response_(context) {
    if (context.asked != nullptr) {
      tools_ = &context.asked->tools;
      with_logprobs_ = context.asked->logprobs.value_or(false);
    }
  }

  void write(const StreamEvent& event, std::string& out) override {
    if (over_) return;
    out_ = &out;
    switch (event.kind) {
      case EventKind::start:
        if (response_.id.empty()) response_.id = event.id;
        if (response_.model.empty()) response_.model = event.name;
        if (event.created != 0) response_.created = event.created;
        begin();
        return;
      case EventKind::usage:
        response_.usage.merge(event.usage);
        return;
      case EventKind::ping:
        // A comment keeps the connection alive and is no event for any client.
        if (events_) out.append(": ping\n\n");
        return;
      case EventKind::error:
        fail_with(event.error);
        return;
      case EventKind::end:
        end();
        return;
      default:
        break;
    }
    // There is one answer only.
    if (event.candidate != 0) return;
    begin();
    if (event.kind != EventKind::logprobs) flush_delta({});
    write_part(event);
  }

  // Of a whole answer, behind its end.
  std::string take_response() { return std::move(whole_); }

 private:
  enum class Item : uint8_t { none, message, reasoning, call, opaque };

  void write_part(const StreamEvent& event) {
    switch (event.kind) {
      case EventKind::part_start:
        start_part(event);
        return;
      case EventKind::text_delta:
        write_text(event.text);
        return;
      case EventKind::args_delta:
        write_arguments(event.text);
        return;
      case EventKind::signature:
        write_signature(event);
        return;
      case EventKind::data:
        part_.data.append(event.text);
        return;
      case EventKind::citation:
        write_citation(event.citation);
        return;
      case EventKind::logprobs:
        write_logprobs(event.text);
        return;
      case EventKind::part_end:
        end_part();
        return;
      case EventKind::finish:
        stop_ = event.stop;
        close_item(is_cut());
        return;
      default:
        return;
    }
  }

  // --- events ---

  // One event; `members` writes what stands behind its type and number.
  template <class Members>
  void emit(std::string_view type, Members members) {
    if (!events_) return;
    json_.clear();
    json::Writer w(json_);
    w.begin_object().member("type", type).member("sequence_number", sequence_++);
    members(w);
    w.end_object();
    append_sse(*out_, type, json_);
  }

  void emit_response(std::string_view type, Status status, const ApiError* error) {
    emit(type, [&](json::Writer& w) {
      w.key("response");
      response_.write(w, status, output_, stop_, error);
    });
  }

  void begin() {
    if (begun_) return;
    begun_ = true;
    if (response_.id.empty()) response_.id = "resp_weir";
    emit_response("response.created", Status::in_progress, nullptr);
    emit_response("response.in_progress", Status::in_progress, nullptr);
  }

  std::string made_id(std::string_view prefix) const {
    std::string_view base = response_.id;
    if (base.starts_with("resp_")) base.remove_prefix(5);
    return std::string(prefix) + plain_id(base) + "_" + std::to_string(index_);
  }

  void place(json::Writer& w) const {
    w.member("item_id", item_id_).member("output_index", index_);
  }

  void emit_item(std::string_view type, std::string_view item) {
    emit(type, [&](json::Writer& w) { w.member("output_index", index_).member_raw("item", item); });
  }

  // --- items ---

  void open_item(Item kind, std::string id) {
    close_item(false);
    item_ = kind;
    item_id_ = std::move(id);
    contents_.clear();
  }

  // The item is whole: it is told and kept for the end.
  void done(const std::string& item) {
    emit_item("response.output_item.done", item);
    if (!output_.empty()) output_.push_back(',');
    output_.append(item);
    item_ = Item::none;
    ++index_;
  }

  void close_item(bool cut) {
    if (item_ == Item::message) close_message(cut);
    if (item_ == Item::reasoning) close_reasoning();
    if (item_ == Item::call) close_call();
    if (item_ == Item::opaque) close_opaque();
  }

  bool is_cut() const {
    return stop_ == StopReason::max_tokens || stop_ == StopReason::context_window ||
           stop_ == StopReason::content_filter || stop_ == StopReason::refusal;
  }

  void start_part(const StreamEvent& event) {
    const PartKind kind = event.part_kind;
    if (kind == PartKind::text || kind == PartKind::refusal) {
      start_text(event);
    } else {
      // What another dialect alone knows, and sound, have no item here.
      const bool foreign = kind == PartKind::native && event.origin != kOwn;
      const bool known = kind == PartKind::thinking || kind == PartKind::redacted_thinking ||
                         kind == PartKind::tool_call || kind == PartKind::image ||
                         kind == PartKind::native;
      close_item(false);
      skipped_ = foreign || !known;
      if (!skipped_) start_other(event);
    }
    part_ = Part{.kind = kind, .id = event.id, .name = event.name};
    part_.media_type = event.media_type;
    part_.origin = event.origin;
    part_.freeform = event.freeform;
  }

  void start_other(const StreamEvent& event) {
    if (event.part_kind == PartKind::tool_call) {
      // Told with its signature, which comes next: the call's id carries it.
      open_item(Item::call, made_id("fc_"));
      call_told_ = false;
      form_ = form_of_call(tools(), event.name, event.freeform);
    } else if (event.part_kind == PartKind::native || event.part_kind == PartKind::image) {
      open_item(Item::opaque, event.id.empty() ? made_id("ig_") : event.id);
    } else {
      open_item(Item::reasoning, event.id.empty() ? made_id("rs_") : event.id);
      emit_item("response.output_item.added",
                reasoning_item(item_id_, part_text_, reasoning_field_));
    }
  }

  const std::vector<Tool>& tools() const {
    static const std::vector<Tool> kNone;
    return tools_ == nullptr ? kNone : *tools_;
  }

  // --- messages ---

  void start_text(const StreamEvent& event) {
    skipped_ = false;
    const bool same_item =
        item_ == Item::message && (event.id.empty() ? !item_named_ : event.id == item_id_);
    if (!same_item) {
      open_item(Item::message, event.id.empty() ? made_id("msg_") : event.id);
      item_named_ = !event.id.empty();
      emit_item("response.output_item.added", message_item(item_id_, contents_, "in_progress"));
    } else if (!item_named_ && contents_.back().kind == event.part_kind) {
      return;  // the text goes on
    }
    close_content();
    contents_.emplace_back().kind = event.part_kind;
    emit("response.content_part.added", [&](json::Writer& w) {
      place_content(w);
      w.key("part");
      write_content(w, contents_.back());
    });
  }

  void place_content(json::Writer& w) const {
    place(w);
    w.member("content_index", static_cast<int64_t>(contents_.size()) - 1);
  }

  void add_message_text(const std::string& text) {
    contents_.back().text.append(text);
    if (contents_.back().kind == PartKind::refusal) {
      emit("response.refusal.delta", [&](json::Writer& w) {
        place_content(w);
        w.member("delta", text);
      });
    } else if (with_logprobs_ && events_) {
      held_delta_ = text;
    } else {
      emit_delta(text, {});
    }
  }

  // A delta waits for its log probabilities, which come behind it.
  void flush_delta(std::string_view logprobs) {
    if (!held_delta_) return;
    emit_delta(*held_delta_, logprobs);
    held_delta_.reset();
  }

  void emit_delta(std::string_view text, std::string_view logprobs) {
    emit("response.output_text.delta", [&](json::Writer& w) {
      place_content(w);
      w.member("delta", text);
      w.key("logprobs").raw(logprobs.empty() ? "[]" : logprobs);
    });
  }

  void write_logprobs(std::string_view object) {
    json::Document document;
    std::string tokens;
    if (document.parse(object, {.unique_keys_levels = 0}) &&
        document.root()["content"].is_array()) {
      tokens = compact_json(document.root()["content"].raw());
    }
    flush_delta(tokens);
    if (item_ != Item::message || tokens.size() <= 2) return;
    std::string& known = contents_.back().logprobs;
    if (!known.empty()) known.push_back(',');
    known.append(tokens, 1, tokens.size() - 2);
  }

  void write_citation(const Citation& citation) {
    if (skipped_ || item_ != Item::message || contents_.back().kind != PartKind::text) return;
    Content& content = contents_.back();
    std::string annotation;
    json::Writer w(annotation);
    write_annotation(w, citation, code_points(content.text));
    emit("response.output_text.annotation.added", [&](json::Writer& v) {
      place_content(v);
      v.member("annotation_index", content.annotation_count);
      v.member_raw("annotation", annotation);
    });
    ++content.annotation_count;
    if (!content.annotations.empty()) content.annotations.push_back(',');
    content.annotations.append(annotation);
  }

  void close_content() {
    if (contents_.empty() || !contents_.back().open) return;
    Content& content = contents_.back();
    content.open = false;
    if (content.kind == PartKind::refusal) {
      emit("response.refusal.done", [&](json::Writer& w) {
        place_content(w);
        w.member("refusal", content.text);
      });
    } else {
      emit("response.output_text.done", [&](json::Writer& w) {
        place_content(w);
        w.member("text", content.text).key("logprobs").raw("[" + content.logprobs + "]");
      });
    }
    emit("response.content_part.done", [&](json::Writer& w) {
      place_content(w);
      w.key("part");
      write_content(w, content);
    });
  }

  void close_message(bool cut) {
    close_content();
    done(message_item(item_id_, contents_, cut ? "incomplete" : "completed"));
    if (text_signature_.empty()) return;
    // Another dialect's signature of this text (Gemini): it has no other place.
    part_ = Part{.kind = PartKind::thinking};
    part_.signature = std::move(text_signature_);
    text_signature_.clear();
    item_ = Item::reasoning;
    item_id_ = made_id("rs_");
    reasoning_field_ = part_.signature;
    emit_item("response.output_item.added", reasoning_item(item_id_, part_text_, reasoning_field_));
    close_reasoning();
  }

  // --- reasoning ---

  void place_summary(json::Writer& w) const {
    place(w);
    w.member("summary_index", 0);
  }

  void add_summary_text(const std::string& text) {
    if (text.empty()) return;
    if (part_text_.empty()) {
      emit("response.reasoning_summary_part.added", [&](json::Writer& w) {
        place_summary(w);
        w.key("part");
        write_summary(w, {});
      });
    }
    part_text_.append(text);
    emit("response.reasoning_summary_text.delta", [&](json::Writer& w) {
      place_summary(w);
      w.member("delta", text);
    });
  }

  void close_reasoning() {
    if (!part_text_.empty()) {
      emit("response.reasoning_summary_text.done", [&](json::Writer& w) {
        place_summary(w);
        w.member("text", part_text_);
      });
      emit("response.reasoning_summary_part.done", [&](json::Writer& w) {
        place_summary(w);
        w.key("part");
        write_summary(w, part_text_);
      });
    }
    if (reasoning_field_.empty()) reasoning_field_ = reasoning_field_of(part_);
    done(reasoning_item(item_id_, part_text_, reasoning_field_));
    part_text_.clear();
    reasoning_field_.clear();
  }

  // --- calls ---

  std::string call_item(std::string_view status) const {
    return openai_responses::call_item(
        {item_id_, call_id_, form_, form_.kind == CallKind::custom ? part_text_ : part_.json},
        status);
  }

  // The call is named; its arguments follow, but for those that must be whole to be told.
  void tell_call() {
    if (call_told_) return;
    call_told_ = true;
    call_id_ = call_id_with(part_.id, part_.origin, part_.signature);
    if (form_.kind == CallKind::custom) item_id_ = made_id("ctc_");
    if (form_.kind == CallKind::client) item_id_ = made_id(form_.client->prefix);
    if (form_.kind != CallKind::client) {
      emit_item("response.output_item.added", call_item("in_progress"));
    }
  }

  void add_arguments(const std::string& text) {
    tell_call();
    part_.json.append(text);
    if (form_.kind != CallKind::function || text.empty()) return;
    emit("response.function_call_arguments.delta", [&](json::Writer& w) {
      place(w);
      w.member("delta", text);
    });
  }

  void add_input(const std::string& text) {
    tell_call();
    part_text_.append(text);
    if (form_.kind != CallKind::custom || text.empty()) return;
    emit("response.custom_tool_call_input.delta", [&](json::Writer& w) {
      place(w);
      w.member("delta", text);
    });
  }

  void close_call() {
    tell_call();
    if (form_.kind == CallKind::custom) {
      // From a provider without custom tools: the input was the one argument of a function.
      if (!part_.json.empty()) add_input(input_of_arguments(part_.json));
      emit("response.custom_tool_call_input.done", [&](json::Writer& w) {
        place(w);
        w.member("input", part_text_);
      });
    } else if (form_.kind == CallKind::function) {
      // Clients parse what they gathered: nothing is no JSON.
      if (part_.json.empty()) add_arguments("{}");
      emit("response.function_call_arguments.done", [&](json::Writer& w) {
        place(w);
        w.member("arguments", part_.json).member("name", form_.name);
      });
    } else {
      emit_item("response.output_item.added", call_item("in_progress"));
    }
    done(call_item("completed"));
    part_text_.clear();
  }

  // --- what comes whole ---

  void close_opaque() {
    std::string item;
    if (part_.kind == PartKind::native) {
      item = is_json(part_.json) ? compact_json(part_.json) : std::string();
    } else if (!part_.data.empty()) {
      item = image_item(item_id_, part_.media_type, part_.data);
    }
    if (item.empty()) {
      item_ = Item::none;
      return;
    }
    emit_item("response.output_item.added", item);
    done(item);
  }

  // --- parts ---

  void write_text(const std::string& text) {
    if (skipped_) return;
    if (item_ == Item::message) add_message_text(text);
    if (item_ == Item::reasoning) add_summary_text(text);
    if (item_ == Item::call) add_input(text);
  }

  void write_arguments(const std::string& text) {
    if (skipped_) return;
    if (item_ == Item::call) add_arguments(text);
    if (item_ == Item::opaque) part_.json.append(text);
  }

  void write_signature(const StreamEvent& event) {
    if (skipped_) return;
    if (event.origin != Dialect::passthrough) part_.origin = event.origin;
    if (item_ == Item::message) {
      Part signed_text{.kind = PartKind::text};
      signed_text.signature = event.text;
      signed_text.origin = part_.origin;
      // Raw it would be taken for a signature of thinking.
      text_signature_ = part_.origin == kOwn ? std::string() : signature_field(signed_text, kOwn);
      return;
    }
    part_.signature.append(event.text);
  }

  // A message stays open: the next part may go on with it.
  void end_part() {
    if (item_ != Item::message) close_item(false);
    skipped_ = false;
  }

  // --- the end ---

  void end() {
    over_ = true;
    begin();
    flush_delta({});
    close_item(is_cut());
    const Status status = is_cut() ? Status::incomplete : Status::completed;
    if (!events_) {
      json::Writer w(whole_);
      response_.write(w, status, output_, stop_, nullptr);
      return;
    }
    emit_response(status == Status::completed ? "response.completed" : "response.incomplete",
                  status, nullptr);
  }

  // Clients of the SDK raise at the `error` event, Codex reads its code from response.failed: both
  // are told, and nothing behind.
  void fail_with(const ApiError& error) {
    over_ = true;
    flush_delta({});
    if (begun_) emit_response("response.failed", Status::failed, &error);
    append_sse(*out_, "error", write_responses_error(error, sequence_++));
  }

  const bool events_;
  ResponseWriter response_;
  const std::vector<Tool>* tools_ = nullptr;
  bool with_logprobs_ = false;
  std::string* out_ = nullptr;
  std::string json_;
  std::string whole_;
  int64_t sequence_ = 0;
  bool begun_ = false;
  bool over_ = false;
  StopReason stop_ = StopReason::unset;

  std::string output_;  // the items that are whole, separated by commas
  int64_t index_ = 0;   // output_index of the open or next item
  Item item_ = Item::none;
  std::string item_id_;
  bool skipped_ = false;  // the open part has no item here

  std::deque<Content> contents_;  // of the open message
  bool item_named_ = false;       // the message's id came from the provider
  std::optional<std::string> held_delta_;
  std::string text_signature_;

  Part part_;                    // what is open; its text is in part_text_
  std::string part_text_;        // summary of reasoning, input of a custom tool
  std::string reasoning_field_;  // encrypted_content
  CallForm form_;
  bool call_told_ = false;
  std::string call_id_;
};

}  // namespace

std::unique_ptr<StreamWriter> make_stream_writer(const Context& context) {
  return std::make_unique<Writer>(context, true);
}

std::string write_reply(const Reply& reply, const Context& context) {
  Writer writer(context, false);
  std::string none;
  for (const StreamEvent& event : events_of(reply)) writer.write(event, none);
  return writer.take_response();
}

}  // namespace weir::dialect::openai_responses
