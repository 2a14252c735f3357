// A ledger row as bytes: what a worker hands over to the log's writer, and what the journal keeps.
// One encoding per request serves both, so that a row costs its worker one pass over the fields and
// no allocation. The layout is this build's own and is never read by another version (the journal's
// file says which one wrote it). Pure functions; any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "ledger/row.h"

namespace weir::ledger {

// Every field of the row but the capture, in place of what `out` held.
template <class Text>
void encode_row(const BasicRow<Text>& row, std::string& out);
// Errors: corrupt.
Result<RequestRow> decode_row(std::string_view bytes);
// Its texts are those of `bytes`, but for the usage's tier.
Result<RowView> view_row(std::string_view bytes);

}  // namespace weir::ledger
