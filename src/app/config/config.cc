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
    case Period::total:
      return "total";
  }
  return "month";
}

std::string_view to_string(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warn:
      return "warn";
    case LogLevel::error:
      return "error";
  }
  return "info";
}

std::string_view to_string(LogFormat format) {
  switch (format) {
    case LogFormat::text:
      return "text";
    case LogFormat::json:
      return "json";
  }
  return "text";
}

std::string_view to_string(DialectName dialect) {
  switch (dialect) {
    case DialectName::openai_chat:
      return "openai_chat";
    case DialectName::openai_responses:
      return "openai_responses";
    case DialectName::anthropic_messages:
      return "anthropic_messages";
    case DialectName::gemini:
      return "gemini";
  }
  return "openai_chat";
}

std::string ListenAddress::to_text() const {
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port)
                                             : fmt::format("[{}]:{}", host, port);
}

bool ListenAddress::is_loopback() const {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

}  // namespace weir::app
