#include "http/management.h"

#include <gtest/gtest.h>

namespace weir::http {
namespace {

bool is_local(std::string_view host, const char* origin = nullptr) {
  HeaderMap fields;
  if (origin != nullptr) fields.set("origin", origin);
  RequestHead head;
  head.host = host;
  head.headers = fields.list();
  return is_local_request(head);
}

bool presents(const char* authorization, const Secret& token) {
  HeaderMap fields;
  if (authorization != nullptr) fields.set("authorization", authorization);
  RequestHead head;
  head.headers = fields.list();
  return presents_token(head, token);
}

TEST(Management, OnlyThisMachineIsLocal) {
  for (const char* host : {"localhost", "localhost:8081", "127.0.0.1:1", "[::1]", "[::1]:8081"})
    EXPECT_TRUE(is_local(host)) << host;
  for (const char* host : {"", "weir.example", "localhost.example", "127.0.0.1.example:80",
                           "[::1].example", "[::2]", "0.0.0.0", "10.0.0.1"})
    EXPECT_FALSE(is_local(host)) << host;
}

TEST(Management, PagesOfOtherOriginsAreNotLocal) {
  EXPECT_TRUE(is_local("localhost:8081", "http://127.0.0.1:5173"));
  for (const char* origin : {"https://evil.example", "null", "", "http://localhost.evil.example"})
    EXPECT_FALSE(is_local("localhost:8081", origin)) << origin;
}

TEST(Management, TheTokenMustBeTheWholeBearer) {
  const Secret token("t0ken");
  EXPECT_FALSE(presents(nullptr, token));
  for (const auto& [value, fits] : {std::pair{"Bearer t0ken", true},
                                    {"Bearer t0ken ", false},
                                    {"Bearer t0ke", false},
                                    {"bearer t0ken", false},
                                    {"t0ken", false},
                                    {"Bearer ", false},
                                    {"Basic t0ken", false}}) {
    EXPECT_EQ(presents(value, token), fits) << value;
  }
}

TEST(Management, QueriesAreDecodedAndTheLastOfANameStands) {
  const auto pairs = parse_query("a=1&b=x%20y&a=2&c&=4&d=%zz&e=%26&&f=g=h");
  const std::map<std::string, std::string> expected = {
      {"a", "2"}, {"b", "x y"}, {"c", ""}, {"e", "&"}, {"f", "g=h"}};
  EXPECT_EQ(pairs, expected);
  EXPECT_TRUE(parse_query("").empty());
}

TEST(Management, PathsFitSegmentBySegment) {
  std::vector<std::string> names;
  EXPECT_TRUE(fits("/v1/keys", "/v1/keys", names));
  EXPECT_TRUE(names.empty());
  EXPECT_TRUE(fits("/v1/{a}/of/{b}", "/v1/x%2Fy/of/z", names));
  EXPECT_EQ(names, (std::vector<std::string>{"x/y", "z"}));
  for (const char* path : {"/v1/keys/", "/v1/key", "/v1/keys/a/b", "/v1//of/z", "/v1/%zz/of/z"}) {
    EXPECT_FALSE(fits("/v1/keys", path, names)) << path;
    EXPECT_FALSE(fits("/v1/{a}/of/{b}", path, names)) << path;
  }
}

TEST(Management, ErrorsAreToldAsStatusAndBody) {
  EXPECT_EQ(status_of(ErrorCode::invalid_argument), 400);
  EXPECT_EQ(status_of(ErrorCode::timeout), 504);
  EXPECT_EQ(status_of(ErrorCode::internal), 500);
  EXPECT_EQ(error_body("not_found", "No \"x\"."),
            R"({"error":{"code":"not_found","message":"No \"x\"."}})");
}

}  // namespace
}  // namespace weir::http
