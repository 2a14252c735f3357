#include "dialect/anthropic_messages/request_blocks.h"

#include <algorithm>

#include "base/encoding.h"
#include "base/utf8.h"
#include "dialect/anthropic_messages/anthropic_messages.h"
#include "dialect/losses.h"
#include "dialect/signature.h"
#include "dialect/tools.h"
#include "dialect/turns.h"
#include "dialect/wire.h"

namespace weir::dialect::anthropic_messages {
namespace {

constexpr Dialect kOwn = Dialect::anthropic_messages;

// The API takes PDF as bytes, and text as text.
std::optional<std::string> text_of_document(const Part& part) {
  if (!part.text.empty()) return part.text;
  if (!part.media_type.starts_with("text/") && part.media_type != "application/json") return {};
  auto text = base64_decode(part.data);
  if (!text || text->empty() || !is_utf8(*text)) return {};
  return text;
}

bool is_document(const Part& part) {
  if (!part.url.empty() || text_of_document(part)) return true;
  return !part.data.empty() && part.media_type == "application/pdf";
}

}  // namespace

bool BlockWriter::can_send(const Part& part, Role role) {
  const auto lost = [&](Feature feature, std::string_view detail = {}) {
    lose(dropped_, feature, detail);
    return false;
  };
  switch (part.kind) {
    case PartKind::refusal:
      lose(dropped_, Feature::refusal);
      return !is_blank(part.text);
    case PartKind::text:
      return !is_blank(part.text);  // the API refuses blank text
    case PartKind::image:
      if (!part.detail.empty() && part.detail != "auto") lose(dropped_, Feature::image_detail);
      if (part.data.empty() && part.url.empty() && !part.id.empty()) return lost(Feature::file_id);
      if (role == Role::user && (!part.data.empty() || !part.url.empty())) return true;
      return lost(Feature::image);
    case PartKind::document:
      if (role == Role::user && is_document(part)) return true;
      return lost(part.data.empty() && !part.id.empty() ? Feature::file_id : Feature::document);
    case PartKind::audio:
      return lost(Feature::audio);
    case PartKind::thinking:
      // Without its signature, and from another provider, thinking is refused.
      if (role == Role::assistant && can_read(kOwn, part.origin) && !part.signature.empty()) {
        return true;
      }
      return lost(Feature::thinking);
    case PartKind::redacted_thinking:
      if (role == Role::assistant && can_read(kOwn, part.origin) && !part.data.empty()) {
        return true;
      }
      return lost(Feature::thinking);
    case PartKind::tool_call:
      return role == Role::assistant;
    case PartKind::tool_result:
      return role == Role::user;
    case PartKind::native:
      return part.origin == kOwn || lost(Feature::native_part, part.name);
  }
  return false;
}

void BlockWriter::write_cache(const std::optional<CacheControl>& cache) {
  if (!cache) return;
  if (breakpoints_skipped_ > 0) {
    --breakpoints_skipped_;
    return;
  }
  w_.key("cache_control").begin_object().member("type", "ephemeral");
  if (cache->ttl == "1h") w_.member("ttl", "1h");
  w_.end_object();
}

void BlockWriter::write_text(std::string_view text, const std::optional<CacheControl>& cache) {
  w_.begin_object().member("type", "text").member("text", text);
  write_cache(cache);
  w_.end_object();
}

void BlockWriter::write_text_part(const Part& part) {
  const auto own = std::count_if(part.citations.begin(), part.citations.end(), is_own);
  if (own != static_cast<std::ptrdiff_t>(part.citations.size())) {
    lose(dropped_, Feature::citations);
  }
  w_.begin_object().member("type", "text").member("text", part.text);
  if (own > 0) {
    w_.key("citations").begin_array();
    for (const Citation& citation : part.citations) {
      if (is_own(citation)) write_citation(w_, citation);
    }
    w_.end_array();
  }
  write_cache(part.cache);
  w_.end_object();
}

void BlockWriter::write(const Part& part) {
  switch (part.kind) {
    case PartKind::text:
    case PartKind::refusal:
      write_text_part(part);
      return;
    case PartKind::thinking:
      w_.begin_object().member("type", "thinking").member("thinking", part.text);
      w_.member("signature", part.signature).end_object();
      return;
    case PartKind::redacted_thinking:
      w_.begin_object().member("type", "redacted_thinking").member("data", part.data);
      w_.end_object();
      return;
    case PartKind::image:
    case PartKind::document:
      write_source(part);
      return;
    case PartKind::tool_call:
      w_.begin_object().member("type", "tool_use").member("id", plain_id(part.id));
      w_.member("name", part.name).member_raw("input", arguments_of(part));
      write_cache(part.cache);
      w_.end_object();
      return;
    case PartKind::tool_result:
      write_tool_result(part);
      return;
    case PartKind::native:
      w_.raw(part.json);
      return;
    case PartKind::audio:
      return;
  }
}

void BlockWriter::write_source(const Part& part) {
  const bool document = part.kind == PartKind::document;
  const auto text = document ? text_of_document(part) : std::nullopt;
  w_.begin_object().member("type", document ? "document" : "image");
  w_.key("source").begin_object();
  if (text) {
    w_.member("type", "text").member("media_type", "text/plain").member("data", *text);
  } else if (!part.data.empty()) {
    w_.member("type", "base64").member("media_type", part.media_type).member("data", part.data);
  } else {
    w_.member("type", "url").member("url", part.url);
  }
  w_.end_object();
  if (document && !part.name.empty()) w_.member("title", part.name);
  write_cache(part.cache);
  w_.end_object();
}

void BlockWriter::write_tool_result(const Part& result) {
  w_.begin_object().member("type", "tool_result").member("tool_use_id", plain_id(result.id));
  std::vector<const Part*> children;
  for (const Part& part : result.children) {
    if (can_send(part, Role::user)) children.push_back(&part);
  }
  if (children.size() == 1 && children[0]->kind == PartKind::text && !children[0]->cache) {
    w_.member("content", children[0]->text);
  } else if (!children.empty()) {
    w_.key("content").begin_array();
    for (const Part* part : children) {
      Part plain = *part;
      if (plain.cache) lose(dropped_, Feature::tool_result_cache);
      plain.cache.reset();
      write(plain);
    }
    w_.end_array();
  }
  if (result.is_error) w_.member("is_error", true);
  write_cache(result.cache);
  w_.end_object();
}

}  // namespace weir::dialect::anthropic_messages
