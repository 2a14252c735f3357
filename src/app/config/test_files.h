// Files of the source tree, as tests read them.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

namespace weir::app {

inline std::string read_source_file(const std::string& path) {
  std::ifstream in(std::string(WEIR_SOURCE_DIR) + "/" + path);
  EXPECT_TRUE(in) << path;
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

}  // namespace weir::app
