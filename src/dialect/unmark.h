// Takes the marks of signature.h off a request that is relayed in its client's own dialect: a
// client that talked to one maker before sends what that one signed to the next, which refuses it.
// What the dialect's own provider made becomes what it was; blocks that another one signed are
// left out, ids lose what they carried, and a message of which nothing stays is left out too.
// Everything else keeps its bytes. Pure; any thread.
#pragma once

#include <vector>

#include "base/json/document.h"
#include "base/json/splice.h"
#include "dialect/conversation.h"

namespace weir::dialect {

// Appends what has to be changed in `root`, a body for which may_hold_marks() is true. Edits stay
// within the elements of messages, contents and input.
void append_unmarking(Dialect own, json::Value root, std::vector<json::Edit>& edits);

}  // namespace weir::dialect
