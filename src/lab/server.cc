#include "lab/server.h"

#include <algorithm>
#include <cmath>

namespace weir::lab {
namespace {

constexpr double kColdFactor = 4;      // a cold start is so much slower, and more
constexpr double kColdRequests = 100;  // ... and gets over it after about so many requests
constexpr double kBurstShare = 1;      // of a minute's tokens may be used at once
constexpr double kWarmUpSet = 400;     // requests
constexpr double kRefusal = 0.001;     // seconds until a refused connection is noticed
constexpr double kThrottled = 0.005;

}  // namespace

Server::Server(const ServerShape& shape, std::vector<Fault> faults)
    : shape_(shape), faults_(std::move(faults)), free_at_(shape.workers, 0) {
  bucket_ = shape.tokens_per_minute * kBurstShare;
  usual_ = shape.median_ms / 1000;
}

bool Server::on(const Fault& fault, uint32_t client, double now) const {
  if (now < fault.from || now >= fault.to) return false;
  if (fault.only_client >= 0 && static_cast<uint32_t>(fault.only_client) != client) return false;
  return fault.period == 0 || std::fmod(now - fault.from, fault.period) < fault.period / 2;
}

bool Server::refuses(uint32_t client, double now) const {
  for (const Fault& f : faults_)
    if (f.kind == Fault::Kind::refuse && on(f, client, now)) return true;
  return false;
}

void Server::refill(double now) {
  const double most = shape_.tokens_per_minute * kBurstShare;
  bucket_ = std::min(most, bucket_ + (now - bucket_at_) * shape_.tokens_per_minute / 60);
  bucket_at_ = now;
}

double Server::budget() const {
  if (shape_.tokens_per_minute <= 0) return -1;
  return std::max(0.0, bucket_ / (shape_.tokens_per_minute * kBurstShare));
}

double Server::budget_reset() const {
  if (shape_.tokens_per_minute <= 0) return 0;
  return (1 - budget()) * kBurstShare * 60;
}

Server::Visit Server::visit(uint32_t client, const Request& request, double now,
                            const Draws& draws) {
  ++inflight_;
  ++queries_now_;
  if (refuses(client, now)) return {.ends = now + kRefusal, .ending = Ending::refused};
  if (shape_.tokens_per_minute > 0) {
    refill(now);
    const double tokens = request.prompt + request.answer;
    if (bucket_ < tokens) return {.ends = now + kThrottled, .ending = Ending::throttled};
    bucket_ -= tokens;
  }
  double slow = 1 + (kColdFactor - 1) * std::exp(-served_ / kColdRequests);
  double fails = 0;
  double error_ms = 0;
  auto worker = std::min_element(free_at_.begin(), free_at_.end());
  double start = std::max(now, *worker);
  for (const Fault& f : faults_) {
    if (f.kind == Fault::Kind::errors && on(f, client, now))
      fails = std::max(fails, f.size), error_ms = f.error_ms;
    if (f.kind == Fault::Kind::slow && on(f, client, start)) slow *= f.size;
    if (f.kind == Fault::Kind::pause && start >= f.from && start < f.to) {
      const double phase = std::fmod(start - f.from, f.period);
      if (phase < f.size) start += f.size - phase;
    }
  }
  const bool failed = draws.fails < fails;
  if (failed && error_ms > 0) return {.ends = now + error_ms / 1000, .ending = Ending::error};
  const double normal =
      std::sqrt(-2 * std::log(1 - draws.service)) * std::cos(2 * M_PI * draws.service_angle);
  const double luck = std::exp(shape_.sigma * normal) * slow;
  const double prefill = request.prompt * shape_.prefill_ms_per_token / 1000 * luck;
  const double gap = shape_.decode_ms_per_token / 1000 * luck;
  const double service = shape_.decode_ms_per_token > 0 ? prefill + request.answer * gap
                                                        : shape_.median_ms / 1000 * luck;
  const double end = start + service;
  *worker = end;
  ++served_;
  for (auto second = static_cast<uint64_t>(start);
       static_cast<double>(second) < end &&
       second < static_cast<uint64_t>(start) + kBusySeconds - 4;
       ++second) {
    const auto edge = static_cast<double>(second);
    busy_[second % kBusySeconds] += std::min(end, edge + 1) - std::max(start, edge);
  }
  const bool tokens = shape_.decode_ms_per_token > 0;
  return {.ends = end,
          .ending = failed ? Ending::error : Ending::ok,
          .first_token = tokens ? start + prefill + gap : 0,
          .token_gap = tokens ? gap : 0};
}

void Server::left(double seconds, bool good) {
  --inflight_;
  usual_ += (seconds - usual_) * 0.1;
  if (!good) ++failures_now_;
}

void Server::restart() {
  served_ = 0;
  std::fill(free_at_.begin(), free_at_.end(), 0);
  busy_ = {};
}

double Server::preheat() {
  double seconds = 0;
  for (int i = 0; i < static_cast<int>(kWarmUpSet); ++i, ++served_) {
    const double factor = 1 + (kColdFactor - 1) * std::exp(-served_ / kColdRequests);
    seconds += shape_.median_ms / 1000 * factor / shape_.workers;
  }
  return seconds;
}

double Server::budget_limit() const {
  return shape_.tokens_per_minute * kBurstShare;
}

double Server::utilization(uint64_t second) const {
  return std::min(1.0, busy_[second % kBusySeconds] / shape_.workers);
}

void Server::tick(uint64_t second) {
  const double now = utilization(second);
  recent_ += (now - recent_) * 0.3;
  queries_ += (queries_now_ - queries_) * 0.3;
  failures_ += (failures_now_ - failures_) * 0.3;
  // What nobody asks for long is nobody's idea of slow any more.
  if (queries_now_ == 0) usual_ += (shape_.median_ms / 1000 - usual_) * 0.05;
  queries_now_ = failures_now_ = 0;
  // The slot that lies half a ring back is written again only later.
  busy_[(second + kBusySeconds - 2) % kBusySeconds] = 0;
}

}  // namespace weir::lab
