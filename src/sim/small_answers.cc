#include "sim/small_answers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/encoding.h"
#include "base/json/writer.h"
#include "base/random.h"
#include "sim/words.h"

namespace weir::sim {
namespace {

constexpr int64_t kDimensionsMax = 4096;
constexpr uint32_t kInputsMax = 2048;
constexpr uint32_t kBatchMax = 100;  // of Gemini's
// A fixed time, so that the list is the same from run to run.
constexpr int64_t kModelCreated = 1'735'689'600;

// A gray PNG of one pixel.
constexpr std::string_view kPixel =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==";

tl::unexpected<Error> wrong(std::string_view message) {
  return fail(ErrorCode::invalid_argument, std::string(message));
}

void write_vector(json::Writer& w, const std::vector<double>& vector, bool base64) {
  if (base64) {
    std::string bytes;
    for (const double number : vector) {
      const auto single = static_cast<float>(number);
      char raw[sizeof(single)];
      std::memcpy(raw, &single, sizeof(single));
      bytes.append(raw, sizeof(raw));
    }
    w.string(base64_encode(bytes));
    return;
  }
  std::string text = "[";
  for (const double number : vector) {
    if (text.size() > 1) text.push_back(',');
    fmt::format_to(std::back_inserter(text), "{:.6f}", number);
  }
  text.push_back(']');
  w.raw(text);
}

// A text, or an array of token numbers.
struct Input {
  std::string text;
  int64_t tokens = 0;
};
Input read_input(json::Value value) {
  if (value.is_string()) {
    std::string text = value.string_or("");
    const int64_t tokens = count_tokens(text);
    return {std::move(text), tokens};
  }
  return {std::string(value.raw()), value.size()};
}

std::vector<Input> read_inputs(json::Value value) {
  std::vector<Input> inputs;
  const bool several =
      value.is_array() && value.size() > 0 && !(*value.elements().begin()).is_number();
  if (!several) {
    inputs.push_back(read_input(value));
    return inputs;
  }
  for (const json::Value one : value.elements()) inputs.push_back(read_input(one));
  return inputs;
}

std::string content_text(json::Value content) {
  std::string text;
  for (const json::Value part : content["parts"].elements()) text += part["text"].string_or("");
  return text;
}

size_t dimensions_of(json::Value wanted, int64_t standard) {
  return static_cast<size_t>(
      std::clamp<int64_t>(wanted.as_int64().value_or(standard), 1, kDimensionsMax));
}

SmallAnswer with_usage(std::string body, int64_t input) {
  SmallAnswer answer;
  answer.body = std::move(body);
  answer.usage.input = input;
  answer.usage.reported = true;
  return answer;
}

}  // namespace

std::vector<double> embed(std::string_view text, size_t dimensions) {
  Random random(hash_text(text));
  std::vector<double> vector(dimensions);
  double square = 0;
  for (double& number : vector) {
    number = 2 * random.uniform() - 1;
    square += number * number;
  }
  const double length = std::sqrt(std::max(square, 1e-12));
  for (double& number : vector) number /= length;
  return vector;
}

Result<SmallAnswer> answer_embeddings(json::Value root, std::string_view model) {
  const json::Value input = root["input"];
  if (!input.is_string() && !input.is_array()) {
    return wrong("input: expected a string or an array");
  }
  const std::vector<Input> inputs = read_inputs(input);
  if (inputs.size() > kInputsMax) return wrong("input: at most 2048 entries");
  const bool large = model.find("3-large") != std::string_view::npos;
  const size_t dimensions = dimensions_of(root["dimensions"], large ? 3072 : 1536);
  const bool base64 = root["encoding_format"].equals("base64");
  std::string body;
  json::Writer w(body);
  int64_t tokens = 0;
  w.begin_object().member("object", "list").key("data").begin_array();
  int64_t index = 0;
  for (const Input& one : inputs) {
    tokens += one.tokens;
    w.begin_object().member("object", "embedding").member("index", index++).key("embedding");
    write_vector(w, embed(one.text, dimensions), base64);
    w.end_object();
  }
  w.end_array().member("model", model).key("usage").begin_object();
  w.member("prompt_tokens", tokens).member("total_tokens", tokens).end_object().end_object();
  return with_usage(std::move(body), tokens);
}

Result<SmallAnswer> answer_embed_content(json::Value root) {
  if (!root["content"].is_object()) return wrong("content: expected an object");
  const std::string text = content_text(root["content"]);
  std::string body;
  json::Writer w(body);
  w.begin_object().key("embedding").begin_object().key("values");
  write_vector(w, embed(text, dimensions_of(root["outputDimensionality"], 768)), false);
  w.end_object().end_object();
  return with_usage(std::move(body), count_tokens(text));
}

Result<SmallAnswer> answer_batch_embed_contents(json::Value root) {
  if (!root["requests"].is_array()) return wrong("requests: expected an array");
  if (root["requests"].size() > kBatchMax) {
    return wrong("* BatchEmbedContentsRequest.requests: at most 100 requests can be in one batch");
  }
  std::string body;
  json::Writer w(body);
  int64_t tokens = 0;
  w.begin_object().key("embeddings").begin_array();
  for (const json::Value request : root["requests"].elements()) {
    const std::string text = content_text(request["content"]);
    tokens += count_tokens(text);
    w.begin_object().key("values");
    write_vector(w, embed(text, dimensions_of(request["outputDimensionality"], 768)), false);
    w.end_object();
  }
  w.end_array().end_object();
  return with_usage(std::move(body), tokens);
}

Result<SmallAnswer> answer_predict(json::Value root) {
  if (!root["instances"].is_array()) return wrong("instances: expected an array");
  const size_t dimensions = dimensions_of(root["parameters"]["outputDimensionality"], 768);
  std::string body;
  json::Writer w(body);
  int64_t tokens = 0;
  w.begin_object().key("predictions").begin_array();
  for (const json::Value instance : root["instances"].elements()) {
    const std::string text = instance["content"].string_or("");
    const int64_t count = count_tokens(text);
    tokens += count;
    w.begin_object().key("embeddings").begin_object().key("statistics").begin_object();
    w.member("truncated", false).member("token_count", count).end_object().key("values");
    write_vector(w, embed(text, dimensions), false);
    w.end_object().end_object();
  }
  w.end_array().key("metadata").begin_object();
  w.member("billableCharacterCount", tokens * 4).end_object().end_object();
  return with_usage(std::move(body), tokens);
}

Result<SmallAnswer> answer_moderation(json::Value root, std::string_view model) {
  const json::Value input = root["input"];
  if (!input.is_string() && !input.is_array()) {
    return wrong("input: expected a string or an array");
  }
  SmallAnswer answer;
  json::Writer w(answer.body);
  w.begin_object().member("id", fmt::format("modr-sim{:016x}", hash_text(input.raw())));
  w.member("model", model.empty() ? "omni-moderation-latest" : model);
  w.key("results").begin_array();
  for (const Input& one : read_inputs(input)) {
    const bool flagged = one.text.find("kill") != std::string::npos;
    w.begin_object().member("flagged", flagged).key("categories").begin_object();
    w.member("violence", flagged).member("hate", false).member("self-harm", false).end_object();
    w.key("category_scores").begin_object().member("violence", flagged ? 0.9 : 0.001);
    w.member("hate", 0.001).member("self-harm", 0.001).end_object().end_object();
  }
  w.end_array().end_object();
  return answer;
}

Result<SmallAnswer> answer_images(json::Value root, int64_t now_s) {
  const int64_t images = std::clamp<int64_t>(root["n"].as_int64().value_or(1), 1, 10);
  const int64_t input = count_tokens(root["prompt"].string_or(""));
  SmallAnswer answer = with_usage({}, input);
  answer.usage.output_image = images * 256;
  json::Writer w(answer.body);
  w.begin_object().member("created", now_s).key("data").begin_array();
  for (int64_t i = 0; i < images; ++i) {
    w.begin_object();
    if (root["response_format"].equals("url")) {
      w.member("url", "https://example.com/sim.png");
    } else {
      w.member("b64_json", kPixel);
    }
    w.end_object();
  }
  w.end_array().key("usage").begin_object().member("input_tokens", input);
  w.member("output_tokens", images * 256).member("total_tokens", input + images * 256);
  w.key("input_tokens_details").begin_object().member("text_tokens", input);
  w.member("image_tokens", 0).end_object().end_object().end_object();
  return answer;
}

namespace {

constexpr int64_t kSpeechTokensPerToken = 5;

// The one form of speech that tells what it used.
SmallAnswer speech_events(int64_t input) {
  const int64_t output = input * kSpeechTokensPerToken;
  SmallAnswer answer = with_usage({}, input);
  answer.usage.output_audio = output;
  answer.content_type = "text/event-stream; charset=utf-8";
  for (int64_t i = 0; i < std::min<int64_t>(input, 100); ++i) {
    answer.body += "data: {\"type\":\"speech.audio.delta\",\"audio\":\"gICAgA==\"}\n\n";
  }
  answer.body += fmt::format(
      R"(data: {{"type":"speech.audio.done","usage":{{"input_tokens":{},"output_tokens":{},"total_tokens":{}}}}})",
      input, output, input + output);
  answer.body += "\n\n";
  return answer;
}

}  // namespace

Result<SmallAnswer> answer_speech(json::Value root) {
  const json::Value input = root["input"];
  if (!input.is_string()) return wrong("input: expected a string");
  // A WAV of silence, a tenth of a second for each token, 8 kHz, one byte a sample.
  const int64_t tokens = count_tokens(input.string_or(""));
  const auto samples = static_cast<uint32_t>(std::min<int64_t>(tokens, 600) * 800);
  if (root["stream_format"].equals("sse")) return speech_events(tokens);
  SmallAnswer answer = with_usage("RIFF", tokens);
  answer.usage.output_audio = tokens * kSpeechTokensPerToken;
  const auto number = [&answer](uint32_t value, int bytes) {
    for (int i = 0; i < bytes; ++i)
      answer.body.push_back(static_cast<char>(value >> (8 * i) & 0xFF));
  };
  number(36 + samples, 4);
  answer.body += "WAVEfmt ";
  number(16, 4);
  number(1, 2);
  number(1, 2);
  number(8000, 4);
  number(8000, 4);
  number(1, 2);
  number(8, 2);
  answer.body += "data";
  number(samples, 4);
  answer.body.append(samples, '\x80');
  answer.content_type = root["response_format"].equals("wav") ? "audio/wav" : "audio/mpeg";
  return answer;
}

std::vector<Ranked> rank(const RerankInput& input) {
  std::vector<Ranked> ranked;
  for (const std::string& document : input.documents) {
    Random random(hash_text(input.query + "\x1F" + document));
    ranked.push_back({random.uniform(), static_cast<int64_t>(ranked.size())});
  }
  std::sort(ranked.begin(), ranked.end(),
            [](const Ranked& a, const Ranked& b) { return a.score > b.score; });
  if (input.most && *input.most >= 0 && static_cast<size_t>(*input.most) < ranked.size()) {
    ranked.resize(static_cast<size_t>(*input.most));
  }
  return ranked;
}

Result<SmallAnswer> answer_rerank(json::Value root, std::string_view model) {
  if (!root["documents"].is_array()) return wrong("documents: expected an array");
  RerankInput input{
      .query = root["query"].string_or(""), .documents = {}, .most = root["top_n"].as_int64()};
  int64_t tokens = count_tokens(input.query);
  for (const json::Value document : root["documents"].elements()) {
    input.documents.push_back(document.is_string() ? document.string_or("")
                                                   : document["text"].string_or(""));
    tokens += count_tokens(input.documents.back());
  }
  std::string body;
  json::Writer w(body);
  w.begin_object().member("id", fmt::format("rerank-sim{:016x}", hash_text(input.query)));
  w.member("model", model).key("results").begin_array();
  for (const Ranked& one : rank(input)) {
    w.begin_object().member("index", one.index).member("relevance_score", one.score).end_object();
  }
  w.end_array().key("usage").begin_object().member("total_tokens", tokens).end_object();
  w.key("meta").begin_object().key("billed_units").begin_object().member("search_units", 1);
  w.end_object().end_object().end_object();
  return with_usage(std::move(body), tokens);
}

std::string form_field(std::string_view form, std::string_view name) {
  const std::string mark = fmt::format("name=\"{}\"", name);
  const size_t at = form.find(mark);
  if (at == std::string_view::npos) return {};
  const size_t begin = form.find("\r\n\r\n", at);
  if (begin == std::string_view::npos) return {};
  const size_t end = form.find("\r\n--", begin + 4);
  if (end == std::string_view::npos) return {};
  return std::string(form.substr(begin + 4, end - begin - 4));
}

std::string form_file_name(std::string_view form) {
  constexpr std::string_view kMark = "filename=\"";
  const size_t at = form.find(kMark);
  if (at == std::string_view::npos) return "upload";
  const std::string_view rest = form.substr(at + kMark.size());
  return std::string(rest.substr(0, rest.find('"')));
}

SmallAnswer answer_transcription(std::string_view form) {
  Random random(hash_text(form_field(form, "file")));
  const std::string text = make_text(random, 12);
  SmallAnswer answer;
  answer.usage.input_audio = 50;
  answer.usage.output = 12;
  answer.usage.reported = true;
  if (form_field(form, "response_format") == "text") {
    answer.body = text + "\n";
    answer.content_type = "text/plain; charset=utf-8";
    return answer;
  }
  const bool stream = form_field(form, "stream") == "true";
  if (stream) {
    answer.content_type = "text/event-stream; charset=utf-8";
    answer.body = fmt::format("data: {{\"type\":\"transcript.text.delta\",\"delta\":{}}}\n\ndata: ",
                              json::quoted(text));
  }
  json::Writer w(answer.body);
  w.begin_object();
  if (stream) w.member("type", "transcript.text.done");
  w.member("text", text).key("usage").begin_object().member("type", "tokens");
  w.member("input_tokens", 50).key("input_token_details").begin_object();
  w.member("text_tokens", 0).member("audio_tokens", 50).end_object();
  w.member("output_tokens", 12).member("total_tokens", 62).end_object().end_object();
  if (stream) answer.body += "\n\n";
  return answer;
}

std::string write_model(std::string_view name, ModelListForm form) {
  std::string body;
  json::Writer w(body);
  w.begin_object();
  switch (form) {
    case ModelListForm::openai:
      w.member("id", name).member("object", "model").member("created", kModelCreated);
      w.member("owned_by", "weir-sim");
      break;
    case ModelListForm::anthropic:
      w.member("type", "model").member("id", name).member("display_name", name);
      w.member("created_at", "2025-01-01T00:00:00Z");
      break;
    case ModelListForm::gemini:
      w.member("name", fmt::format("models/{}", name)).member("version", "001");
      w.member("displayName", name).member("inputTokenLimit", 1'048'576);
      w.member("outputTokenLimit", 65'536).key("supportedGenerationMethods").begin_array();
      w.string("generateContent").string("countTokens").string("embedContent").end_array();
      break;
  }
  w.end_object();
  return body;
}

std::string write_model_list(const std::vector<std::string>& names, ModelListForm form) {
  std::string body;
  json::Writer w(body);
  w.begin_object();
  if (form == ModelListForm::openai) w.member("object", "list");
  w.key(form == ModelListForm::gemini ? "models" : "data").begin_array();
  for (const std::string& name : names) w.raw(write_model(name, form));
  w.end_array();
  if (form == ModelListForm::anthropic) {
    w.member("has_more", false).member("first_id", names.empty() ? "" : names.front());
    w.member("last_id", names.empty() ? "" : names.back());
  }
  w.end_object();
  return body;
}

}  // namespace weir::sim
