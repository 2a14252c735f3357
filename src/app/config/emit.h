// Writes a YAML tree as text, in block style, so that reading it again gives the same tree. Pure.
#pragma once

#include <string>

#include "app/config/config.h"
#include "app/config/schema.h"
#include "app/config/yaml.h"

namespace weir::app {

// Quoted scalars are written plain where YAML cannot mistake them for anything but text.
std::string emit_yaml(const YamlNode& node);

// The configuration in force, every default filled in. Secrets are written as "<secret>".
std::string effective_yaml(const Config& config, const WriteOptions& options = {});

}  // namespace weir::app
