#include "admin/console.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "admin/reply_schema.h"
#include "base/json/document.h"

namespace weir::admin {
namespace {

using testing::HasSubstr;

constexpr std::string_view kPack =
    "weir-console 1\n"
    "/index.html\ttext/html; charset=utf-8\t\"e1\"\t0\t0\t5\t5\t2\t7\t1\n"
    "/assets/a.js\ttext/javascript\t\"e2\"\t1\t8\t3\t11\t0\t11\t0\n"
    "\n"
    "plainGZBabc";

http::RequestHead head(std::string_view path, http::HeaderList fields = {}) {
  http::RequestHead request;
  request.method = "GET";
  request.path = path;
  request.headers = std::move(fields);
  return request;
}

TEST(Console, ServesTheFormThatTheClientTakes) {
  const auto console = Console::read(kPack);
  ASSERT_TRUE(console) << console.error().message();
  const struct {
    std::string_view accepted, body, coding;
  } cases[] = {
      {"gzip, deflate, br, zstd", "B", "br"},
      {"gzip", "GZ", "gzip"},
      {"", "plain", ""},
      {"br;q=0, gzip;q=0.5", "GZ", "gzip"},
      {"br;q=0.0", "plain", ""},
      {"BR", "B", "br"},
      {"identity", "plain", ""},
      {"brotli, x-gzip", "plain", ""},
  };
  for (const auto& c : cases) {
    const http::HeaderMap fields = [&] {
      http::HeaderMap map;
      map.set("accept-encoding", c.accepted);
      return map;
    }();
    const auto reply = console->answer(head("/", fields.list()));
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->body, c.body) << c.accepted;
    EXPECT_EQ(reply->headers.get("content-encoding"), c.coding) << c.accepted;
    EXPECT_EQ(reply->headers.get("vary"), "accept-encoding");
  }
}

TEST(Console, PagesAreTheDocumentAndFilesAreFiles) {
  const auto console = Console::read(kPack);
  ASSERT_TRUE(console);
  for (const std::string_view path :
       {"/", "/index.html", "/requests", "/requests/req_0c", "/keys"}) {
    const auto reply = console->answer(head(path));
    ASSERT_TRUE(reply) << path;
    EXPECT_EQ(reply->body, "plain") << path;
    EXPECT_EQ(reply->headers.get("cache-control"), "no-cache") << path;
    EXPECT_THAT(reply->headers.get("content-security-policy"), HasSubstr("default-src 'none'"));
  }
  const auto file = console->answer(head("/assets/a.js"));
  ASSERT_TRUE(file);
  EXPECT_EQ(file->body, "abc");
  EXPECT_THAT(file->headers.get("cache-control"), HasSubstr("immutable"));
  for (const std::string_view path :
       {"/api/v1/status", "/api/v1/none", "/metrics", "/healthz", "/assets/b.js", "/robots.txt"}) {
    EXPECT_FALSE(console->answer(head(path))) << path;
  }
  auto post = head("/");
  post.method = "POST";
  EXPECT_FALSE(console->answer(post));
}

TEST(Console, AskedAgainWithItsTagIsNotSentAgain) {
  const auto console = Console::read(kPack);
  ASSERT_TRUE(console);
  http::HeaderMap fields;
  fields.set("if-none-match", "\"e1\"");
  EXPECT_EQ(console->answer(head("/keys", fields.list()))->status, 304);
  EXPECT_EQ(console->answer(head("/assets/a.js", fields.list()))->status, 200);
}

TEST(Console, APackThatIsNoneIsRefused) {
  EXPECT_TRUE(Console::read("")->empty());
  EXPECT_FALSE(Console::read("")->answer(head("/")));
  const std::string whole(kPack);
  // Cut anywhere but at its very end it lacks an index or a part.
  for (size_t size = 1; size < whole.size(); ++size) {
    EXPECT_FALSE(Console::read(std::string_view(whole).substr(0, size))) << size;
  }
  for (const std::string_view line :
       {"x\ta\tb\t0\t0\t0\t0\t0\t0\t0", "/x\ta\tb\t0\t0\t9\t0\t0\t0\t0",
        "/x\ta\tb\t0\t-1\t0\t0\t0\t0\t0", "/x\ta\tb\t0\t1\t9223372036854775807\t0\t0\t0\t0",
        "/x\ta"}) {
    EXPECT_FALSE(Console::read("weir-console 1\n" + std::string(line) + "\n\n")) << line;
  }
}

TEST(ReplySchema, EveryNotationIsRead) {
  for (const NamedSchema& schema : schemas()) {
    const auto text = schema_of(schema.notation);
    ASSERT_TRUE(text) << schema.name;
    EXPECT_TRUE(json::Document().parse(*text)) << *text;
  }
  for (const Route& route : routes()) {
    if (reply_notation(route).empty()) continue;
    EXPECT_TRUE(schema_of(reply_notation(route))) << route.method << " " << route.path;
  }
}

TEST(ReplySchema, NotationToSchema) {
  const struct {
    std::string_view notation, schema;
  } cases[] = {
      {"text", R"({"type":"string"})"},
      {"number?", R"({"anyOf":[{"type":"number"},{"type":"null"}]})"},
      {"[bool]", R"({"type":"array","items":{"type":"boolean"}})"},
      {"{*: text}", R"({"type":"object","additionalProperties":{"type":"string"}})"},
      {"{a: Budget?, b?: any}",
       R"({"type":"object","properties":{"a":{"anyOf":[{"$ref":"#/components/schemas/Budget"},)"
       R"({"type":"null"}]},"b":{}},"required":["a"]})"},
  };
  for (const auto& c : cases) EXPECT_EQ(schema_of(c.notation), c.schema) << c.notation;
  for (const std::string_view bad :
       {"", "txt", "[text", "{a}", "{a: }", "{a: text", "text text", "{: text}", "Nobody"}) {
    EXPECT_FALSE(schema_of(bad)) << bad;
  }
}

}  // namespace
}  // namespace weir::admin
