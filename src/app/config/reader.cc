#include "app/config/reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace weir::app {
namespace {

constexpr size_t kTextMax = 16'384;

bool is_name_char(char c, bool first) {
  return c == '_' || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
         (!first && c >= '0' && c <= '9');
}

bool has_control_character(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  });
}

}  // namespace

Reader::Step::Step(Reader& reader, const YamlNode& node, std::string_view field)
    : reader_(reader), length_(reader.path_.size()) {
  if (!reader_.path_.empty()) reader_.path_ += '.';
  reader_.path_ += field;
  reader_.positions_.insert_or_assign(reader_.path_, Position{node.line, node.column});
}

Reader::Step::Step(Reader& reader, const YamlNode& node, size_t index)
    : reader_(reader), length_(reader.path_.size()) {
  reader_.path_ += fmt::format("[{}]", index);
  reader_.positions_.insert_or_assign(reader_.path_, Position{node.line, node.column});
}

void Reader::problem(ProblemCode code, const YamlNode& node, std::string message) {
  if (!is_full()) reported_.insert(path_);
  problems_.add({Severity::error, code, node.line, node.column, path_, std::move(message)});
}

void Reader::problem_at(ProblemCode code, const std::string& path, std::string message,
                        Severity severity) {
  if (has_problem(path)) return;
  if (severity == Severity::error && !is_full()) reported_.insert(path);
  Position position{0, 0};
  for (std::string_view around = path; !around.empty();) {
    const auto found = positions_.find(std::string(around));
    if (found != positions_.end()) {
      position = found->second;
      break;
    }
    const size_t cut = around.find_last_of(".[");
    around = cut == std::string_view::npos ? std::string_view() : around.substr(0, cut);
  }
  problems_.add({severity, code, position.line, position.column, path, std::move(message)});
}

std::optional<std::string> Reader::substitute(const YamlNode& node) {
  const std::string_view text = node.text;
  std::string out;
  bool whole = true;
  for (size_t at = 0; at < text.size();) {
    if (text.substr(at).starts_with("$${")) {
      out += "${";
      at += 3;
      continue;
    }
    if (!text.substr(at).starts_with("${")) {
      out += text[at++];
      continue;
    }
    const size_t close = text.find('}', at);
    const std::string_view inside =
        close == std::string_view::npos ? "" : text.substr(at + 2, close - at - 2);
    if (inside.starts_with("vault:")) {
      at = close + 1;
      const std::optional<std::string> value = read_vault(node, inside.substr(6));
      if (value) out += *value;
      whole = whole && value.has_value();
      continue;
    }
    const size_t dash = inside.find(":-");
    const std::string name(inside.substr(0, dash));
    const bool valid =
        !name.empty() && is_name_char(name.front(), true) &&
        std::all_of(name.begin(), name.end(), [](char c) { return is_name_char(c, false); });
    if (!valid) {
      problem(ProblemCode::bad_value, node,
              "expected ${NAME} or ${NAME:-default} with letters, digits and _ in the name; write "
              "$${ for the characters themselves");
      return std::nullopt;
    }
    at = close + 1;
    const std::optional<std::string> value = surroundings_.variable(name);
    if (dash != std::string_view::npos) {
      out += value && !value->empty() ? *value : std::string(inside.substr(dash + 2));
    } else if (value) {
      out += *value;
    } else {
      whole = false;
      problem(ProblemCode::missing_variable, node,
              fmt::format("the environment variable {0} is not set; set it, or give a default: "
                          "${{{0}:-default}}",
                          name));
    }
  }
  if (!whole) return std::nullopt;
  return out;
}

std::optional<std::string> Reader::read_vault(const YamlNode& node, std::string_view reference) {
  const size_t hash = reference.find('#');
  if (hash == std::string_view::npos || hash == 0 || hash + 1 == reference.size()) {
    problem(ProblemCode::bad_value, node,
            "expected ${vault:PATH#FIELD}, such as ${vault:secret/data/openai#api_key}");
    return std::nullopt;
  }
  const std::string path(reference.substr(0, hash));
  const std::string field(reference.substr(hash + 1));
  const Result<Secret> value = surroundings_.vault
                                   ? surroundings_.vault(path, field)
                                   : fail(ErrorCode::not_found, "there is no Vault here");
  if (value) return std::string(value->reveal());
  problem(ProblemCode::missing_variable, node,
          fmt::format("${{vault:{}}}: {}", reference, value.error().message()));
  return std::nullopt;
}

std::optional<std::string> Reader::read_secret_file(const YamlNode& node, const std::string& path) {
  Result<std::string> content = surroundings_.read_file(path);
  if (!content) {
    problem(ProblemCode::missing_file, node,
            fmt::format("the file of this secret: {}", content.error().message()));
    return std::nullopt;
  }
  while (content->ends_with('\n') || content->ends_with('\r')) content->pop_back();
  if (content->empty()) {
    problem(ProblemCode::missing_file, node, fmt::format("the secret's file {} is empty", path));
    return std::nullopt;
  }
  return std::move(*content);
}

std::optional<std::string> Reader::text_of(const YamlNode& node, std::string_view expected,
                                           bool secret) {
  if (node.kind != YamlNode::Kind::scalar) {
    problem(ProblemCode::wrong_type, node,
            fmt::format("expected {}, got {}", expected, node.describe()));
    return std::nullopt;
  }
  std::optional<std::string> text = substitute(node);
  if (!text) return std::nullopt;
  if (secret && text->starts_with("file:")) text = read_secret_file(node, text->substr(5));
  if (!text) return std::nullopt;
  if (text->size() > kTextMax) {
    problem(ProblemCode::limit, node, fmt::format("longer than {} bytes", kTextMax));
    return std::nullopt;
  }
  if (has_control_character(*text)) {
    problem(ProblemCode::bad_value, node,
            "a line break or another control character is not allowed here");
    return std::nullopt;
  }
  return text;
}

}  // namespace weir::app
