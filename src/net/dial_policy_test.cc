#include "net/dial_policy.h"

#include <gtest/gtest.h>

namespace weir::net {
namespace {

TEST(DialPolicy, AllowsWhatIsPublicOrNamed) {
  const DialPolicy policy = named_addresses({"corp.example", "169.254.170.2", "10.9.9.9"});
  const struct {
    const char* host;
    const char* address;
    bool allowed;
  } rows[] = {
      {"api.openai.com", "104.18.7.192", true},
      {"api.openai.com", "2606:4700::6812:7c0", true},
      // A name that somebody else's server resolves to where they would like Weir to go.
      {"evil.example", "127.0.0.1", false},
      {"evil.example", "10.0.0.1", false},
      {"evil.example", "172.16.0.1", false},
      {"evil.example", "192.168.1.1", false},
      {"evil.example", "100.64.0.1", false},
      {"evil.example", "169.254.169.254", false},
      {"evil.example", "0.0.0.0", false},
      {"evil.example", "::1", false},
      {"evil.example", "fe80::1", false},
      {"evil.example", "fd00:ec2::254", false},
      {"evil.example", "::ffff:127.0.0.1", false},
      {"evil.example", "::ffff:169.254.169.254", false},
      {"evil.example", "64:ff9b::a9fe:a9fe", false},
      {"evil.example", "224.0.0.1", false},
      {"metadata.google.internal", "169.254.169.254", false},
      {"localhost.evil.example", "127.0.0.1", false},
      // Written down as such.
      {"127.0.0.1", "127.0.0.1", true},
      {"10.0.0.7", "10.0.0.7", true},
      {"::1", "::1", true},
      {"fd00::7", "fd00::7", true},
      {"169.254.169.254", "169.254.169.254", false},
      {"fe80::1", "fe80::1", false},
      // Names that no public server knows.
      {"localhost", "127.0.0.1", true},
      {"vllm", "172.18.0.3", true},
      {"vllm", "169.254.169.254", false},
      // Named in the configuration.
      {"corp.example", "10.1.2.3", true},
      {"llm.corp.example", "10.1.2.3", true},
      {"llm.corp.example", "169.254.1.1", true},
      {"notcorp.example", "10.1.2.3", false},
      {"corp.example.evil.example", "10.1.2.3", false},
      {"169.254.170.2", "169.254.170.2", true},
      {"any.example", "10.9.9.9", true},
  };
  for (const auto& row : rows) {
    const auto address = Address::parse(row.address, 443);
    ASSERT_TRUE(address) << row.address;
    Origin origin;
    origin.host = row.host;
    origin.port = 443;
    const auto judged = policy(origin, *address);
    EXPECT_EQ(judged.has_value(), row.allowed) << row.host << " at " << row.address;
    if (!judged) EXPECT_EQ(judged.error().code(), ErrorCode::permission_denied);
  }
}

TEST(DialPolicy, WhatStandsInsideIsNoMetadataService) {
  const DialPolicy policy = inside_addresses();
  Origin origin;
  origin.host = "vault.corp.example";
  for (const char* allowed : {"10.1.2.3", "127.0.0.1", "::1", "fd00::7", "104.18.7.192"}) {
    EXPECT_TRUE(policy(origin, *Address::parse(allowed, 8200))) << allowed;
  }
  for (const char* refused : {"169.254.169.254", "fe80::1", "fd00:ec2::254", "0.0.0.0", "224.0.0.1",
                              "::ffff:169.254.169.254"}) {
    const auto judged = policy(origin, *Address::parse(refused, 8200));
    ASSERT_FALSE(judged) << refused;
    EXPECT_EQ(judged.error().code(), ErrorCode::permission_denied);
  }
}

}  // namespace
}  // namespace weir::net
