#include "gateway/probe.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "base/json/writer.h"
#include "gateway/stages.h"

namespace weir::gateway {
namespace {

using dialect::Dialect;
using provider::Kind;
using provider::Operation;
using provider::ProbeKind;

// What is sent, as a client would.
struct Question {
  std::string_view path;
  std::string body;
};

// What the deployment was last asked for; nothing where nobody asked.
std::optional<Operation> asked_for(const provider::Deployment& deployment) {
  const uint8_t asked = deployment.state->asked.load(std::memory_order_relaxed);
  if (asked == 0) return std::nullopt;
  return static_cast<Operation>(asked - 1);
}

std::optional<Question> question(const Model& model, const provider::Deployment& deployment) {
  const auto operation = asked_for(deployment);
  if (!operation) return std::nullopt;
  const std::string name = json::quoted(model.name);
  switch (*operation) {
    case Operation::generate:
    case Operation::complete:
    case Operation::respond:
    case Operation::count_tokens: {
      // OpenAI's newer models take the one and not the other, other servers may not know it.
      const Kind kind = deployment.account->kind;
      const bool newer = kind == Kind::openai || kind == Kind::azure_openai;
      return Question{
          "/v1/chat/completions",
          fmt::format(R"({{"model":{},"messages":[{{"role":"user","content":"ping"}}],"{}":1}})",
                      name, newer ? "max_completion_tokens" : "max_tokens")};
    }
    case Operation::embed:
      return Question{"/v1/embeddings", fmt::format(R"({{"model":{},"input":"ping"}})", name)};
    case Operation::rerank:
      return Question{"/v1/rerank",
                      fmt::format(R"({{"model":{},"query":"ping","documents":["ping"]}})", name)};
    case Operation::passthrough:
      return std::nullopt;  // images, audio, files: what is cheap there is not known
  }
  return std::nullopt;
}

// The dialect in which an account lists its models by its own API's GET .../models.
std::optional<Dialect> listing(const provider::Account& account) {
  switch (account.kind) {
    case Kind::openai:
    case Kind::azure_openai:
    case Kind::openai_compatible:
      return Dialect::openai_chat;
    case Kind::anthropic:
      return Dialect::anthropic_messages;
    case Kind::gemini:
      return Dialect::gemini;
    case Kind::vertex_ai:
    case Kind::bedrock:
      return std::nullopt;
  }
  return std::nullopt;
}

// A client that is nobody: it has sent the question and takes any answer.
class Nobody final : public http::ServerExchange {
 public:
  Nobody(std::string_view method, std::string_view target, std::string body, Nanoseconds now)
      : body_(std::move(body)), started_(now) {
    head_.method = method;
    head_.target = head_.path = target;
    head_.host = "weir";
    head_.headers.add("content-type", "application/json");
  }
  const http::RequestHead& head() const override { return head_; }
  std::string_view peer() const override { return {}; }
  Nanoseconds started() const override { return started_; }
  std::optional<uint64_t> content_length() const override { return body_.size(); }
  uint64_t body_limit() const override { return limit_; }
  void set_body_limit(uint64_t bytes) override { limit_ = bytes; }
  net::Task<Result<std::string_view>> read_body() override {
    const std::string_view piece = read_ ? std::string_view() : std::string_view(body_);
    read_ = true;
    co_return piece;
  }
  net::Task<Result<void>> respond(const http::ResponseHead&, std::string_view) override {
    responded_ = true;
    co_return Result<void>();
  }
  net::Task<Result<void>> begin(const http::ResponseHead&) override {
    responded_ = true;
    co_return Result<void>();
  }
  net::Task<Result<void>> write(std::span<const std::string_view>) override {
    co_return Result<void>();
  }
  net::Task<Result<void>> write(std::string_view) override { co_return Result<void>(); }
  net::Task<Result<void>> finish() override { co_return Result<void>(); }
  net::Task<Result<void>> finish(const http::HeaderList&) override { co_return Result<void>(); }
  net::Task<Result<void>> flush_head() override { co_return Result<void>(); }
  bool response_started() const override { return responded_; }
  void abort() override {}
  void on_client_gone(std::function<void()>) override {}
  bool client_gone() const override { return false; }
  net::Task<Result<http::Upgraded>> upgrade(const http::ResponseHead&) override {
    co_return fail(ErrorCode::invalid_argument, "nobody asked for an upgrade");
  }

 private:
  http::RequestHead head_;
  std::string body_;
  Nanoseconds started_;
  uint64_t limit_ = UINT64_MAX;
  bool read_ = false;
  bool responded_ = false;
};

// Who asks. No budget of a team or a key pays for it, so it stands by itself.
const access::Principal& prober() {
  static const access::Principal principal = [] {
    access::Principal made;
    made.key_id = made.name = std::string(kProbeKey);
    made.tags = {{"weir", "probe"}};
    made.capture = false;
    return made;
  }();
  return principal;
}

// Settles when the frame goes, by whatever way.
class Settlement {
 public:
  explicit Settlement(Exchange& x) : x_(x) {}
  ~Settlement() {
    x_.worker.counters.body_bytes_held -= x_.body.size();
    settle(x_);
  }
  Settlement(const Settlement&) = delete;
  Settlement& operator=(const Settlement&) = delete;

 private:
  Exchange& x_;
};

const provider::Deployment* find(const Model& model, uint32_t slot) {
  for (const auto& deployment : model.pool.deployments()) {
    if (deployment->slot == slot && deployment->weight > 0) return deployment.get();
  }
  return nullptr;
}

net::Task<void> ask(Exchange& x, const provider::Deployment& deployment) {
  if (!co_await read(x)) co_return;
  net::Timer limit(x.worker.loop, [&x] {
    if (x.upstream != nullptr) x.upstream->cancel({ErrorCode::timeout, "no answer to a probe"});
  });
  limit.arm(kProbeMost);
  note_attempt(x, deployment);
  co_await attempt(x, {&deployment, provider::Choice::probe});
}

}  // namespace

std::string_view to_string(ProbeEnd end) {
  switch (end) {
    case ProbeEnd::answered:
      return "answered";
    case ProbeEnd::failed:
      return "failed";
    case ProbeEnd::unclear:
      return "unclear";
  }
  return {};
}

bool can_probe(const Model& model, const provider::Deployment& deployment) {
  switch (model.probe) {
    case ProbeKind::completion:
      return question(model, deployment).has_value();
    case ProbeKind::list_models:
      return listing(*deployment.account).has_value();
    case ProbeKind::off:
      return false;
  }
  return false;
}

net::Task<void> probe(Worker& worker, ProbeOrder order) {
  const std::shared_ptr<const Snapshot> snapshot = worker.snapshot;
  const Model* model = snapshot->find_model(order.model);
  const provider::Deployment* deployment = model == nullptr ? nullptr : find(*model, order.slot);
  if (deployment == nullptr || !can_probe(*model, *deployment) ||
      provider::parked_until(*deployment) > worker.loop.now()) {
    co_return;
  }
  const bool list = model->probe == ProbeKind::list_models;
  const auto dialect = list ? listing(*deployment->account) : std::nullopt;
  auto asked = list ? std::optional(Question{"/v1/models", {}}) : question(*model, *deployment);
  Nobody nobody(list ? "GET" : "POST", asked->path, std::move(asked->body), worker.loop.now());
  Exchange x(worker, nobody);
  accept(x);
  x.probe = true;
  x.principal = &prober();
  x.asked = x.serving = model;
  x.model_asked = model->name;
  if (list) {
    x.route = {.kind = RouteKind::model_call,
               .operation = Operation::passthrough,
               .dialect = *dialect,
               .error_dialect = *dialect,
               .endpoint = "/models",
               .model = model->name,
               .rest = "/models"};
  }
  const Settlement settlement(x);
  co_await ask(x, *deployment);
  x.walked = true;
}

net::Task<TrialEnd> try_model(Worker& worker, std::shared_ptr<const Snapshot> snapshot) {
  const Model& model = snapshot->models.front();
  const provider::Deployment& deployment = *model.pool.deployments().front();
  deployment.state->asked.store(1 + static_cast<uint8_t>(Operation::generate),
                                std::memory_order_relaxed);
  auto asked = question(model, deployment);
  Nobody nobody("POST", asked->path, std::move(asked->body), worker.loop.now());
  Exchange x(worker, nobody);
  x.snapshot = snapshot;
  accept(x);
  x.probe = true;
  x.principal = &prober();
  x.asked = x.serving = &model;
  x.model_asked = model.name;
  const Settlement settlement(x);
  co_await ask(x, deployment);
  x.walked = true;
  settle(x);
  TrialEnd end{.detail = x.error ? provider::without_secrets(x.error->message, *deployment.account)
                                 : std::string(),
               .request_id = x.id_text};
  if (!x.attempts.empty()) {
    const AttemptRecord& attempt = x.attempts.back();
    end.ok = attempt.failure == provider::FailureClass::none && attempt.status != 0;
    end.status = attempt.status;
    if (!end.ok) end.failure = std::string(provider::to_string(attempt.failure));
    end.input_tokens = attempt.usage.total_input();
    end.output_tokens = attempt.usage.total_output();
    end.cost = attempt.cost;
  }
  co_return end;
}

}  // namespace weir::gateway
