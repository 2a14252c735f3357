#include "sim/embedded_provider.h"

#include <fmt/format.h>

#include <thread>

#include "base/clock.h"
#include "net/loop.h"
#include "sim/simulator.h"

namespace weir::sim {
namespace {

// A pace at which a person can watch an answer come.
SimConfig demo_config() {
  SimConfig config;
  config.demo = true;
  config.latency.first_token = std::chrono::milliseconds(250);
  config.latency.token = std::chrono::milliseconds(18);
  config.latency.jitter = 0.3;
  config.calls_max = 1000;
  config.models[EmbeddedProvider::kModel] = {};
  return config;
}

}  // namespace

class EmbeddedProvider::Impl {
 public:
  Impl() : loop_(clock_), simulator_(std::make_unique<Simulator>(loop_, demo_config())) {}

  ~Impl() {
    loop_.stop();
    if (thread_.joinable()) thread_.join();
  }

  Result<void> start() {
    WEIR_TRY(port_, simulator_->listen("127.0.0.1:0"));
    thread_ = std::thread([this] { loop_.run(); });
    return {};
  }

  uint16_t port() const { return port_; }

 private:
  SystemClock clock_;
  net::Loop loop_;
  std::unique_ptr<Simulator> simulator_;
  uint16_t port_ = 0;
  std::thread thread_;
};

EmbeddedProvider::EmbeddedProvider(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

EmbeddedProvider::~EmbeddedProvider() = default;

Result<std::unique_ptr<EmbeddedProvider>> EmbeddedProvider::start() {
  auto impl = std::make_unique<Impl>();
  WEIR_CHECK_OK(impl->start());
  return std::unique_ptr<EmbeddedProvider>(new EmbeddedProvider(std::move(impl)));
}

std::string EmbeddedProvider::endpoint() const {
  return fmt::format("http://127.0.0.1:{}/v1", impl_->port());
}

}  // namespace weir::sim
