#include "dialect/losses.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace weir::dialect {
namespace {

TEST(Losses, EveryFeatureHasOneNameAndARow) {
  std::set<Feature> named;
  std::set<std::string_view> ids;
  for (const FeatureName& feature : features()) {
    EXPECT_TRUE(named.insert(feature.feature).second) << feature.id;
    EXPECT_TRUE(ids.insert(feature.id).second) << feature.id;
  }
  // The last enumerator: none of them is without a name.
  EXPECT_EQ(named.size(), static_cast<size_t>(Feature::previous_response) + 1);
  std::set<Feature> lost;
  for (const Loss& loss : losses()) lost.insert(loss.feature);
  EXPECT_EQ(lost, named);
}

TEST(Losses, ATargetHasOneRowPerFeature) {
  std::map<Feature, Targets> seen;
  for (const Loss& loss : losses()) {
    EXPECT_NE(loss.targets, 0) << id_of(loss.feature);
    EXPECT_EQ(seen[loss.feature] & loss.targets, 0) << id_of(loss.feature);
    EXPECT_FALSE(loss.instead.empty()) << id_of(loss.feature);
    seen[loss.feature] |= loss.targets;
  }
}

TEST(Losses, AreToldOnceByName) {
  Dropped dropped;
  lose(dropped, Feature::seed);
  lose(dropped, Feature::seed);
  lose(dropped, Feature::response_schema, "pattern");
  EXPECT_EQ(dropped, (Dropped{"seed", "response_format.schema.pattern"}));
}

TEST(Losses, OnlyWhatATargetLosesIsKnown) {
  EXPECT_TRUE(is_known_loss("seed", Dialect::anthropic_messages));
  EXPECT_FALSE(is_known_loss("seed", Dialect::gemini));
  EXPECT_TRUE(is_known_loss("response_format.schema.pattern", Dialect::anthropic_messages));
  EXPECT_FALSE(is_known_loss("seeds", Dialect::anthropic_messages));
  EXPECT_FALSE(is_known_loss("", Dialect::anthropic_messages));
  EXPECT_FALSE(is_known_loss("seed", Dialect::passthrough));
}

}  // namespace
}  // namespace weir::dialect
