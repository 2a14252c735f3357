#include <iostream>
#include <string>
#include <vector>

#include "app/commands.h"

int main(int count, char** words) {
  std::vector<std::string> arguments(words + 1, words + count);
  if (!arguments.empty() && arguments.front() == "--version") arguments.front() = "version";
  weir::app::Terminal terminal{std::cout, std::cerr, weir::app::Surroundings::process(), &std::cin};
  return weir::app::run_command_line(weir::app::program(), arguments, terminal);
}
