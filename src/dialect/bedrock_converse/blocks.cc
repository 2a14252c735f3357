#include <algorithm>
#include <array>

#include "base/encoding.h"
#include "dialect/bedrock_converse/bedrock_converse.h"
#include "dialect/losses.h"
#include "dialect/signature.h"
#include "dialect/wire.h"

namespace weir::dialect::bedrock_converse {
namespace {

struct Format {
  std::string_view media_type;
  std::string_view word;
};

constexpr auto kImages = std::to_array<Format>({
    {"image/png", "png"},
    {"image/jpeg", "jpeg"},
    {"image/jpg", "jpeg"},
    {"image/gif", "gif"},
    {"image/webp", "webp"},
});
constexpr auto kDocuments = std::to_array<Format>({
    {"application/pdf", "pdf"},
    {"text/csv", "csv"},
    {"application/msword", "doc"},
    {"application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"},
    {"application/vnd.ms-excel", "xls"},
    {"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"},
    {"text/html", "html"},
    {"text/plain", "txt"},
    {"text/markdown", "md"},
});
constexpr auto kSounds = std::to_array<Format>({
    {"audio/mpeg", "mp3"},
    {"audio/mp3", "mp3"},
    {"audio/wav", "wav"},
    {"audio/x-wav", "wav"},
    {"audio/opus", "opus"},
    {"audio/aac", "aac"},
    {"audio/flac", "flac"},
    {"audio/ogg", "ogg"},
    {"audio/mp4", "mp4"},
    {"audio/webm", "webm"},
    {"audio/pcm", "pcm"},
});

template <size_t N>
std::string_view word_of(const std::array<Format, N>& table, const Part& part) {
  for (const Format& format : table) {
    if (format.media_type == part.media_type) return format.word;
  }
  if (!part.media_type.empty()) return {};
  // An address without a media type: its ending tells.
  const size_t dot = part.url.rfind('.');
  if (dot == std::string::npos) return {};
  const std::string_view ending = std::string_view(part.url).substr(dot + 1);
  for (const Format& format : table) {
    if (format.word == ending) return format.word;
  }
  return {};
}

template <size_t N>
std::string media_type_of(const std::array<Format, N>& table, std::string_view word) {
  for (const Format& format : table) {
    if (format.word == word) return std::string(format.media_type);
  }
  return {};
}

bool is_s3(std::string_view url) {
  return url.starts_with("s3://");
}

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_metadata_text(std::string_view text) {
  constexpr std::string_view kOthers = " \t:_@$#=/+,-.";
  constexpr size_t kBytesMax = 256;
  return text.size() <= kBytesMax && std::all_of(text.begin(), text.end(), [&](char c) {
           return is_letter_or_digit(c) || kOthers.find(c) != std::string_view::npos;
         });
}

void write_span(json::Writer& w, std::string_view member, const Citation& citation) {
  w.key(member).begin_object();
  w.member("documentIndex", std::max<int64_t>(citation.document_index, 0));
  if (citation.source_start >= 0) w.member("start", citation.source_start);
  if (citation.source_end >= 0) w.member("end", citation.source_end);
  w.end_object();
}

void read_span(Citation& out, json::Value location, std::string_view unit) {
  out.kind = Citation::Kind::document;
  out.unit = unit;
  out.document_index = location["documentIndex"].as_int64().value_or(-1);
  if (out.document_index < 0) {
    out.document_index = location["searchResultIndex"].as_int64().value_or(-1);
  }
  out.source_start = location["start"].as_int64().value_or(-1);
  out.source_end = location["end"].as_int64().value_or(-1);
}

}  // namespace

std::string_view format_of(const Part& part) {
  switch (part.kind) {
    case PartKind::image:
      return word_of(kImages, part);
    case PartKind::document:
      return !part.text.empty() && part.media_type.empty() ? "txt" : word_of(kDocuments, part);
    case PartKind::audio:
      return word_of(kSounds, part);
    default:
      return {};
  }
}

bool has_source(const Part& part) {
  if (format_of(part).empty()) return false;
  return !part.data.empty() || is_s3(part.url) ||
         (part.kind == PartKind::document && !part.text.empty());
}

void write_source_block(json::Writer& w, const Part& part, std::string_view name) {
  w.begin_object().member("format", format_of(part));
  if (part.kind == PartKind::document) w.member("name", name);
  w.key("source").begin_object();
  if (!part.data.empty()) {
    w.member("bytes", part.data);
  } else if (is_s3(part.url)) {
    w.key("s3Location").begin_object().member("uri", part.url).end_object();
  } else {
    // As bytes, which every model takes; `text` is for citations alone.
    w.member("bytes", base64_encode(part.text));
  }
  w.end_object().end_object();
}

Part read_source_block(PartKind kind, json::Value block, const std::string& path,
                       Dropped& dropped) {
  Part part;
  part.kind = kind;
  const std::string format = block["format"].string_or("");
  if (kind == PartKind::image) part.media_type = media_type_of(kImages, format);
  if (kind == PartKind::document) part.media_type = media_type_of(kDocuments, format);
  if (kind == PartKind::audio) part.media_type = media_type_of(kSounds, format);
  if (part.media_type.empty() && !format.empty()) note(dropped, path + ".format");
  if (kind == PartKind::document) part.name = block["name"].string_or("");
  const json::Value source = block["source"];
  part.data = source["bytes"].string_or("");
  part.url = source["s3Location"]["uri"].string_or("");
  part.text = source["text"].string_or("");
  for (const json::Value piece : source["content"].elements()) {
    if (!part.text.empty()) part.text.push_back('\n');
    part.text += piece["text"].string_or("");
  }
  if (source["s3Location"]["bucketOwner"].exists()) note(dropped, path + ".bucketOwner");
  if (block["context"].exists()) note(dropped, path + ".context");
  if (block["citations"]["enabled"].as_bool().value_or(false)) note(dropped, path + ".citations");
  return part;
}

std::string document_name(std::string_view name) {
  constexpr size_t kNameMax = 180;  // of 200: what makes a name unique comes behind it
  // The ending is the format's to tell, and a dot is not allowed.
  if (const size_t dot = name.rfind('.'); dot != std::string_view::npos && dot > 0) {
    name = name.substr(0, dot);
  }
  std::string clean;
  for (const char c : name) {
    const bool allowed =
        is_letter_or_digit(c) || c == '-' || c == '(' || c == ')' || c == '[' || c == ']';
    if (allowed) {
      clean.push_back(c);
    } else if (!clean.empty() && clean.back() != ' ') {
      clean.push_back(' ');
    }
    if (clean.size() == kNameMax) break;
  }
  while (clean.ends_with(' ')) clean.pop_back();
  return clean.empty() ? "document" : clean;
}

std::string tool_use_id(std::string_view id) {
  constexpr size_t kIdMax = 64;
  const bool fits =
      !id.empty() && id.size() <= kIdMax && std::all_of(id.begin(), id.end(), [](char c) {
        return is_letter_or_digit(c) || c == '_' || c == '.' || c == ':' || c == '-';
      });
  if (fits) return std::string(id);
  return id.empty() ? "call" : short_id(id, kIdMax);
}

Citation read_citation(json::Value citation) {
  Citation out;
  out.title = citation["title"].string_or("");
  for (const json::Value piece : citation["sourceContent"].elements()) {
    out.cited_text += piece["text"].string_or("");
  }
  const json::Value location = citation["location"];
  out.url = citation["source"].string_or("");
  if (const json::Value web = location["web"]; web.is_object()) {
    out.url = web["url"].string_or("");
  } else if (const json::Value chars = location["documentChar"]; chars.is_object()) {
    read_span(out, chars, "char");
  } else if (const json::Value pages = location["documentPage"]; pages.is_object()) {
    read_span(out, pages, "page");
  } else if (const json::Value chunks = location["documentChunk"]; chunks.is_object()) {
    read_span(out, chunks, "block");
  } else if (const json::Value found = location["searchResultLocation"]; found.is_object()) {
    read_span(out, found, "block");
  }
  return out;
}

void write_citation(json::Writer& w, const Citation& citation) {
  w.begin_object();
  if (!citation.title.empty()) w.member("title", citation.title);
  if (!citation.cited_text.empty()) {
    w.key("sourceContent").begin_array().begin_object();
    w.member("text", citation.cited_text).end_object().end_array();
  }
  w.key("location").begin_object();
  if (citation.kind != Citation::Kind::document) {
    w.key("web").begin_object().member("url", citation.url).end_object();
  } else if (citation.unit == "page") {
    write_span(w, "documentPage", citation);
  } else if (citation.unit == "block") {
    write_span(w, "documentChunk", citation);
  } else {
    write_span(w, "documentChar", citation);
  }
  w.end_object().end_object();
}

void write_tool_spec(json::Writer& w, std::string_view name, std::string_view description,
                     std::string_view schema, bool strict) {
  w.begin_object().key("toolSpec").begin_object().member("name", name);
  if (description.find_first_not_of(" \t\r\n") != std::string_view::npos) {
    w.member("description", description);
  }
  w.key("inputSchema").begin_object().key("json");
  json::Document document;
  if (schema.empty() || !document.parse(schema) || !document.root().is_object()) {
    w.raw(R"({"type":"object","properties":{}})");
  } else if (document.root()["type"].exists()) {
    w.raw(compact_json(schema));
  } else {
    // The API demands the type, which a schema without parameters may lack.
    w.begin_object().member("type", "object");
    for (const auto& [key, value] : document.root().members()) w.member_raw(key, value.raw());
    w.end_object();
  }
  w.end_object();
  if (strict) w.member("strict", true);
  w.end_object().end_object();
}

void write_request_metadata(json::Writer& w, std::string_view metadata, Dropped& dropped) {
  constexpr size_t kPairsMax = 16;
  json::Document document;
  if (metadata.empty() || !document.parse(metadata)) return;
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const auto& [key, value] : document.root().members()) {
    std::string text = value.is_string() ? value.string_or("") : std::string(value.raw());
    if (pairs.size() < kPairsMax && !key.empty() && is_metadata_text(key) &&
        is_metadata_text(text)) {
      pairs.emplace_back(key, std::move(text));
    } else {
      lose(dropped, Feature::metadata);
    }
  }
  if (pairs.empty()) return;
  w.key("requestMetadata").begin_object();
  for (const auto& [key, value] : pairs) w.member(key, value);
  w.end_object();
}

}  // namespace weir::dialect::bedrock_converse
