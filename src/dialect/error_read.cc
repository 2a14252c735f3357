#include <algorithm>
#include <array>
#include <optional>

#include "base/utf8.h"
#include "dialect/errors.h"

namespace weir::dialect {
namespace {

struct Word {
  std::string_view word;  // lowercase, without '_' and '-'
  ApiErrorType type;
};

// Words that say what happened whatever the HTTP status is. Sources: the error pages of OpenAI,
// Azure OpenAI, Anthropic, Google (google.rpc.Code), Bedrock, DeepSeek, Alibaba Model Studio.
constexpr auto kStrongWords = std::to_array<Word>({
    {"insufficientquota", ApiErrorType::quota},
    {"billinghardlimitreached", ApiErrorType::quota},
    {"billingnotactive", ApiErrorType::quota},
    {"billingerror", ApiErrorType::quota},
    {"insufficientbalance", ApiErrorType::quota},
    {"creditsexhausted", ApiErrorType::quota},
    {"arrearage", ApiErrorType::quota},
    {"contentfilter", ApiErrorType::content_filter},
    {"contentpolicyviolation", ApiErrorType::content_filter},
    {"responsibleaipolicyviolation", ApiErrorType::content_filter},
    {"datainspectionfailed", ApiErrorType::content_filter},
    {"authenticationerror", ApiErrorType::authentication},
    {"invalidapikey", ApiErrorType::authentication},
    {"apikeyinvalid", ApiErrorType::authentication},
    {"apikeyexpired", ApiErrorType::authentication},
    {"accesstokenexpired", ApiErrorType::authentication},
    {"unauthenticated", ApiErrorType::authentication},
    {"unrecognizedclientexception", ApiErrorType::authentication},
    {"expiredtokenexception", ApiErrorType::authentication},
    {"permissionerror", ApiErrorType::permission},
    {"permissiondenied", ApiErrorType::permission},
    {"accessdenied", ApiErrorType::permission},
    {"accessdeniedexception", ApiErrorType::permission},
    {"notfounderror", ApiErrorType::not_found},
    {"modelnotfound", ApiErrorType::not_found},
    {"deploymentnotfound", ApiErrorType::not_found},
    {"notfound", ApiErrorType::not_found},
    {"resourcenotfoundexception", ApiErrorType::not_found},
    {"requesttoolarge", ApiErrorType::too_large},
    {"ratelimiterror", ApiErrorType::rate_limit},
    {"ratelimitexceeded", ApiErrorType::rate_limit},
    {"ratelimitreached", ApiErrorType::rate_limit},
    {"resourceexhausted", ApiErrorType::rate_limit},
    {"throttlingexception", ApiErrorType::rate_limit},
    {"throttling", ApiErrorType::rate_limit},
    {"servicequotaexceededexception", ApiErrorType::rate_limit},
    {"toomanyrequests", ApiErrorType::rate_limit},
    {"toomanyrequestsexception", ApiErrorType::rate_limit},
    {"overloadederror", ApiErrorType::overloaded},
    {"overloaded", ApiErrorType::overloaded},
    {"engineoverloaded", ApiErrorType::overloaded},
    {"serverisoverloaded", ApiErrorType::overloaded},
    {"slowdown", ApiErrorType::overloaded},
    {"nocapacity", ApiErrorType::overloaded},
    {"unavailable", ApiErrorType::unavailable},
    {"serviceunavailable", ApiErrorType::unavailable},
    {"serviceunavailableexception", ApiErrorType::unavailable},
    {"modelnotreadyexception", ApiErrorType::unavailable},
    {"modelstreamerrorexception", ApiErrorType::unavailable},
    {"internalserverexception", ApiErrorType::server},
    {"internalfailure", ApiErrorType::server},
    {"invalidsignatureexception", ApiErrorType::authentication},
    {"signaturedoesnotmatch", ApiErrorType::authentication},
    {"incompletesignatureexception", ApiErrorType::authentication},
    {"missingauthenticationtokenexception", ApiErrorType::authentication},
    {"invalidclienttokenid", ApiErrorType::authentication},
    {"expiredtoken", ApiErrorType::authentication},
    {"modelerrorexception", ApiErrorType::server},
    {"timeouterror", ApiErrorType::timeout},
    {"deadlineexceeded", ApiErrorType::timeout},
    {"modeltimeoutexception", ApiErrorType::timeout},
    {"contextlengthexceeded", ApiErrorType::invalid_request},
    {"validationexception", ApiErrorType::invalid_request},
});

// Words that providers also use around a more telling status: they decide only without one.
constexpr auto kWeakWords = std::to_array<Word>({
    {"invalidrequesterror", ApiErrorType::invalid_request},
    {"invalidargument", ApiErrorType::invalid_request},
    {"invalidrequest", ApiErrorType::invalid_request},
    {"invalidprompt", ApiErrorType::invalid_request},
    {"failedprecondition", ApiErrorType::invalid_request},
    {"outofrange", ApiErrorType::invalid_request},
    {"badrequest", ApiErrorType::invalid_request},
    {"badrequesterror", ApiErrorType::invalid_request},
    {"requests", ApiErrorType::rate_limit},
    {"tokens", ApiErrorType::rate_limit},
    {"apierror", ApiErrorType::server},
    {"servererror", ApiErrorType::server},
    {"internalerror", ApiErrorType::server},
    {"internalservererror", ApiErrorType::server},
    {"internal", ApiErrorType::server},
    {"unknown", ApiErrorType::server},
});

// "RESOURCE_EXHAUSTED", "com.amazonaws#ThrottlingException:http://...", "rate_limit_error" in one
// spelling.
std::string plain_word(std::string_view text) {
  if (const size_t hash = text.rfind('#'); hash != std::string_view::npos) {
    text.remove_prefix(hash + 1);
  }
  text = text.substr(0, text.find(':'));
  std::string word;
  for (const char c : text.substr(0, 64)) {
    if (c >= 'A' && c <= 'Z') {
      word.push_back(static_cast<char>(c - 'A' + 'a'));
    } else if (c != '_' && c != '-' && c != ' ') {
      word.push_back(c);
    }
  }
  return word;
}

template <size_t N>
std::optional<ApiErrorType> find_word(const std::array<Word, N>& table, std::string_view text) {
  const std::string word = plain_word(text);
  for (const Word& entry : table) {
    if (entry.word == word) return entry.type;
  }
  return std::nullopt;
}

// What an error object says of itself, most telling word first.
struct Told {
  std::vector<std::string> words;
  std::string message;
  std::string code;
  std::string param;
  int status = 0;  // a status inside the object, 0 = none
};

void add_word(Told& told, json::Value value) {
  if (auto text = value.as_string(); text && !text->empty()) {
    told.words.push_back(std::move(*text));
  } else if (const auto number = value.as_int64();
             number && *number >= 400 && *number <= 599 && told.status == 0) {
    told.status = static_cast<int>(*number);
  }
}

// FastAPI's validation errors: [{"loc": ["body", "model"], "msg": "...", "type": "..."}].
void read_detail_list(Told& told, json::Value list) {
  const json::Value first = *list.elements().begin();
  told.message = first["msg"].string_or("");
  std::string path;
  for (const json::Value step : first["loc"].elements()) {
    if (!path.empty()) path.push_back('.');
    path.append(step.is_string() ? step.string_or("") : std::string(step.raw()));
  }
  if (!path.empty()) {
    told.message.insert(0, path + ": ");
    told.param = std::move(path);
  }
}

void read_message(Told& told, json::Value value) {
  if (!told.message.empty()) return;
  if (value.is_string()) {
    told.message = value.string_or("");
  } else if (value.is_array() && value.size() > 0) {
    read_detail_list(told, value);
  } else if (value.is_object()) {
    read_message(told, value["message"].exists() ? value["message"] : value["detail"]);
  }
}

// One level: the object that holds message, type and code.
void read_object(Told& told, json::Value object) {
  add_word(told, object["innererror"]["code"]);
  add_word(told, object["code"]);
  add_word(told, object["status"]);
  for (const json::Value detail : object["details"].elements()) add_word(told, detail["reason"]);
  if (!object["type"].equals("error")) add_word(told, object["type"]);
  add_word(told, object["__type"]);
  add_word(told, object["error_type"]);
  add_word(told, object["error_code"]);
  add_word(told, object["statusCode"]);
  if (told.code.empty()) told.code = object["code"].string_or("");
  if (told.code.empty()) told.code = object["status"].string_or("");
  if (told.param.empty()) told.param = object["param"].string_or("");
  for (const std::string_view name : {"message", "Message", "detail", "error_description"}) {
    read_message(told, object[name]);
  }
}

Told read_told(json::Value root) {
  Told told;
  if (root.is_array()) root = root.size() > 0 ? *root.elements().begin() : json::Value();
  if (root["response"]["error"].is_object()) root = root["response"];  // response.failed
  const json::Value error = root["error"];
  if (error.is_object()) read_object(told, error);
  if (error.is_string()) read_message(told, error);
  if (const json::Value list = root["errors"]; list.is_array() && list.size() > 0) {
    read_object(told, *list.elements().begin());
  }
  read_object(told, root);
  if (root.is_string()) read_message(told, root);
  return told;
}

// Failures whose class stands in the sentence only.
std::optional<ApiErrorType> type_of_message(std::string_view message) {
  // Anthropic answers 400 invalid_request_error to an account without credit.
  if (message.find("credit balance is too low") != std::string_view::npos) {
    return ApiErrorType::quota;
  }
  // Gemini answers 400 INVALID_ARGUMENT to a wrong key, on old paths without a reason.
  if (message.find("API key not valid") != std::string_view::npos) {
    return ApiErrorType::authentication;
  }
  // Bedrock's AccessDeniedException of one model, which says nothing about the credential.
  if (message.find("access to the model with the specified model ID") != std::string_view::npos) {
    return ApiErrorType::not_found;
  }
  return std::nullopt;
}

ApiErrorType classify(const Told& told, int status) {
  // quota and content_filter first: they come beside words for the larger class (429, 400).
  std::optional<ApiErrorType> strong = type_of_message(told.message);
  for (const std::string& word : told.words) {
    const auto type = find_word(kStrongWords, word);
    if (!type) continue;
    if (!strong || *type == ApiErrorType::quota || *type == ApiErrorType::content_filter) {
      strong = type;
    }
  }
  if (strong) return *strong;
  if (status >= 400) return error_type_of_status(status);
  for (const std::string& word : told.words) {
    if (const auto type = find_word(kWeakWords, word)) return *type;
  }
  return told.status != 0 ? error_type_of_status(told.status) : ApiErrorType::server;
}

std::string capped(std::string text) {
  text.resize(utf8_truncate(text, kErrorMessageBytesMax).size());
  return text;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

// Proxies answer with pages: the title says what the rest decorates.
std::string message_of_text(std::string_view body) {
  std::string_view text = trimmed(body.substr(0, 64 * 1024));
  if (text.starts_with('<')) {
    size_t begin = text.find("<title>");
    if (begin == std::string_view::npos) begin = text.find("<TITLE>");
    if (begin == std::string_view::npos) return {};
    text.remove_prefix(begin + std::string_view("<title>").size());
    text = trimmed(text.substr(0, text.find('<')));
  }
  std::string message;
  append_valid_utf8(message, text.substr(0, 2 * kErrorMessageBytesMax));
  return capped(std::move(message));
}

}  // namespace

ApiErrorType error_type_of_status(int status) {
  switch (status) {
    case 401:
      return ApiErrorType::authentication;
    case 402:
      return ApiErrorType::quota;
    case 403:
      return ApiErrorType::permission;
    case 404:
      return ApiErrorType::not_found;
    case 408:
    case 504:
    case 524:  // Cloudflare: the origin took too long
      return ApiErrorType::timeout;
    case 413:
      return ApiErrorType::too_large;
    case 429:
      return ApiErrorType::rate_limit;
    case 502:
    case 503:
      return ApiErrorType::unavailable;
    case 529:
      return ApiErrorType::overloaded;
    default:
      return status >= 400 && status < 500 ? ApiErrorType::invalid_request : ApiErrorType::server;
  }
}

int status_of_error_type(ApiErrorType type) {
  switch (type) {
    case ApiErrorType::invalid_request:
    case ApiErrorType::content_filter:
      return 400;
    case ApiErrorType::authentication:
      return 401;
    case ApiErrorType::permission:
      return 403;
    case ApiErrorType::not_found:
      return 404;
    case ApiErrorType::too_large:
      return 413;
    case ApiErrorType::rate_limit:
    case ApiErrorType::quota:
      return 429;
    case ApiErrorType::server:
      return 500;
    case ApiErrorType::unavailable:
      return 503;
    case ApiErrorType::overloaded:
      return 529;
    case ApiErrorType::timeout:
      return 504;
  }
  return 500;
}

namespace {

ApiError error_of(int status, Told told) {
  ApiError error;
  error.type = classify(told, status);
  // The provider's own status where it means the same, else the class's: Gemini's 400 for a wrong
  // key is a 401, and a Bedrock throttle labelled 400 is a 429.
  const bool fits = status >= 400 && (error_type_of_status(status) == error.type ||
                                      error.type == ApiErrorType::quota ||
                                      error.type == ApiErrorType::content_filter);
  error.status = fits && (error.type != ApiErrorType::quota || status == 402 || status == 429)
                     ? status
                     : status_of_error_type(error.type);
  error.message = capped(std::move(told.message));
  error.code = capped(std::move(told.code));
  error.param = capped(std::move(told.param));
  if (error.message.empty()) {
    error.message = status >= 400 ? "the provider answered " + std::to_string(status)
                                  : "the provider reported an error without a message";
  }
  return error;
}

}  // namespace

ApiError read_error_json(int status, json::Value root) {
  return error_of(status, read_told(root));
}

json::Value error_in_openai_chunk(json::Value chunk) {
  const auto tells = [](json::Value error) {
    return (error.is_string() && !error.equals("")) || (error.is_object() && error.size() > 0);
  };
  if (tells(chunk["error"]) || chunk["object"].equals("error")) return chunk;
  if (const json::Value groq = chunk["x_groq"]; tells(groq["error"])) return groq;
  return {};
}

ApiError read_error(Dialect /*dialect*/, int status, std::string_view body,
                    std::string_view type_told) {
  json::Document document;
  // Providers' bodies are read leniently: a repeated name must not hide the message.
  if (document.parse(body, {.unique_keys_levels = 0}) &&
      (document.root().is_object() || document.root().is_array())) {
    Told told = read_told(document.root());
    if (!type_told.empty()) {
      told.words.insert(told.words.begin(), std::string(type_told));
      if (told.code.empty()) told.code = type_told.substr(0, type_told.find(':'));
    }
    return error_of(status, std::move(told));
  }
  Told nothing;
  if (!type_told.empty()) nothing.words.emplace_back(type_told);
  ApiError error = error_of(status, std::move(nothing));
  if (std::string message = message_of_text(body); !message.empty()) {
    error.message = std::move(message);
  }
  return error;
}

}  // namespace weir::dialect
