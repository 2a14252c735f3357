#include "net/address.h"

#include <gtest/gtest.h>

#include <string>

namespace weir::net {
namespace {

TEST(Address, ParsesHostAndPort) {
  struct Case {
    const char* text;
    const char* expected;  // empty: refused
  };
  const Case cases[] = {{"127.0.0.1:8080", "127.0.0.1:8080"},
                        {"[::1]:443", "[::1]:443"},
                        {"localhost:80", "127.0.0.1:80"},
                        {":80", "0.0.0.0:80"},
                        {"*:0", "0.0.0.0:0"},
                        {"[2001:DB8:0:0::1]:1", "[2001:db8::1]:1"},
                        {"::1:443", ""},
                        {"127.0.0.1", ""},
                        {"127.0.0.1:", ""},
                        {"127.0.0.1:x", ""},
                        {"127.0.0.1:-1", ""},
                        {"127.0.0.1:65536", ""},
                        {"127.0.0.1:80 ", ""},
                        {"example.com:80", ""},
                        {"0177.0.0.1:80", ""},
                        {"", ""}};
  for (const Case& c : cases) {
    SCOPED_TRACE(c.text);
    const auto address = Address::parse(c.text);
    ASSERT_EQ(address.has_value(), *c.expected != '\0');
    if (address) {
      EXPECT_EQ(address->to_text(), c.expected);
    } else {
      EXPECT_EQ(address.error().code(), ErrorCode::invalid_argument);
    }
  }
}

TEST(Address, KnowsItsKind) {
  using enum AddressKind;
  struct Case {
    const char* host;
    AddressKind kind;
  };
  const Case cases[] = {{"8.8.8.8", public_internet},
                        {"172.15.255.255", public_internet},
                        {"172.16.0.0", private_use},
                        {"172.31.255.255", private_use},
                        {"172.32.0.0", public_internet},
                        {"10.1.2.3", private_use},
                        {"192.168.0.1", private_use},
                        {"100.64.0.1", private_use},
                        {"100.128.0.1", public_internet},
                        {"127.0.0.1", loopback},
                        {"127.255.255.255", loopback},
                        {"169.254.169.254", link_local},
                        {"0.0.0.0", unspecified},
                        {"0.1.2.3", unspecified},
                        {"224.0.0.1", reserved},
                        {"255.255.255.255", reserved},
                        {"192.0.2.1", reserved},
                        {"198.19.0.1", reserved},
                        {"2606:4700::1111", public_internet},
                        {"::", unspecified},
                        {"::1", loopback},
                        {"fe80::1", link_local},
                        {"febf::1", link_local},
                        {"fec0::1", private_use},
                        {"fd00:ec2::254", private_use},
                        {"ff02::1", reserved},
                        {"2001:db8::1", reserved},
                        {"2001::1", reserved},
                        // IPv4 in disguise
                        {"::ffff:127.0.0.1", loopback},
                        {"::ffff:169.254.169.254", link_local},
                        {"::ffff:8.8.8.8", public_internet},
                        {"::10.0.0.1", private_use},
                        {"64:ff9b::169.254.169.254", link_local},
                        {"64:ff9b::8.8.8.8", public_internet},
                        {"64:ff9b:1::8.8.8.8", private_use},
                        {"2002:7f00:1::", loopback},
                        {"2002:808:808::", public_internet}};
  for (const Case& c : cases) {
    const auto address = Address::parse(c.host, 1);
    ASSERT_TRUE(address.has_value()) << c.host;
    EXPECT_EQ(address->kind(), c.kind) << c.host << " is " << to_string(address->kind());
  }
}

TEST(Address, ComparesByFamilyHostAndPort) {
  EXPECT_EQ(*Address::parse("1.2.3.4:5"), *Address::parse("1.2.3.4", 5));
  EXPECT_FALSE(*Address::parse("1.2.3.4:5") == *Address::parse("1.2.3.4:6"));
  EXPECT_FALSE(*Address::parse("[::1]:5") == *Address::parse("127.0.0.1:5"));
}

TEST(HostPort, KeepsNames) {
  const auto parsed = parse_host_port("api.example.com:443");
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->host, "api.example.com");
  EXPECT_EQ(parsed->port, 443);
}

}  // namespace
}  // namespace weir::net
