// TestWorld: a whole gateway in one thread for tests: manual clock, in-memory clients, and
// providers that do exactly what a script says. Requests are raw HTTP bytes, so that tests see what
// a client would see; ledger rows are read back from a real store in a directory of its own.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json/document.h"
#include "gateway/stages.h"
#include "http/server.h"
#include "ledger/log_reader.h"
#include "net/memory_stream.h"
#include "state/keeper.h"
#include "store/temporary_directory.h"

namespace weir::gateway {

// One answer of a scripted provider, after it has read a whole request.
struct Scripted {
  enum class End : uint8_t { keep, close, reset, hang };
  std::vector<std::string> pieces;  // written one loop turn apart
  End end = End::keep;
  Milliseconds before{0};   // silence before the first piece
  Milliseconds between{0};  // silence between pieces
};

// An answer with a content-length, and a stream in chunked framing with its end.
Scripted json_answer(int status, std::string_view body, std::string_view headers = {});
Scripted sse_answer(const std::vector<std::string>& data, bool done = true);
// Only the head of a stream and these events: without an end.
Scripted sse_begin(const std::vector<std::string>& data, Scripted::End end);
std::string chunk(std::string_view bytes);

struct Answer {
  int status = 0;      // 0: no head came
  std::string head;    // with its first line
  std::string body;    // de-chunked
  bool whole = false;  // the framing ended regularly
  std::string header(std::string_view name) const;
};

class TestWorld : private Clients {
 public:
  TestWorld();
  ~TestWorld() override;

  // Providers, by account name: an account "up" is reached at host "up". Each request takes the
  // next script; when none is left, the last one again.
  provider::Account& account(const std::string& name, provider::Kind kind = provider::Kind::openai);
  void script(const std::string& account, Scripted answer);
  // Forgets its scripts; the next request needs a new one.
  void clear(const std::string& account) { upstreams_[account].scripts.clear(); }
  void refuse(const std::string& account, Error error);
  void black_hole(const std::string& account);
  // Everything that account was sent: raw requests in order.
  const std::vector<std::string>& requests(const std::string& account);
  std::string last_body(const std::string& account);

  // Adds a model whose deployments are ACCOUNT[/MODEL] of the accounts made before.
  Model& model(const std::string& name, const std::vector<std::string>& deployments);
  const provider::Deployment& deployment(const std::string& model, size_t index = 0);
  // How often that deployment failed as a sick one does, in this second of the worker's traffic.
  uint32_t failures(const std::string& model, size_t index = 0) {
    return worker_->traffic.sample(deployment(model, index).state->index).errors;
  }
  // The next generation of the same, as a reload makes it.
  void reload();
  void set_priority(const std::string& model, size_t index, uint32_t priority);
  Snapshot& snapshot() { return *snapshot_; }
  Worker& worker() { return *worker_; }
  net::Loop& loop() { return loop_; }

  // Sends raw bytes and runs the loop until the answer is whole, the connection ends, or nothing
  // moves any more; time jumps from timer to timer.
  Answer send(std::string_view raw);
  Answer post(std::string_view path, std::string_view body, std::string_view headers = {});
  // A connection under the test's own control.
  std::unique_ptr<net::MemoryStream> connect();
  std::string read_all(net::MemoryStream& stream);
  void advance(Milliseconds by) { loop_.advance(by); }
  // Drains the server: what still runs after `patience` is cut.
  void drain(Milliseconds patience);
  // Ends the server as a process that stops at once does: requests are destroyed where they stand.
  void stop() { server_.reset(); }

  // What is kept between requests, as a restart would find it.
  void reopen_keeper(state::Options options = {});
  state::Keeper& keeper() { return *keeper_; }

  // The ledger's newest row; fails the test where there is none.
  ledger::RequestRow last_row();
  std::vector<ledger::RequestRow> rows();

 private:
  struct Upstream {
    std::deque<Scripted> scripts;
    std::vector<std::string> requests;
  };
  http::Client& client(const provider::Transport& transport) override;
  void open(const std::string& account);
  static net::Task<void> serve_script(TestWorld& world, std::string account,
                                      std::unique_ptr<net::MemoryStream> stream);

  ManualClock clock_;
  SystemClock system_clock_;
  net::Loop loop_;
  net::MemoryNetwork network_;
  http::Client client_;
  store::TemporaryDirectory directory_;
  std::unique_ptr<ledger::RequestLog> log_;
  std::unique_ptr<state::Keeper> keeper_;
  std::shared_ptr<Snapshot> snapshot_;
  std::map<std::string, std::shared_ptr<provider::Account>> accounts_;
  std::map<std::string, Upstream> upstreams_;
  uint32_t states_ = 0;
  std::unique_ptr<Worker> worker_;
  std::unique_ptr<http::Server> server_;
};

}  // namespace weir::gateway
