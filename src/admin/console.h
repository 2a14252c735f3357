// The console's files: what `web/` builds, packed into one piece (web/pack.mjs writes it, CMake
// puts it into the binary), each file as it is and compressed by gzip and Brotli. A binary that was
// built without Node.js has an empty pack, and serves the plain page of page.h instead.
//
// Paths under /assets/ hold a hash of their content in their name and never change; everything else
// is asked for again, by its ETag. Paths without a dot outside of the API are the pages of the
// console and get its one document. Immutable after start; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "http/head.h"
#include "http/headers.h"

namespace weir::admin {

struct ConsoleFile {
  std::string_view path;
  std::string_view content_type;
  std::string_view etag;  // with its quotes
  bool immutable = false;
  std::string_view plain;
  std::string_view gzip;    // empty: not smaller
  std::string_view brotli;  // empty: not smaller
};

struct ConsoleReply {
  int status = 200;
  http::HeaderMap headers;
  std::string_view body;  // of the pack
};

class Console {
 public:
  // The pack in this binary.
  static const Console& embedded();
  // `pack` outlives the console. Errors: corrupt, naming the line.
  static Result<Console> read(std::string_view pack);

  bool empty() const { return files_.empty(); }
  // The answer to a GET or HEAD of a file or page; nullopt where the path is not the console's.
  std::optional<ConsoleReply> answer(const http::RequestHead& request) const;

 private:
  const ConsoleFile* find(std::string_view path) const;
  std::vector<ConsoleFile> files_;
};

// Whether a client that sends this Accept-Encoding takes that coding. A coding it gives q=0 it
// does not.
bool accepts_encoding(std::string_view field, std::string_view coding);

}  // namespace weir::admin
