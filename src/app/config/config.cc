#include "app/config/config.h"

#include <fmt/format.h>

namespace weir::app {

std::string_view to_string(Provider provider) {
  switch (provider) {
    case Provider::openai:
      return "openai";
    case Provider::azure_openai:
      return "azure_openai";
    case Provider::anthropic:
      return "anthropic";
    case Provider::vertex_ai:
      return "vertex_ai";
    case Provider::gemini:
      return "gemini";
    case Provider::bedrock:
      return "bedrock";
    case Provider::openai_compatible:
      return "openai_compatible";
  }
  return "openai";
}

std::string_view to_string(Period period) {
  switch (period) {
    case Period::day:
      return "day";
    case Period::week:
      return "week";
    case Period::month:
      return "month";
    case Period::rolling:
      return "rolling";
    case Period::total:
      return "total";
  }
  return "month";
}

std::string ListenAddress::to_text() const {
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port)
                                             : fmt::format("[{}]:{}", host, port);
}

bool ListenAddress::is_loopback() const {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

}  // namespace weir::app
