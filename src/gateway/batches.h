// Batches: the provider works them off hours after the call that made them, and bills them at batch
// price. What a batch cost is settled once, on the key that made it, when the provider tells it on
// its way through here: in the batch object itself (OpenAI, Azure), with its inlined responses
// (Gemini), or line by line in its results (OpenAI's and Gemini's output files, Anthropic's
// results). The row has the id and the time of the batch's making; until then, or where nobody ever
// fetches the results, there is no cost. A batch that was not made through Weir, or longer ago than
// state.pin_retention, is not known here.
//
// Worker's thread. Limits: kLineBytesMax of one line; a longer one makes the cost an estimate.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/json/document.h"
#include "base/result.h"
#include "gateway/exchange.h"
#include "net/task.h"
#include "provider/call.h"
#include "state/record.h"

namespace weir::gateway {

// The models inside an Anthropic batch are asked for under the key's rights, and a file of
// requests, which Weir does not read, only by a key that may use every model.
bool admit_batch(Exchange& x);
// Their names at the deployment's account; invalid_argument for the client where one is not there.
Result<void> edit_batch(const Exchange& x, const provider::Deployment& deployment,
                        provider::BodyEdit& body);

// Before a batch of an uploaded file is asked for: notes on disk what its row will need, by the
// file's id. Should this process end before it has the answer, the batch is found again by that id
// as soon as it is looked at or listed through here, and charged like any other.
net::Task<void> announce_batch(Exchange& x, const provider::Deployment& next);
// The provider refused it: there is no such batch.
void withdraw_batch(const Exchange& x);

// An answer of a batch endpoint: remembers a batch that was made, settles one whose usage is told.
net::Task<void> watch_batch(Exchange& x, json::Value answer);

// Anthropic's SDKs fetch results from the address in the batch: a path, so that they come here. The
// changed body, or nullopt.
std::optional<std::string> localize_results_url(const Exchange& x, json::Value answer);

// Reads along the results of a batch that is not settled.
class BatchResults {
 public:
  static constexpr size_t kLineBytesMax = 4 << 20;

  // Null where the request fetches no results, or of no batch that waits for its price.
  static net::Task<std::unique_ptr<BatchResults>> open(Exchange& x);

  void feed(std::string_view bytes);
  // All results have passed.
  net::Task<void> settle();

 private:
  explicit BatchResults(Exchange& x, std::string batch) : x_(x), batch_(std::move(batch)) {}
  void take(std::string_view line);

  Exchange& x_;
  const std::string batch_;
  std::string line_;
  bool skipping_ = false;  // the line is too long
  bool complete_ = true;   // every line could be read
  std::map<std::string, dialect::Usage> by_model_;
  json::Document document_;
};

}  // namespace weir::gateway
