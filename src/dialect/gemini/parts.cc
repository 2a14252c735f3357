#include <algorithm>
#include <array>

#include "dialect/gemini/gemini.h"
#include "dialect/signature.h"
#include "dialect/tools.h"
#include "dialect/wire.h"

namespace weir::dialect::gemini {
namespace {

struct Extension {
  std::string_view suffix;
  std::string_view media_type;
};

constexpr auto kExtensions = std::to_array<Extension>({
    {".png", "image/png"},
    {".jpg", "image/jpeg"},
    {".jpeg", "image/jpeg"},
    {".webp", "image/webp"},
    {".gif", "image/gif"},
    {".heic", "image/heic"},
    {".heif", "image/heif"},
    {".pdf", "application/pdf"},
    {".txt", "text/plain"},
    {".csv", "text/csv"},
    {".html", "text/html"},
    {".mp3", "audio/mp3"},
    {".wav", "audio/wav"},
    {".flac", "audio/flac"},
    {".ogg", "audio/ogg"},
    {".mp4", "video/mp4"},
    {".mov", "video/quicktime"},
    {".webm", "video/webm"},
});

std::string_view media_type_of_url(std::string_view url) {
  url = url.substr(0, url.find_first_of("?#"));
  for (const Extension& extension : kExtensions) {
    if (url.ends_with(extension.suffix)) return extension.media_type;
  }
  return {};
}

// What an unnamed file most likely is; the API wants some type.
std::string_view usual_media_type(PartKind kind) {
  switch (kind) {
    case PartKind::image:
      return "image/jpeg";
    case PartKind::audio:
      return "audio/wav";
    default:
      return "application/pdf";
  }
}

std::string_view media_type_of(const Part& part) {
  if (!part.media_type.empty()) return part.media_type;
  const std::string_view guess = media_type_of_url(part.url);
  return guess.empty() ? usual_media_type(part.kind) : guess;
}

// A file at Google by its URI or name; ids of other vendors mean nothing here.
bool is_google_file(std::string_view id) {
  return id.starts_with("https://") || id.starts_with("gs://") || id.starts_with("files/");
}

void write_file(json::Writer& w, std::string_view uri, std::string_view media_type) {
  w.begin_object().key("fileData").begin_object();
  w.member("fileUri", uri).member("mimeType", media_type).end_object().end_object();
}

uint64_t fnv1a(uint64_t hash, std::string_view text) {
  for (const char c : text) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001B3ULL;
  }
  return hash;
}

void append_hex(std::string& out, uint64_t value, int digits) {
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) {
    out.push_back("0123456789abcdef"[(value >> shift) & 0xF]);
  }
}

int read_digits(std::string_view& text) {
  int value = 0;
  while (!text.empty() && text.front() >= '0' && text.front() <= '9' && value < 1000) {
    value = value * 10 + (text.front() - '0');
    text.remove_prefix(1);
  }
  return value;
}

}  // namespace

PartKind kind_of_media(std::string_view media_type) {
  if (media_type.starts_with("image/")) return PartKind::image;
  if (media_type.starts_with("audio/")) return PartKind::audio;
  return PartKind::document;
}

std::optional<Part> read_media(json::Value value) {
  const json::Value data = gemini_field(value, "inlineData", "inline_data");
  const json::Value file = gemini_field(value, "fileData", "file_data");
  if (!data.is_object() && !file.is_object()) return std::nullopt;
  const json::Value source = data.is_object() ? data : file;
  Part part;
  part.media_type = gemini_field(source, "mimeType", "mime_type").string_or("");
  part.name = gemini_field(source, "displayName", "display_name").string_or("");
  if (data.is_object()) {
    part.data = data["data"].string_or("");
  } else {
    part.url = gemini_field(file, "fileUri", "file_uri").string_or("");
  }
  part.kind = kind_of_media(part.media_type.empty() ? media_type_of_url(part.url)
                                                    : std::string_view(part.media_type));
  return part;
}

bool write_media(json::Writer& w, const Part& part) {
  if (!part.data.empty()) {
    w.begin_object().key("inlineData").begin_object();
    w.member("mimeType", media_type_of(part)).member("data", part.data).end_object().end_object();
    return true;
  }
  if (!part.url.empty()) {
    write_file(w, part.url, media_type_of(part));
    return true;
  }
  if (is_google_file(part.id)) {
    write_file(w, part.id, media_type_of(part));
    return true;
  }
  if (part.kind == PartKind::document && !part.text.empty()) {
    w.begin_object().member("text", part.text).end_object();
    return true;
  }
  return false;
}

Part native_part(json::Value value) {
  Part part{.kind = PartKind::native, .origin = Dialect::gemini};
  if (value.size() > 0) part.name = (*value.members().begin()).key;
  part.json = compact_json(value.raw());
  return part;
}

void write_reply_part(json::Writer& w, const Part& part) {
  const auto sign = [&](std::string_view signature) {
    if (!signature.empty()) w.member("thoughtSignature", signature);
    w.end_object();
  };
  switch (part.kind) {
    case PartKind::text:
    case PartKind::refusal:
      w.begin_object().member("text", part.text);
      sign(part.kind == PartKind::text ? signature_field_base64(part, Dialect::gemini)
                                       : std::string());
      return;
    case PartKind::thinking:
      w.begin_object().member("text", part.text).member("thought", true);
      sign(signature_field_base64(part, Dialect::gemini));
      return;
    case PartKind::redacted_thinking:
      w.begin_object().member("text", "").member("thought", true);
      sign(signature_field_base64(part, Dialect::gemini));
      return;
    case PartKind::tool_call:
      w.begin_object().key("functionCall").begin_object();
      if (!part.id.empty()) w.member("id", part.id);
      w.member("name", part.name).member_raw("args", compact_json(arguments_of(part)));
      w.end_object();
      // Nobody else signs calls.
      sign(part.origin == Dialect::gemini ? part.signature : std::string());
      return;
    case PartKind::image:
    case PartKind::audio:
    case PartKind::document:
      write_media(w, part);
      return;
    case PartKind::native:
      if (part.origin == Dialect::gemini) w.raw(part.json);
      return;
    case PartKind::tool_result:
      return;  // no answer has one
  }
}

void write_usage(json::Writer& w, const Usage& usage) {
  w.begin_object();
  w.member("promptTokenCount", usage.total_input());
  if (usage.cache_read > 0) w.member("cachedContentTokenCount", usage.cache_read);
  w.member("candidatesTokenCount", usage.total_output() - usage.reasoning);
  if (usage.reasoning > 0) w.member("thoughtsTokenCount", usage.reasoning);
  w.member("totalTokenCount", usage.total_input() + usage.total_output());
  w.end_object();
}

std::string call_id(std::string_view response_id, std::string_view name, uint32_t candidate,
                    size_t ordinal) {
  const std::string place = "/" + std::to_string(candidate) + "/" + std::to_string(ordinal);
  const uint64_t high = fnv1a(fnv1a(fnv1a(0xCBF29CE484222325ULL, response_id), name), place);
  const uint64_t low = fnv1a(fnv1a(high, place), response_id);
  std::string id = "call_";
  append_hex(id, high, 16);
  append_hex(id, low, 8);
  return id;
}

ModelTraits traits_of(std::string_view model) {
  ModelTraits traits;
  traits.flash = model.find("flash") != std::string_view::npos;
  traits.lite = model.find("lite") != std::string_view::npos;
  constexpr std::string_view kName = "gemini-";
  const size_t at = model.find(kName);
  if (at == std::string_view::npos) return traits;
  model.remove_prefix(at + kName.size());
  traits.major = read_digits(model);
  if (traits.major > 0 && model.starts_with('.')) {
    model.remove_prefix(1);
    traits.minor = read_digits(model);
  }
  return traits;
}

}  // namespace weir::dialect::gemini
