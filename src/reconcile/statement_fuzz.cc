// Any bytes as each provider's export: what comes out is the same every time, of a kind that the
// comparison can take, and against an empty ledger is traffic that bypassed it or nothing.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "reconcile/drift.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace weir::reconcile;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const Source source : {Source::openai, Source::anthropic, Source::gcp, Source::focus}) {
    const ReadOptions options{
        .source = source, .provider = "openai", .nano_per_usd = {{"EUR", 920'000'000}}};
    Statement statement;
    if (!read_statement(text, options, statement)) continue;
    Statement again;
    if (!read_statement(text, options, again)) std::abort();
    if (again.lines.size() != statement.lines.size()) std::abort();
    for (const Line& line : statement.lines) {
      if (line.provider.empty() || (!line.tokens && !line.cost)) std::abort();
    }
    const DriftQuery query{.from_day = -1'000'000, .to_day = 10'000'000, .today = 20'000};
    const Reconciliation found = reconcile({}, statement, query);
    for (const Drift& drift : found.drifts) {
      if (drift.ledger_tokens != 0 || drift.ledger_cost != weir::Money{}) std::abort();
    }
    static_cast<void>(reconcile(statement.lines, statement, query));
  }
  return 0;
}
