#include "gateway/test_world.h"

#include <fmt/format.h>

#include "base/encoding.h"

namespace weir::gateway {
namespace {

// 2026-06-01: after the dates of the prices that tests rely on.
constexpr int64_t kStartMs = 1'780'272'000'000;

// The length of the first whole message in `text`, 0 when there is none.
size_t message_size(std::string_view text) {
  const size_t head = text.find("\r\n\r\n");
  if (head == std::string_view::npos) return 0;
  const size_t body = head + 4;
  const std::string_view fields = text.substr(0, body);
  if (const size_t at = fields.find("content-length: "); at != std::string_view::npos) {
    const size_t length = std::stoul(std::string(fields.substr(at + 16)));
    return text.size() >= body + length ? body + length : 0;
  }
  if (fields.find("transfer-encoding: chunked") != std::string_view::npos) {
    const size_t end = text.find("0\r\n\r\n", body);
    return end == std::string_view::npos ? 0 : end + 5;
  }
  return body;
}

Answer parse_answer(std::string_view raw) {
  Answer answer;
  const size_t head = raw.find("\r\n\r\n");
  if (head == std::string_view::npos) return answer;
  answer.head = raw.substr(0, head + 4);
  answer.status = std::stoi(std::string(raw.substr(9, 3)));
  std::string_view rest = raw.substr(head + 4);
  if (answer.header("transfer-encoding") != "chunked") {
    answer.body = rest;
    const std::string length = answer.header("content-length");
    answer.whole = !length.empty() && std::stoul(length) == rest.size();
    return answer;
  }
  while (true) {
    const size_t line = rest.find("\r\n");
    if (line == std::string_view::npos) return answer;
    const size_t size = std::stoul(std::string(rest.substr(0, line)), nullptr, 16);
    rest.remove_prefix(line + 2);
    if (size == 0) {
      answer.whole = rest.starts_with("\r\n");
      return answer;
    }
    if (rest.size() < size + 2) return answer;
    answer.body += rest.substr(0, size);
    rest.remove_prefix(size + 2);
  }
}

}  // namespace

std::string chunk(std::string_view bytes) {
  return fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes);
}

Scripted json_answer(int status, std::string_view body, std::string_view headers) {
  return {.pieces = {fmt::format("HTTP/1.1 {} X\r\ncontent-type: application/json\r\n"
                                 "content-length: {}\r\n{}\r\n{}",
                                 status, body.size(), headers, body)}};
}

Scripted sse_begin(const std::vector<std::string>& data, Scripted::End end) {
  Scripted answer;
  answer.pieces.emplace_back(
      "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n");
  for (const std::string& event : data) answer.pieces.push_back(chunk("data: " + event + "\n\n"));
  answer.end = end;
  return answer;
}

Scripted sse_answer(const std::vector<std::string>& data, bool done) {
  Scripted answer = sse_begin(data, Scripted::End::keep);
  if (done) answer.pieces.push_back(chunk("data: [DONE]\n\n"));
  answer.pieces.emplace_back("0\r\n\r\n");
  return answer;
}

std::string Answer::header(std::string_view name) const {
  const std::string line = "\r\n" + std::string(name) + ": ";
  const size_t at = head.find(line);
  if (at == std::string::npos) return {};
  const size_t begin = at + line.size();
  return head.substr(begin, head.find("\r\n", begin) - begin);
}

TestWorld::TestWorld()
    : clock_(kStartMs),
      loop_(clock_),
      network_(loop_),
      client_(loop_, network_),
      snapshot_(new Snapshot()) {
  // Zero means "did not happen" in the records of an exchange.
  loop_.advance(Milliseconds(1));
  ledger::LogOptions options;
  options.data_dir = directory_.path();
  options.retention_days = 0;  // the manual clock lives in the past
  options.commit_interval = Milliseconds(1);
  auto log = ledger::RequestLog::open(options, system_clock_);
  if (!log) ADD_FAILURE() << log.error().message();
  log_ = std::move(*log);
  snapshot_->generation = 1;
  auto anonymous = std::make_shared<access::Principal>();
  anonymous->name = "anonymous";
  snapshot_->anonymous = anonymous;
  snapshot_->prices = *ledger::PriceBook::shipped();
  worker_.reset(new Worker{.loop = loop_,
                           .clients = *this,
                           .log = log_->port(0),
                           .ids = IdMaker(0),
                           .random = Random(7),
                           .snapshot = snapshot_});
  reopen_keeper();
  server_ = std::make_unique<http::Server>(
      loop_, http::ServerConfig{},
      [this](http::ServerExchange& exchange) { return serve(*worker_, exchange); });
}

TestWorld::~TestWorld() {
  loop_.destroy_tasks();
}

http::Client& TestWorld::client(const provider::Transport&) {
  return client_;
}

provider::Account& TestWorld::account(const std::string& name, provider::Kind kind) {
  auto made = std::make_shared<provider::Account>();
  made->name = name;
  made->kind = kind;
  made->origin.host = name;
  made->origin.port = 80;
  made->base_path = "/v1";
  made->auth = provider::AuthKind::bearer;
  made->api_key = Secret("sk-provider-secret");
  made->state = std::make_shared<provider::AccountState>();
  accounts_[name] = made;
  snapshot_->accounts.push_back(made);
  network_.listen(name, 80, [this, name](std::unique_ptr<net::MemoryStream> stream) {
    loop_.spawn(serve_script(*this, name, std::move(stream)));
  });
  return *made;
}

void TestWorld::reopen_keeper(state::Options options) {
  options.data_dir = directory_.path();
  options.threaded = false;
  keeper_.reset();
  auto opened = state::Keeper::open(options, clock_);
  if (!opened) ADD_FAILURE() << opened.error().message();
  keeper_ = std::move(*opened);
  worker_->keeper = keeper_.get();
}

void TestWorld::script(const std::string& account, Scripted answer) {
  upstreams_[account].scripts.push_back(std::move(answer));
}
void TestWorld::refuse(const std::string& account, Error error) {
  network_.refuse(account, 80, std::move(error));
}
void TestWorld::black_hole(const std::string& account) {
  network_.black_hole(account, 80);
}

const std::vector<std::string>& TestWorld::requests(const std::string& account) {
  return upstreams_[account].requests;
}

std::string TestWorld::last_body(const std::string& account) {
  const auto& all = upstreams_[account].requests;
  if (all.empty()) return {};
  return all.back().substr(all.back().find("\r\n\r\n") + 4);
}

Model& TestWorld::model(const std::string& name, const std::vector<std::string>& deployments) {
  Model made;
  made.name = name;
  made.slot = static_cast<uint32_t>(snapshot_->models.size());
  std::vector<std::shared_ptr<const provider::Deployment>> list;
  for (const std::string& text : deployments) {
    const size_t slash = text.find('/');
    auto one = std::make_shared<provider::Deployment>();
    one->account = accounts_.at(text.substr(0, slash));
    one->model = slash == std::string::npos ? name : text.substr(slash + 1);
    one->base_model = one->model;
    one->name = one->account->name + "/" + one->model;
    one->slot = states_;
    one->state = std::make_shared<provider::DeploymentState>();
    one->state->index = states_++;
    list.push_back(std::move(one));
  }
  made.pool = provider::Pool(std::move(list));
  auto& models = snapshot_->models;
  const auto at = std::lower_bound(models.begin(), models.end(), name,
                                   [](const Model& m, const std::string& n) { return m.name < n; });
  return *models.insert(at, std::move(made));
}

void TestWorld::reload() {
  auto next = std::make_shared<Snapshot>();
  next->generation = snapshot_->generation + 1;
  next->anonymous = snapshot_->anonymous;
  next->accounts = snapshot_->accounts;
  next->prices = *ledger::PriceBook::shipped();
  next->models = snapshot_->models;
  for (Model& model : next->models) {
    std::vector<std::shared_ptr<const provider::Deployment>> copies;
    for (const auto& one : model.pool.deployments()) {
      copies.push_back(std::make_shared<provider::Deployment>(*one));
    }
    model.pool = provider::Pool(std::move(copies));
  }
  snapshot_ = next;
  worker_->snapshot = next;
}

void TestWorld::set_priority(const std::string& model, size_t index, uint32_t priority) {
  const auto at = std::find_if(snapshot_->models.begin(), snapshot_->models.end(),
                               [&](const Model& one) { return one.name == model; });
  const auto old = at->pool.deployments();
  std::vector<std::shared_ptr<const provider::Deployment>> list(old.begin(), old.end());
  auto changed = std::make_shared<provider::Deployment>(*list[index]);
  changed->priority = priority;
  list[index] = std::move(changed);
  at->pool = provider::Pool(std::move(list));
}

const provider::Deployment& TestWorld::deployment(const std::string& model, size_t index) {
  return *snapshot_->find_model(model)->pool.deployments()[index];
}

net::Task<void> TestWorld::serve_script(TestWorld& world, std::string account,
                                        std::unique_ptr<net::MemoryStream> stream) {
  std::string received;
  char buffer[16 * 1024];
  while (true) {
    size_t size = message_size(received);
    while (size == 0) {
      const auto got = co_await stream->read(buffer);
      if (!got || *got == 0) co_return;
      received.append(buffer, *got);
      size = message_size(received);
    }
    Upstream& upstream = world.upstreams_[account];
    upstream.requests.push_back(received.substr(0, size));
    received.erase(0, size);
    if (upstream.scripts.empty()) {
      ADD_FAILURE() << "no script for " << account;
      co_return;
    }
    const Scripted answer = upstream.scripts.front();
    if (upstream.scripts.size() > 1) upstream.scripts.pop_front();
    if (answer.before.count() > 0) co_await net::sleep(world.loop_, answer.before);
    bool first = true;
    for (const std::string& piece : answer.pieces) {
      if (!first && answer.between.count() > 0) co_await net::sleep(world.loop_, answer.between);
      first = false;
      const std::string_view bytes = piece;
      if (!co_await stream->write_all({&bytes, 1})) co_return;
    }
    switch (answer.end) {
      case Scripted::End::keep:
        break;
      case Scripted::End::close:
        co_return;
      case Scripted::End::reset:
        // What was sent before shall arrive: a reset loses bytes on the way.
        co_await net::sleep(world.loop_, Milliseconds(1));
        stream->reset();
        co_return;
      case Scripted::End::hang:
        co_await net::sleep(world.loop_, std::chrono::hours(1));
        co_return;
    }
  }
}

std::unique_ptr<net::MemoryStream> TestWorld::connect() {
  auto [ours, theirs] = net::memory_pair(loop_);
  server_->serve_connection(std::move(theirs));
  return std::move(ours);
}

std::string TestWorld::read_all(net::MemoryStream& stream) {
  std::string raw;
  char buffer[16 * 1024];
  while (true) {
    const auto got = stream.try_read(buffer);
    if (got.bytes == 0) return raw;
    raw.append(buffer, got.bytes);
  }
}

void TestWorld::drain(Milliseconds patience) {
  loop_.spawn(server_->drain(patience));
  loop_.advance(patience + Milliseconds(10));
}

Answer TestWorld::send(std::string_view raw) {
  const auto stream = connect();
  loop_.spawn([](net::MemoryStream& to, std::string bytes) -> net::Task<void> {
    const std::string_view piece = bytes;
    (void)co_await to.write_all({&piece, 1});
  }(*stream, std::string(raw)));
  std::string received;
  loop_.run_until(
      [&] {
        received += read_all(*stream);
        return parse_answer(received).whole;
      },
      std::chrono::seconds(10));
  received += read_all(*stream);
  loop_.run_until_idle();
  return parse_answer(received);
}

Answer TestWorld::post(std::string_view path, std::string_view body, std::string_view headers) {
  return send(
      fmt::format("POST {} HTTP/1.1\r\nhost: weir\r\ncontent-type: application/json\r\n"
                  "content-length: {}\r\n{}\r\n{}",
                  path, body.size(), headers, body));
}

std::vector<ledger::RequestRow> TestWorld::rows() {
  if (auto flushed = log_->flush(std::chrono::seconds(10)); !flushed) {
    ADD_FAILURE() << flushed.error().message();
  }
  auto page = ledger::LogReader(directory_.path()).list({});
  if (!page) {
    ADD_FAILURE() << page.error().message();
    return {};
  }
  return std::move(page->rows);
}

ledger::RequestRow TestWorld::last_row() {
  auto all = rows();
  if (all.empty()) {
    ADD_FAILURE() << "the ledger has no row";
    return {};
  }
  return std::move(all.front());
}

}  // namespace weir::gateway
