// Citations as Gemini has them: sources in a list, and stretches of the text (in bytes) that point
// into it. What recites a source (citationMetadata) has its address beside the stretch.
#include <algorithm>

#include "base/utf8.h"
#include "dialect/gemini/gemini.h"

namespace weir::dialect::gemini {
namespace {

struct Range {
  int64_t start = -1;
  int64_t end = -1;
};

// Bytes of the whole text -> characters of the part; unknown where it does not fit.
Range characters_of(std::string_view text, size_t before, size_t start, size_t end) {
  if (start < before || end < start || end > text.size()) return {};
  const auto count = [&](size_t to) {
    return static_cast<int64_t>(utf8_code_points(text.substr(before, to - before)));
  };
  return {count(start), count(end)};
}

size_t offset(json::Value object, std::string_view camel, std::string_view snake) {
  return static_cast<size_t>(
      std::max<int64_t>(gemini_field(object, camel, snake).as_int64().value_or(0), 0));
}

// The offsets count from the part that partIndex names, which a stream does not show: where the
// words are not there, they are looked for.
Range range_of_segment(json::Value segment, std::string_view text, size_t before) {
  const size_t start = offset(segment, "startIndex", "start_index");
  const size_t end = offset(segment, "endIndex", "end_index");
  const std::string words = segment["text"].string_or("");
  if (words.empty()) return characters_of(text, before, start, end);
  if (start <= text.size() && text.substr(start).starts_with(words)) {
    return characters_of(text, before, start, start + words.size());
  }
  const size_t found = text.find(words, before);
  if (found == std::string_view::npos) return {};
  return characters_of(text, before, found, found + words.size());
}

Citation citation_of_chunk(json::Value chunk) {
  Citation out;
  json::Value source = chunk["web"];
  if (!source.is_object()) {
    source = gemini_field(chunk, "retrievedContext", "retrieved_context");
    out.cited_text = source["text"].string_or("");
  }
  if (!source.is_object()) source = chunk["maps"];
  out.url = source["uri"].string_or("");
  out.title = source["title"].string_or("");
  if (out.url.empty()) out.kind = Citation::Kind::document;
  return out;
}

}  // namespace

std::vector<Citation> read_grounding(json::Value candidate, std::string_view text, size_t before) {
  std::vector<Citation> out;
  const json::Value grounding = gemini_field(candidate, "groundingMetadata", "grounding_metadata");
  std::vector<Citation> chunks;
  for (const json::Value chunk :
       gemini_field(grounding, "groundingChunks", "grounding_chunks").elements()) {
    chunks.push_back(citation_of_chunk(chunk));
  }
  for (const json::Value support :
       gemini_field(grounding, "groundingSupports", "grounding_supports").elements()) {
    const Range range = range_of_segment(support["segment"], text, before);
    for (const json::Value index :
         gemini_field(support, "groundingChunkIndices", "grounding_chunk_indices").elements()) {
      const int64_t at = index.as_int64().value_or(-1);
      if (at < 0 || at >= static_cast<int64_t>(chunks.size())) continue;
      Citation& citation = out.emplace_back(chunks[static_cast<size_t>(at)]);
      citation.text_start = range.start;
      citation.text_end = range.end;
    }
  }
  const json::Value recited = gemini_field(candidate, "citationMetadata", "citation_metadata");
  json::Value sources = recited["citations"];
  if (!sources.is_array()) sources = gemini_field(recited, "citationSources", "citation_sources");
  for (const json::Value source : sources.elements()) {
    Citation citation;
    citation.url = source["uri"].string_or("");
    citation.title = source["title"].string_or("");
    if (citation.url.empty()) continue;
    const Range range = characters_of(text, before, offset(source, "startIndex", "start_index"),
                                      offset(source, "endIndex", "end_index"));
    citation.text_start = range.start;
    citation.text_end = range.end;
    out.push_back(std::move(citation));
  }
  return out;
}

void write_grounding(json::Writer& w, const std::vector<Grounded>& citations,
                     std::string_view text) {
  std::vector<const Citation*> sources;
  std::vector<size_t> source_of;
  for (const Grounded& grounded : citations) {
    const Citation& citation = *grounded.citation;
    const auto same = std::find_if(sources.begin(), sources.end(), [&](const Citation* other) {
      return other->url == citation.url && other->title == citation.title;
    });
    source_of.push_back(static_cast<size_t>(same - sources.begin()));
    if (same == sources.end()) sources.push_back(&citation);
  }
  if (sources.empty()) return;
  w.key("groundingMetadata").begin_object().key("groundingChunks").begin_array();
  for (const Citation* source : sources) {
    const bool web = !source->url.empty();
    w.begin_object().key(web ? "web" : "retrievedContext").begin_object();
    if (web) w.member("uri", source->url);
    w.member("title", source->title);
    if (!web && !source->cited_text.empty()) w.member("text", source->cited_text);
    w.end_object().end_object();
  }
  w.end_array().key("groundingSupports").begin_array();
  for (size_t i = 0; i < citations.size(); ++i) {
    const Citation& citation = *citations[i].citation;
    const size_t begin = std::min(citations[i].begin, text.size());
    const std::string_view part = text.substr(begin, citations[i].end - citations[i].begin);
    size_t start = 0;
    size_t end = part.size();
    if (citation.text_start >= 0 && citation.text_end >= citation.text_start) {
      start = utf8_offset(part, static_cast<size_t>(citation.text_start));
      end = utf8_offset(part, static_cast<size_t>(citation.text_end));
    }
    w.begin_object().key("segment").begin_object();
    w.member("startIndex", begin + start).member("endIndex", begin + end);
    w.member("text", part.substr(start, end - start)).end_object();
    w.key("groundingChunkIndices").begin_array().number(source_of[i]).end_array().end_object();
  }
  w.end_array().end_object();
}

}  // namespace weir::dialect::gemini
