#include "access/key_fence.h"

#include <gtest/gtest.h>

namespace weir::access {
namespace {

bool holds(std::string_view range, std::string_view ip) {
  const auto parsed = IpRange::parse(range);
  EXPECT_TRUE(parsed) << range;
  const IpRange ranges[] = {*parsed};
  return any_holds(ranges, ip);
}

TEST(IpRange, HoldsWhatIsInIt) {
  struct Case {
    const char* range;
    const char* ip;
    bool in;
  };
  for (const auto& [range, ip, in] :
       {Case{"192.0.2.0/24", "192.0.2.0", true}, Case{"192.0.2.0/24", "192.0.2.255", true},
        Case{"192.0.2.0/24", "192.0.3.0", false}, Case{"192.0.2.0/24", "::ffff:192.0.2.7", true},
        Case{"192.0.2.128/25", "192.0.2.127", false}, Case{"192.0.2.128/25", "192.0.2.128", true},
        Case{"192.0.2.7", "192.0.2.7", true}, Case{"192.0.2.7", "192.0.2.8", false},
        Case{"0.0.0.0/0", "203.0.113.9", true}, Case{"0.0.0.0/0", "2001:db8::1", false},
        Case{"::/0", "2001:db8::1", true}, Case{"::/0", "203.0.113.9", false},
        Case{"2001:db8::/33", "2001:db8:7fff::1", true},
        Case{"2001:db8::/33", "2001:db8:8000::1", false},
        Case{"2001:db8::1", "2001:0db8:0:0::1", true}, Case{"10.0.0.0/8", "", false},
        Case{"10.0.0.0/8", "10.1.2.3.4", false}, Case{"10.0.0.0/8", "10.1.2.3 ", false},
        Case{"10.0.0.0/8", "fe80::1%eth0", false}}) {
    EXPECT_EQ(holds(range, ip), in) << range << " " << ip;
  }
}

TEST(IpRange, RefusesWhatIsNone) {
  for (const char* text :
       {"", "/", "192.0.2.1/24", "192.0.2.0/33", "192.0.2.0/", "192.0.2/24", "::1/129",
        "2001:db8::1/64", "example.com", "192.0.2.0/-1", "*", "192.0.2.0/024", " 192.0.2.0/24"}) {
    EXPECT_FALSE(IpRange::parse(text)) << text;
  }
}

TEST(ClientIp, BelievesOnlyTrustedProxies) {
  const IpRange trusted[] = {*IpRange::parse("10.0.0.0/8"), *IpRange::parse("::1")};
  struct Case {
    const char* peer;
    const char* forwarded;
    const char* client;
  };
  for (const auto& [peer, forwarded, client] :
       {Case{"192.0.2.1", "", "192.0.2.1"},
        Case{"192.0.2.1", "203.0.113.5", "192.0.2.1"},  // no proxy of ours: not believed
        Case{"10.0.0.1", "203.0.113.5", "203.0.113.5"},
        Case{"10.0.0.1", "198.51.100.1, 203.0.113.5", "203.0.113.5"},  // what a client put in front
        Case{"10.0.0.1", "198.51.100.1,203.0.113.5 , 10.0.0.2", "203.0.113.5"},
        Case{"::1", "2001:db8::5", "2001:db8::5"}, Case{"10.0.0.1", "", "10.0.0.1"},
        Case{"10.0.0.1", "10.0.0.2", "10.0.0.2"}, Case{"10.0.0.1", "203.0.113.5, unknown", ""},
        Case{"10.0.0.1", "203.0.113.5:80", ""}, Case{"10.0.0.1", ",", ""}}) {
    EXPECT_EQ(client_ip(peer, forwarded, trusted), client) << peer << " " << forwarded;
  }
  EXPECT_EQ(client_ip("10.0.0.1", "203.0.113.5", {}), "10.0.0.1");
}

TEST(KeyFence, IsMadeOfWhatIsKnown) {
  const std::vector<std::string> none;
  const std::vector<std::string> ranges = {"192.0.2.0/24", "2001:db8::/32"};
  const std::vector<std::string> endpoints = {"embed", "rerank"};
  const auto fence = KeyFence::make(ranges, endpoints);
  ASSERT_TRUE(fence);
  EXPECT_TRUE(fence->admits("192.0.2.9"));
  EXPECT_FALSE(fence->admits("192.0.3.9"));
  EXPECT_FALSE(fence->admits(""));
  EXPECT_TRUE(fence->serves("embed"));
  EXPECT_FALSE(fence->serves("generate"));
  EXPECT_TRUE(KeyFence::make(none, none)->admits(""));
  EXPECT_TRUE(KeyFence::make(none, none)->serves("generate"));
  EXPECT_FALSE(KeyFence::make(std::vector<std::string>{"x"}, none));
  EXPECT_FALSE(KeyFence::make(none, std::vector<std::string>{"chat"}));
  EXPECT_FALSE(KeyFence::make(std::vector<std::string>(kRangesMax + 1, "::1"), none));
}

}  // namespace
}  // namespace weir::access
