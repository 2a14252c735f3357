// The second half of a call: its answer, by endpoint.
#include <fmt/format.h>

#include <algorithm>

#include "base/json/splice.h"
#include "base/json/writer.h"
#include "dialect/errors.h"
#include "dialect/relay/meter.h"
#include "sim/answer.h"
#include "sim/call_run.h"
#include "sim/completions.h"
#include "sim/responses.h"
#include "sim/words.h"

namespace weir::sim {
namespace {

using dialect::ApiError;
using dialect::Dialect;

constexpr std::string_view kFilterResults =
    R"({"hate":{"filtered":false,"severity":"safe"},"self_harm":{"filtered":false,"severity":"safe"},)"
    R"("sexual":{"filtered":false,"severity":"safe"},"violence":{"filtered":false,"severity":"safe"}})";

// The body of Azure's refusal of a prompt.
constexpr std::string_view kAzureFiltered =
    R"({"error":{"message":"The response was filtered due to the prompt triggering Azure OpenAI's )"
    R"(content management policy.","type":null,"param":"prompt","code":"content_filter","status":400,)"
    R"("innererror":{"code":"ResponsibleAIPolicyViolation","content_filter_result":{"hate":)"
    R"({"filtered":false,"severity":"safe"},"self_harm":{"filtered":false,"severity":"safe"},)"
    R"("sexual":{"filtered":false,"severity":"safe"},"violence":{"filtered":true,"severity":"medium"}}}}})";

std::string prompt_filter_results() {
  return fmt::format(R"([{{"prompt_index":0,"content_filter_results":{}}}])", kFilterResults);
}

// Azure's first chunk has no choices, no id and no model.
std::string azure_preamble() {
  return fmt::format(
      "data: {{\"choices\":[],\"created\":0,\"id\":\"\",\"model\":\"\",\"object\":\"\","
      "\"prompt_filter_results\":{}}}\n\n",
      prompt_filter_results());
}

std::string with_filter_results(std::string body) {
  json::Document document;
  if (!document.parse(body)) return body;
  std::vector<json::Edit> edits;
  json::ObjectEditor(document.root())
      .set("prompt_filter_results", prompt_filter_results())
      .append_to(edits);
  for (const json::Value choice : document.root()["choices"].elements()) {
    json::ObjectEditor(choice).set("content_filter_results", kFilterResults).append_to(edits);
  }
  return json::splice(body, std::move(edits));
}

void add(dialect::Usage& sum, const dialect::Usage& more) {
  sum.input += more.input;
  sum.cache_read += more.cache_read;
  sum.cache_write_5m += more.cache_write_5m;
  sum.cache_write_1h += more.cache_write_1h;
  sum.output += more.output;
  sum.reasoning += more.reasoning;
  sum.reported = true;
}

bool is_openai(Dialect dialect) {
  return dialect != Dialect::anthropic_messages && dialect != Dialect::gemini;
}

}  // namespace

std::string CallRun::request_id() const {
  return fmt::format("req_sim{:010}", call_.id);
}

AnswerHead CallRun::head(int status) const {
  AnswerHead head;
  head.status = status;
  head.fields = limit_headers_;
  if (route_.dialect == Dialect::anthropic_messages) {
    head.fields.emplace_back("request-id", request_id());
  } else if (route_.dialect != Dialect::gemini) {
    head.fields.emplace_back("x-request-id", request_id());
    head.fields.emplace_back("openai-processing-ms", "1");
  }
  if (route_.flavor == Flavor::azure) head.fields.emplace_back("apim-request-id", request_id());
  if (route_.flavor == Flavor::bedrock) {
    head.fields = limit_headers_;
    head.fields.emplace_back("x-amzn-requestid", request_id());
  }
  return head;
}

Latency CallRun::latency() const {
  if (rule_ && rule_->latency) return *rule_->latency;
  return sim_.settings_of(call_.model).latency.value_or(sim_.config.latency);
}

void CallRun::forget_request() {
  conversation_.reset();
  document_ = {};
  body_ = {};
  user_text_ = {};
}

net::Task<void> CallRun::send_error(ApiError error, HeaderFields fields) {
  if (!sender_) {
    sender_.emplace(exchange_, sim_.loop, sim_.wires, call_, Random(sim_.config.seed));
  }
  AnswerHead out = head(dialect::error_status(error_dialect(), error));
  add_error_type(out, error);
  for (auto& field : fields) {
    if (std::find(out.fields.begin(), out.fields.end(), field) == out.fields.end()) {
      out.fields.push_back(std::move(field));
    }
  }
  co_await sender_->whole(std::move(out),
                          dialect::write_error(error_dialect(), error, request_id()), {});
}

Dialect CallRun::error_dialect() const {
  if (route_.flavor == Flavor::bedrock) return Dialect::bedrock_converse;
  return route_.dialect == Dialect::passthrough ? Dialect::openai_chat : route_.dialect;
}

// Bedrock names its errors in a header.
void CallRun::add_error_type(AnswerHead& head, const ApiError& error) const {
  if (route_.flavor != Flavor::bedrock) return;
  std::string type(dialect::bedrock_exception(error.type));
  if (error.code.ends_with("Exception")) type = error.code;
  head.fields.emplace_back("x-amzn-errortype", type + ":http://internal.amazon.com/coral/");
}

std::string_view CallRun::stream_type() const {
  return route_.flavor == Flavor::bedrock ? "application/vnd.amazon.eventstream"
                                          : "text/event-stream; charset=utf-8";
}

net::Task<void> CallRun::answer_fault() {
  const Fault& fault = *rule_->fault;
  ApiError error;
  error.status = fault.status;
  error.type = dialect::error_type_of_status(fault.status);
  error.message =
      fault.message.empty() ? "the simulator was told to fail this call" : fault.message;
  error.code = fault.code;
  if (fault.code == "insufficient_quota") error.type = dialect::ApiErrorType::quota;
  std::string body = fault.body;
  if (fault.kind == FaultKind::content_filter) {
    error.type = dialect::ApiErrorType::content_filter;
    if (error.code.empty()) error.code = "content_filter";
    if (fault.message.empty()) error.message = "the prompt was refused by the content policy";
    if (body.empty() && route_.flavor == Flavor::azure) body = kAzureFiltered;
  }
  if (body.empty()) body = dialect::write_error(error_dialect(), error, request_id());
  AnswerHead out = head(fault.status);
  add_error_type(out, error);
  if (!fault.content_type.empty()) out.content_type = fault.content_type;
  if (!fault.retry_after.empty()) out.fields.emplace_back("retry-after", fault.retry_after);
  if (!fault.retry_after_ms.empty()) {
    out.fields.emplace_back("retry-after-ms", fault.retry_after_ms);
  }
  sender_->set_fault(nullptr);
  forget_request();
  const Latency pace = rule_->latency.value_or(Latency{});
  co_await sender_->whole(std::move(out), std::move(body), {.latency = pace});
}

net::Task<void> CallRun::answer_raw() {
  const RawReply& raw = *rule_->raw;
  AnswerHead out;
  out.status = raw.status;
  out.fields = raw.headers;
  out.content_type = raw.stream ? stream_type() : "application/json";
  if (!raw.content_type.empty()) out.content_type = raw.content_type;
  const Effort effort{.latency = rule_->latency.value_or(Latency{})};
  forget_request();
  if (!raw.stream) {
    call_.usage = dialect::read_usage(route_.dialect, raw.body);
    co_await sender_->whole(std::move(out), raw.body, effort);
    co_return;
  }
  if (auto meter = dialect::make_relay_meter(route_.dialect, {})) {
    std::string bytes;
    std::vector<std::string_view> pieces;
    for (const std::string& chunk : raw.chunks) {
      bytes.clear();
      pieces.clear();
      append_raw_chunk(bytes, chunk, route_.dialect, false);
      static_cast<void>(meter->feed(bytes, pieces));
    }
    call_.usage = meter->usage();
  }
  co_await sender_->stream(std::move(out), std::make_unique<RawSteps>(raw, route_.dialect), effort);
}

dialect::Reply CallRun::make_reply(const dialect::Conversation& conversation) const {
  const ModelSettings& settings = sim_.settings_of(call_.model);
  const AnswerSettings answer_settings{
      .seed = sim_.config.seed,
      .output_tokens = settings.output_tokens.value_or(sim_.config.output_tokens),
      .demo = sim_.config.demo};
  const ScriptedReply* scripted = rule_ && rule_->reply ? &*rule_->reply : nullptr;
  const AnswerRequest request{
      .conversation = conversation,
      .dialect = route_.dialect,
      .input = sim_.prompt_cache.input_usage(conversation, route_.dialect, sim_.loop.now()),
      .call = call_.id,
      .now_s = sim_.wall_s(),
      .script = filled_ ? &*filled_ : scripted};
  return make_answer(request, answer_settings);
}

std::unique_ptr<dialect::StreamWriter> CallRun::stream_writer(const dialect::Reply& reply) const {
  if (route_.endpoint == Endpoint::responses) return make_responses_stream_writer();
  if (route_.endpoint == Endpoint::completions) {
    return make_completions_stream_writer(stream_usage_);
  }
  dialect::Context context;
  context.model = reply.model;
  context.request_id = reply.id;
  context.now_s = reply.created;
  context.include_usage = stream_usage_;
  return dialect::make_stream_writer(route_.dialect, context);
}

std::string CallRun::whole_body(const dialect::Reply& reply) const {
  if (route_.endpoint == Endpoint::responses) return write_responses_reply(reply);
  if (route_.endpoint == Endpoint::completions) return write_completions_reply(reply);
  dialect::Context context;
  context.model = reply.model;
  context.request_id = reply.id;
  context.now_s = reply.created;
  std::string body = dialect::write_reply(route_.dialect, reply, context);
  if (route_.flavor == Flavor::azure && is_openai(route_.dialect)) {
    return with_filter_results(std::move(body));
  }
  return body;
}

net::Task<void> CallRun::answer_model() {
  if (!conversation_) {
    ApiError error;
    error.type = dialect::ApiErrorType::not_found;
    error.status = 404;
    error.message = "use POST here";
    co_await send_error(error);
    co_return;
  }
  const dialect::Reply reply = make_reply(*conversation_);
  call_.usage = reply.usage;
  if (route_.endpoint == Endpoint::responses) {
    sim_.files.keep_response(reply.id, write_responses_reply(reply));
  }
  forget_request();
  const Effort effort{.latency = latency(),
                      .input_tokens = reply.usage.total_input() - reply.usage.cache_read,
                      .output_tokens = reply.usage.total_output()};
  AnswerHead out = head();
  if (!call_.stream) {
    co_await sender_->whole(std::move(out), whole_body(reply), effort);
    co_return;
  }
  out.content_type = stream_type();
  if (route_.flavor != Flavor::bedrock) out.fields.emplace_back("cache-control", "no-cache");
  const bool azure_chat = route_.flavor == Flavor::azure && route_.dialect == Dialect::openai_chat;
  std::unique_ptr<Steps> steps = std::make_unique<ReplySteps>(
      reply, route_.dialect, stream_writer(reply), azure_chat ? azure_preamble() : std::string());
  if (route_.endpoint == Endpoint::generate && !route_.sse) {
    out.content_type = "application/json; charset=UTF-8";
    steps = std::make_unique<ArraySteps>(std::move(steps));
  }
  co_await sender_->stream(std::move(out), std::move(steps), effort);
}

net::Task<void> CallRun::answer_count() {
  const int64_t tokens = conversation_ ? prompt_tokens(*conversation_) : 0;
  std::string body;
  json::Writer w(body);
  w.begin_object();
  if (route_.flavor == Flavor::bedrock) {
    w.member("inputTokens", tokens);
  } else if (route_.endpoint == Endpoint::count_tokens) {
    w.member("input_tokens", tokens);
  } else {
    w.member("totalTokens", tokens).key("promptTokensDetails").begin_array().begin_object();
    w.member("modality", "TEXT").member("tokenCount", tokens).end_object().end_array();
  }
  w.end_object();
  co_await sender_->whole(head(), std::move(body), {.latency = latency()});
}

net::Task<void> CallRun::send_small(Result<SmallAnswer> small) {
  if (!small) {
    ApiError error;
    error.type = dialect::ApiErrorType::invalid_request;
    error.status = 400;
    error.message = std::string(small.error().message());
    co_await send_error(error);
    co_return;
  }
  call_.usage = small->usage;
  AnswerHead out = head();
  out.content_type = small->content_type;
  std::move(small->fields.begin(), small->fields.end(), std::back_inserter(out.fields));
  const Effort effort{.latency = latency(),
                      .input_tokens = small->usage.total_input(),
                      .output_tokens = small->usage.total_output()};
  forget_request();
  co_await sender_->whole(std::move(out), std::move(small->body), effort);
}

net::Task<void> CallRun::answer_stored(StoreAnswer stored) {
  AnswerHead out = head(stored.status);
  out.content_type = stored.content_type;
  co_await sender_->whole(std::move(out), std::move(stored.body), {});
}

net::Task<void> CallRun::answer() {
  const std::string_view method = exchange_.head().method;
  switch (route_.endpoint) {
    case Endpoint::responses:
      if (method == "POST" && route_.id.empty()) return answer_model();
      return answer_stored(sim_.files.responses(method, route_.id));
    case Endpoint::chat:
    case Endpoint::completions:
    case Endpoint::messages:
    case Endpoint::generate:
    case Endpoint::converse:
      return answer_model();
    case Endpoint::count_tokens:
    case Endpoint::gemini_count_tokens:
      return answer_count();
    default:
      return answer_other();
  }
}

net::Task<void> CallRun::answer_other() {
  const std::string_view method = exchange_.head().method;
  const json::Value root = document_.root();
  const http::HeaderList& headers = exchange_.head().headers;
  const auto token = [this](const TokenAnswer& answer) {
    return answer_stored({answer.status, answer.body});
  };
  const bool anthropic = headers.find("anthropic-version").has_value();
  // A batch is billed as the sum of its lines, to the call that made it.
  const auto answer_line = [this](Dialect dialect) {
    return [this, dialect](std::string_view, std::string_view line) {
      json::Document document;
      if (!document.parse(line)) return std::string("{}");
      auto conversation = dialect::read_request(dialect, document.root(), {});
      if (!conversation) return std::string("{}");
      const dialect::Reply reply = make_reply(*conversation);
      call_.model = reply.model;
      add(call_.usage, reply.usage);
      return dialect::write_reply(dialect, reply, {});
    };
  };
  switch (route_.endpoint) {
    case Endpoint::embeddings:
      return send_small(answer_embeddings(root, call_.model));
    case Endpoint::embed_content:
      return send_small(answer_embed_content(root));
    case Endpoint::batch_embed_contents:
      return send_small(answer_batch_embed_contents(root));
    case Endpoint::predict:
      return send_small(answer_predict(root));
    case Endpoint::moderations:
      return send_small(answer_moderation(root, call_.model));
    case Endpoint::images:
      return send_small(answer_images(root, sim_.wall_s()));
    case Endpoint::speech:
      return send_small(answer_speech(root));
    case Endpoint::rerank:
      return send_small(route_.flavor == Flavor::bedrock && root["queries"].exists()
                            ? answer_bedrock_rerank(root)
                            : answer_rerank(root, call_.model));
    case Endpoint::bedrock_embeddings:
      return send_small(answer_bedrock_embeddings(root, call_.model));
    case Endpoint::transcriptions:
      return send_small(answer_transcription(body_));
    case Endpoint::files:
      if (anthropic) {
        return answer_stored(
            sim_.files.anthropic_files(method, route_.id, route_.action, body_, sim_.wall_s()));
      }
      return answer_stored(
          sim_.files.files(method, route_.id, route_.action, body_, sim_.wall_s()));
    case Endpoint::batches:
      if (anthropic) {
        return answer_stored(sim_.files.anthropic_batches(
            method, route_.id, route_.action, body_, answer_line(Dialect::anthropic_messages)));
      }
      return answer_stored(sim_.files.batches(method, route_.id, route_.action, body_,
                                              sim_.wall_s(), answer_line(Dialect::openai_chat)));
    case Endpoint::models: {
      const bool gemini = call_.path.find("/v1beta/") != std::string::npos &&
                          call_.path.find("/openai/") == std::string::npos;
      const ModelListForm form = gemini                              ? ModelListForm::gemini
                                 : headers.find("anthropic-version") ? ModelListForm::anthropic
                                                                     : ModelListForm::openai;
      return answer_stored({200, route_.model.empty() ? write_model_list(sim_.model_names(), form)
                                                      : write_model(route_.model, form)});
    }
    case Endpoint::entra_token:
      return token(sim_.tokens.entra(body_, sim_.wall_ms()));
    case Endpoint::google_token:
      return token(sim_.tokens.google(body_, sim_.wall_ms()));
    default:
      break;
  }
  ApiError error;
  error.type = dialect::ApiErrorType::not_found;
  error.status = 404;
  error.message = fmt::format("Invalid URL ({} {})", method, call_.path);
  return send_error(error);
}

}  // namespace weir::sim
