#include "app/config/problems.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>

namespace weir::app {

std::string_view to_string(ProblemCode code) {
  switch (code) {
    case ProblemCode::syntax:
      return "syntax";
    case ProblemCode::limit:
      return "limit";
    case ProblemCode::unknown_field:
      return "unknown_field";
    case ProblemCode::duplicate_field:
      return "duplicate_field";
    case ProblemCode::missing_field:
      return "missing_field";
    case ProblemCode::wrong_type:
      return "wrong_type";
    case ProblemCode::bad_value:
      return "bad_value";
    case ProblemCode::missing_variable:
      return "missing_variable";
    case ProblemCode::missing_file:
      return "missing_file";
    case ProblemCode::unknown_name:
      return "unknown_name";
    case ProblemCode::duplicate_name:
      return "duplicate_name";
    case ProblemCode::conflict:
      return "conflict";
    case ProblemCode::unsupported:
      return "unsupported";
  }
  return "syntax";
}

std::string_view to_string(Severity severity) {
  return severity == Severity::error ? "error" : "warning";
}

std::string to_text(const Problem& problem, std::string_view file) {
  std::string text(file);
  if (problem.line > 0) text += fmt::format(":{}:{}", problem.line, problem.column);
  text += fmt::format(": {}: ", to_string(problem.severity));
  if (!problem.path.empty()) text += fmt::format("{}: ", problem.path);
  text += fmt::format("{} [{}]", problem.message, to_string(problem.code));
  return text;
}

void Problems::add(Problem problem) {
  if (problem.severity == Severity::error) has_error_ = true;
  if (kept_.size() >= kKeptMax) {
    ++dropped_;
    return;
  }
  for (const Problem& kept : kept_) {
    if (kept.code == problem.code && kept.line == problem.line && kept.column == problem.column &&
        kept.message == problem.message) {
      return;
    }
  }
  const auto behind = [](const Problem& a, const Problem& b) {
    return std::tie(a.line, a.column) < std::tie(b.line, b.column);
  };
  kept_.insert(std::upper_bound(kept_.begin(), kept_.end(), problem, behind), std::move(problem));
}

std::vector<Problem> Problems::take() {
  if (dropped_ > 0) {
    kept_.push_back({Severity::warning, ProblemCode::limit, 0, 0, "",
                     fmt::format("{} more problems are not shown", dropped_)});
    dropped_ = 0;
  }
  return std::exchange(kept_, {});
}

}  // namespace weir::app
