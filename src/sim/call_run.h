// CallRun: one call to the simulator from its head to its record: read, identify, decide (script,
// keys, limits), answer, account. Lives in the frame of the server's handler; the record is written
// when it goes, however the call ended. One loop, one thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/json/document.h"
#include "dialect/conversation.h"
#include "http/exchange.h"
#include "sim/route.h"
#include "sim/sender.h"
#include "sim/simulator_impl.h"
#include "sim/small_answers.h"

namespace weir::sim {

class CallRun {
 public:
  CallRun(Simulator::Impl& sim, http::ServerExchange& exchange);
  ~CallRun();
  CallRun(const CallRun&) = delete;
  CallRun& operator=(const CallRun&) = delete;

  net::Task<void> run();

 private:
  // False when the body could not be had; the answer is on its way then.
  net::Task<bool> read_body();
  void identify();
  void find_key();
  // Reads the JSON and, where there is one, the conversation. What is wrong with it, if anything.
  std::optional<dialect::ApiError> parse();
  std::optional<dialect::ApiError> unwrap();
  std::optional<dialect::ApiError> check_signature() const;
  Result<dialect::Conversation> read_conversation() const;
  std::optional<dialect::ApiError> check_request() const;
  std::optional<dialect::ApiError> check_key() const;
  std::optional<dialect::ApiError> check_limits();
  void pick_rule();

  net::Task<void> answer();
  net::Task<void> answer_fault();
  net::Task<void> answer_raw();
  net::Task<void> answer_model();
  net::Task<void> answer_count();
  net::Task<void> answer_other();
  net::Task<void> answer_stored(struct StoreAnswer stored);
  net::Task<void> send_small(Result<SmallAnswer> small);
  // By value: the frame outlives the caller's.
  net::Task<void> send_error(dialect::ApiError error, HeaderFields fields = {});

  AnswerHead head(int status = 200) const;
  dialect::Dialect error_dialect() const;
  void add_error_type(AnswerHead& head, const dialect::ApiError& error) const;
  std::string_view stream_type() const;
  Latency latency() const;
  dialect::Reply make_reply(const dialect::Conversation& conversation) const;
  std::unique_ptr<dialect::StreamWriter> stream_writer(const dialect::Reply& reply) const;
  std::string whole_body(const dialect::Reply& reply) const;
  std::string request_id() const;
  void forget_request();
  void settle();

  Simulator::Impl& sim_;
  http::ServerExchange& exchange_;
  Route route_;
  Call call_;
  std::string key_;
  bool bearer_ = false;
  std::string body_;
  std::string signed_body_;  // as it came, for its signature
  json::Document document_;
  std::optional<dialect::Conversation> conversation_;
  std::string user_text_;
  bool stream_usage_ = false;
  std::shared_ptr<const Rule> rule_;
  std::optional<ScriptedReply> filled_;  // the rule's reply with what it took from the call
  HeaderFields limit_headers_;
  std::optional<Sender> sender_;
};

}  // namespace weir::sim
