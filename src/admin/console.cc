#include "admin/console.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>

#include "base/text.h"

extern "C" {
// Written by cmake/weir_console.cmake around the pack.
extern const char weir_console_pack[];
extern const char weir_console_pack_end[];
}

namespace weir::admin {

namespace {

constexpr std::string_view kFirstLine = "weir-console 1\n";
// One line of the index: path, type, ETag, 1 where immutable, then offset and size of the plain,
// the gzip and the Brotli form, counted from the end of the index.
constexpr size_t kFields = 10;

// Scripts and styles only from files of the pack, requests only to this address. Svelte makes its
// templates through one named policy, so nothing else can write markup.
constexpr std::string_view kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; manifest-src 'self'; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; "
    "trusted-types svelte-trusted-html";

std::string_view take(std::string_view& text, char end) {
  const size_t at = std::min(text.find(end), text.size());
  const std::string_view piece = text.substr(0, at);
  text.remove_prefix(std::min(at + 1, text.size()));
  return piece;
}

Result<std::string_view> part_of(std::string_view blob, std::string_view offset,
                                 std::string_view size) {
  const auto from = parse_int64(offset);
  const auto bytes = parse_int64(size);
  const auto total = static_cast<int64_t>(blob.size());
  if (!from || !bytes || *from < 0 || *bytes < 0 || *from > total || *bytes > total - *from) {
    return fail(ErrorCode::corrupt, "the console's pack has a part outside of it");
  }
  return blob.substr(static_cast<size_t>(*from), static_cast<size_t>(*bytes));
}

Result<ConsoleFile> read_line(std::string_view line, std::string_view blob) {
  std::array<std::string_view, kFields> fields{};
  std::string_view rest = line;
  for (std::string_view& field : fields) field = take(rest, '\t');
  if (!fields[0].starts_with('/') || fields[9].empty() || !rest.empty()) {
    return fail(ErrorCode::corrupt,
                fmt::format("the console's pack has the line \"{}\"", line.substr(0, 80)));
  }
  ConsoleFile file{.path = fields[0],
                   .content_type = fields[1],
                   .etag = fields[2],
                   .immutable = fields[3] == "1"};
  WEIR_TRY(file.plain, part_of(blob, fields[4], fields[5]));
  WEIR_TRY(file.gzip, part_of(blob, fields[6], fields[7]));
  WEIR_TRY(file.brotli, part_of(blob, fields[8], fields[9]));
  return file;
}

// Pages of the console are paths of its own: /requests, /requests/req_…, /keys. What has a dot is a
// file, and must be there; what is encoded is neither.
bool is_page(std::string_view path) {
  const bool plain = std::all_of(path.begin(), path.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' ||
           c == '-' || c == '_';
  });
  return plain && !path.starts_with("/api/") && path != "/metrics" && path != "/healthz" &&
         path.starts_with('/');
}

}  // namespace

bool accepts_encoding(std::string_view field, std::string_view coding) {
  while (!field.empty()) {
    std::string_view item = take(field, ',');
    const std::string_view name = trim(take(item, ';'));
    if (to_lower(name) != coding) continue;
    const std::string weight = to_lower(trim(item));
    return weight.find_first_not_of("q=0.") != std::string::npos || weight.empty();
  }
  return false;
}

const Console& Console::embedded() {
  static const Console kConsole = [] {
    const auto bytes = static_cast<size_t>(weir_console_pack_end - weir_console_pack);
    auto console = read({weir_console_pack, bytes});
    return console ? std::move(*console) : Console();
  }();
  return kConsole;
}

Result<Console> Console::read(std::string_view pack) {
  Console console;
  if (pack.empty()) return console;
  if (!pack.starts_with(kFirstLine)) {
    return fail(ErrorCode::corrupt, "the console's pack does not begin as one");
  }
  pack.remove_prefix(kFirstLine.size());
  const size_t end = pack.find("\n\n");
  if (end == std::string_view::npos) {
    return fail(ErrorCode::corrupt, "the console's pack has no end of its index");
  }
  std::string_view index = pack.substr(0, end);
  const std::string_view blob = pack.substr(end + 2);
  while (!index.empty()) {
    WEIR_TRY(ConsoleFile file, read_line(take(index, '\n'), blob));
    console.files_.push_back(file);
  }
  return console;
}

const ConsoleFile* Console::find(std::string_view path) const {
  const auto at = std::find_if(files_.begin(), files_.end(),
                               [&](const ConsoleFile& file) { return file.path == path; });
  return at == files_.end() ? nullptr : &*at;
}

std::optional<ConsoleReply> Console::answer(const http::RequestHead& request) const {
  if (request.method != "GET" && request.method != "HEAD") return std::nullopt;
  const ConsoleFile* file = find(request.path);
  if (file == nullptr && is_page(request.path)) file = find("/index.html");
  if (file == nullptr) return std::nullopt;

  ConsoleReply reply;
  const std::string_view accepted = request.headers.get("accept-encoding");
  std::string_view coding;
  reply.body = file->plain;
  if (!file->brotli.empty() && accepts_encoding(accepted, "br")) {
    coding = "br";
    reply.body = file->brotli;
  } else if (!file->gzip.empty() && accepts_encoding(accepted, "gzip")) {
    coding = "gzip";
    reply.body = file->gzip;
  }
  reply.headers.set("content-type", file->content_type);
  if (!coding.empty()) reply.headers.set("content-encoding", coding);
  reply.headers.set("vary", "accept-encoding");
  reply.headers.set("etag", file->etag);
  reply.headers.set("cache-control",
                    file->immutable ? "public, max-age=31536000, immutable" : "no-cache");
  reply.headers.set("content-security-policy", kPolicy);
  reply.headers.set("cross-origin-opener-policy", "same-origin");
  reply.headers.set("permissions-policy", "camera=(), microphone=(), geolocation=()");
  // A list of tags, or weak ones, are of no use here: browsers send back the one they got.
  if (request.headers.get("if-none-match") == file->etag) {
    reply.status = 304;
    reply.body = {};
  }
  return reply;
}

}  // namespace weir::admin
