#include "app/config/emit.h"

#include <gtest/gtest.h>

#include <string>

#include "app/config/load.h"
#include "app/config/test_files.h"

namespace weir::app {
namespace {

Config valid(std::string_view yaml, const Surroundings& surroundings = Surroundings::empty()) {
  const Loaded loaded = load_text(yaml, surroundings);
  EXPECT_TRUE(loaded.config.has_value());
  return loaded.config.value_or(Config{});
}

TEST(ConfigEmit, TheEffectiveConfigurationIsAsRecorded) {
  Surroundings surroundings = Surroundings::empty();
  surroundings.variable = [](const std::string& name) { return "value-of-" + name; };
  surroundings.read_file = [](const std::string&) -> Result<std::string> { return "{}"; };
  const Config config = valid(read_source_file("examples/weir.yaml"), surroundings);
  EXPECT_EQ(effective_yaml(config), read_source_file("src/app/config/testdata/effective.yaml"))
      << "when the change is meant: weir config effective -c examples/weir.yaml, with NAME set to "
         "value-of-NAME";
}

TEST(ConfigEmit, WhatIsWrittenReadsBackTheSame) {
  Surroundings surroundings = Surroundings::empty();
  surroundings.variable = [](const std::string& name) { return "value of ${" + name + "} \\ é"; };
  surroundings.read_file = [](const std::string&) -> Result<std::string> { return "{}"; };
  const Config config = valid(read_source_file("examples/weir.yaml"), surroundings);
  const std::string once = effective_yaml(config, {.secrets = true});
  const Config again = valid(once);
  EXPECT_EQ(effective_yaml(again, {.secrets = true}), once);
  EXPECT_EQ(again.admin.token.reveal(), config.admin.token.reveal());
}

}  // namespace
}  // namespace weir::app
