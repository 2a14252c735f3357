// Citations of a text block: of documents by characters, pages or blocks, of web pages, and of
// search results that the client gave.
#include <algorithm>

#include "dialect/anthropic_messages/anthropic_messages.h"
#include "dialect/wire.h"

namespace weir::dialect::anthropic_messages {
namespace {

int64_t number(json::Value object, std::string_view name) {
  return object[name].as_int64().value_or(-1);
}

void set_source(Citation& out, json::Value citation, std::string_view unit, std::string_view start,
                std::string_view end) {
  out.unit = unit;
  out.source_start = number(citation, start);
  out.source_end = number(citation, end);
}

// The object as this dialect made it, or "".
std::string_view own_json(const Citation& citation) {
  constexpr std::string_view kHead = R"({"type":")";
  const std::string_view native = citation.native;
  if (!native.starts_with(kHead)) return {};
  const std::string_view type = native.substr(kHead.size());
  return type.substr(0, type.find('"')).ends_with("_location") ? native : std::string_view();
}

}  // namespace

Citation read_citation(json::Value citation) {
  Citation out;
  const std::string type = citation["type"].string_or("");
  out.cited_text = citation["cited_text"].string_or("");
  out.title = citation["title"].string_or("");
  out.file_id = citation["file_id"].string_or("");
  if (type == "web_search_result_location") {
    out.url = citation["url"].string_or("");
  } else if (type == "search_result_location") {
    out.url = citation["source"].string_or("");
    set_source(out, citation, "block", "start_block_index", "end_block_index");
  } else {
    out.kind = Citation::Kind::document;
    if (out.title.empty()) out.title = citation["document_title"].string_or("");
    out.document_index = number(citation, "document_index");
    if (type == "char_location") {
      set_source(out, citation, "char", "start_char_index", "end_char_index");
    } else if (type == "page_location") {
      set_source(out, citation, "page", "start_page_number", "end_page_number");
    } else if (type == "content_block_location") {
      set_source(out, citation, "block", "start_block_index", "end_block_index");
    }
  }
  if (citation["encrypted_index"].equals(kForeignCitation)) return out;
  // The type first: that is how the writer tells its own object from another dialect's.
  json::Writer w(out.native);
  w.begin_object().member("type", type);
  for (const auto& [key, value] : citation.members()) {
    if (key != "type") w.member_raw(key, compact_json(value.raw()));
  }
  w.end_object();
  return out;
}

void read_citations(json::Value block, std::vector<Citation>& citations) {
  for (const json::Value citation : block["citations"].elements()) {
    if (citation["type"].is_string()) citations.push_back(read_citation(citation));
  }
}

bool is_own(const Citation& citation) {
  return !own_json(citation).empty();
}

void write_citation(json::Writer& w, const Citation& citation) {
  if (const std::string_view own = own_json(citation); !own.empty()) {
    w.raw(own);
    return;
  }
  const auto text_or_null = [&](std::string_view key, std::string_view text) {
    w.key(key);
    if (text.empty()) {
      w.null();
    } else {
      w.string(text);
    }
  };
  w.begin_object();
  if (citation.kind == Citation::Kind::url) {
    w.member("type", "web_search_result_location").member("cited_text", citation.cited_text);
    w.member("url", citation.url);
    text_or_null("title", citation.title);
    w.member("encrypted_index", kForeignCitation);
  } else {
    w.member("type", "char_location").member("cited_text", citation.cited_text);
    w.member("document_index", std::max<int64_t>(citation.document_index, 0));
    text_or_null("document_title", citation.title);
    w.member("start_char_index", std::max<int64_t>(citation.source_start, 0));
    w.member("end_char_index", std::max<int64_t>(citation.source_end, 0));
    text_or_null("file_id", citation.file_id);
  }
  w.end_object();
}

}  // namespace weir::dialect::anthropic_messages
