#include "fleet/xds/resources.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "fleet/test_feed.h"
#include "fleet/xds/protobuf.h"
#include "fleet/xds/test_print.h"

namespace weir::fleet::xds {
namespace {

Roster view_of(const std::vector<TestEndpoint>& endpoints) {
  TestFeed feed;
  feed.set("svc", endpoints);
  return {feed.view("svc"), {}};
}

TEST(XdsResources, Listener) {
  EXPECT_EQ(print(listener("svc")),
            "1: \"svc\" 19: {1: {1: \"type.googleapis.com/envoy.extensions.filters.network."
            "http_connection_manager.v3.HttpConnectionManager\" "
            "2: {3: {1: {3: {} 6: 2} 2: \"svc\"} 5: {1: \"router\" 4: {1: \"type.googleapis.com/"
            "envoy.extensions.filters.http.router.v3.Router\"}}}}}");
}

TEST(XdsResources, RouteConfiguration) {
  EXPECT_EQ(print(route_configuration("svc")),
            "1: \"svc\" 2: {1: \"svc\" 2: \"*\" 3: {1: {1: {}} 2: {1: \"svc\" 8: {}}}}");
}

TEST(XdsResources, ClusterHasNoDetectionAndNoPanicOfItsOwn) {
  EXPECT_EQ(print(cluster("svc", Form::envoy)),
            "1: \"svc\" 2: 3 3: {1: {3: {} 6: 2}} 27: {1: {} 4: {}}");
  EXPECT_EQ(print(cluster("svc", Form::grpc)), "1: \"svc\" 2: 3 3: {1: {3: {} 6: 2}}")
      << "round robin is 0 and not written; never ring hash";
}

const std::vector<TestEndpoint> kThree = {
    {.name = "a", .weight = 1000, .address = "10.0.0.1", .zone = "z1"},
    {.name = "b", .weight = 10, .health = Health::degraded, .address = "10.0.0.2", .zone = "z2"},
    {.name = "c", .weight = 0, .health = Health::drained, .address = "::1", .zone = "z1"},
};

TEST(XdsResources, EnvoysAssignmentHasWeightsOnEndpoints) {
  EXPECT_EQ(print(envoy_assignment(view_of(kThree))),
            "1: \"svc\" "
            "2: {1: {2: \"z1\"} "
            "2: {1: {1: {1: {2: \"10.0.0.1\" 3: 80}}} 2: 1 4: {1: 1000}} "
            "2: {1: {1: {1: {2: \"::1\" 3: 80}}} 2: 3 4: {1: 1}}} "
            "2: {1: {2: \"z2\"} 2: {1: {1: {1: {2: \"10.0.0.2\" 3: 80}}} 2: 1 4: {1: 10}}}");
}

TEST(XdsResources, GrpcsAssignmentHasALocalityPerEndpoint) {
  EXPECT_EQ(print(grpc_assignment(view_of(kThree), "client")),
            "1: \"svc\" "
            "2: {1: {2: \"z1\" 3: \"a\"} 2: {1: {1: {1: {2: \"10.0.0.1\" 3: 80}}} 2: 1} "
            "3: {1: 1000}} "
            "2: {1: {2: \"z2\" 3: \"b\"} 2: {1: {1: {1: {2: \"10.0.0.2\" 3: 80}}} 2: 1} "
            "3: {1: 10}}")
      << "what is drained is left out";
}

TEST(XdsResources, EndpointsWithNamesForAddressesAreLeftOut) {
  const Roster roster = view_of({{.name = "a", .address = "host.example"}, {.name = "b"}});
  EXPECT_EQ(roster.left_out(), 1U);
  for (const std::string& made : {envoy_assignment(roster), grpc_assignment(roster, "")}) {
    EXPECT_EQ(print(made).find("host.example"), std::string::npos);
    EXPECT_NE(print(made).find("127.0.0.1"), std::string::npos);
  }
}

std::vector<TestEndpoint> many(size_t count) {
  std::vector<TestEndpoint> endpoints;
  for (size_t i = 0; i < count; ++i) {
    endpoints.push_back({.name = "e" + std::to_string(10'000 + i),
                         .weight = 65'535,
                         .port = static_cast<uint16_t>(1 + i)});
  }
  return endpoints;
}

// The names of a gRPC client's endpoints, and the sum of their weights.
std::set<std::string> names_of(const std::string& made, uint64_t& sum) {
  std::set<std::string> names;
  sum = 0;
  Reader reader(made);
  while (const auto locality = reader.next()) {
    if (!locality->is_bytes(2)) continue;
    Reader inner(locality->bytes);
    while (const auto field = inner.next()) {
      if (field->is_bytes(1)) {
        Reader names_reader(field->bytes);
        while (const auto part = names_reader.next()) {
          if (part->is_bytes(3)) names.emplace(part->bytes);
        }
      }
      if (field->is_bytes(3)) {
        Reader weight(field->bytes);
        sum += weight.next()->value;
      }
    }
  }
  return names;
}

TEST(XdsResources, AGrpcClientIsGivenAPartOfAManyEndpoints) {
  uint64_t sum = 0;
  const auto all = many(1000);
  const auto first = names_of(grpc_assignment(view_of(all), "client-1"), sum);
  EXPECT_EQ(first.size(), kGrpcEndpointsMax);
  EXPECT_LT(sum, uint64_t{1} << 31);
  EXPECT_EQ(first, names_of(grpc_assignment(view_of(all), "client-1"), sum)) << "the same again";
  // Every endpoint is somebody's: 40 clients of 200 leave one of 1000 out with (4/5)^40.
  std::set<std::string> covered;
  std::set<std::set<std::string>> parts;
  for (int i = 0; i < 40; ++i) {
    const auto part = names_of(grpc_assignment(view_of(all), "client-" + std::to_string(i)), sum);
    covered.insert(part.begin(), part.end());
    parts.insert(part);
  }
  EXPECT_EQ(parts.size(), 40U);
  EXPECT_GE(covered.size(), 990U);
  // Endpoints that go are replaced, the others stay.
  auto fewer = all;
  std::erase_if(fewer, [&](const TestEndpoint& one) { return one.name == *first.begin(); });
  const auto after = names_of(grpc_assignment(view_of(fewer), "client-1"), sum);
  std::vector<std::string> kept;
  std::ranges::set_intersection(first, after, std::back_inserter(kept));
  EXPECT_EQ(kept.size(), kGrpcEndpointsMax - 1);
  EXPECT_TRUE(view_of(many(kGrpcEndpointsMax)).same_for_all());
  EXPECT_FALSE(view_of(all).same_for_all());
}

TEST(XdsResources, ARosterMadeFromTheOneBeforeIsAsOneMadeAnew) {
  TestFeed feed;
  Roster roster;
  std::vector<TestEndpoint> endpoints = many(300);
  for (int step = 0; step < 30; ++step) {
    // Some go, some come, some change, some have names.
    endpoints.erase(endpoints.begin() + step * 7 % 200);
    endpoints.push_back({.name = "n" + std::to_string(step * 37 % 100),
                         .address = step % 3 == 0 ? "host.example" : "10.0.0.1"});
    endpoints[static_cast<size_t>(step)].weight = static_cast<uint16_t>(step);
    feed.set("svc", endpoints);
    roster = Roster(feed.view("svc"), roster);
    const Roster anew(feed.view("svc"), {});
    ASSERT_EQ(roster.left_out(), anew.left_out());
    ASSERT_EQ(envoy_assignment(roster), envoy_assignment(anew));
    ASSERT_EQ(grpc_assignment(roster, "c"), grpc_assignment(anew, "c"));
  }
}

TEST(XdsResources, TheFormFollowsTheUserAgent) {
  for (const std::string_view grpc :
       {"gRPC C-core linux", "gRPC Node Pure JS", "gRPC Go", "grpc-java"}) {
    EXPECT_EQ(form_of(grpc), Form::grpc) << grpc;
  }
  for (const std::string_view other : {"envoy", "", "my control plane client"}) {
    EXPECT_EQ(form_of(other), Form::envoy) << other;
  }
}

}  // namespace
}  // namespace weir::fleet::xds
