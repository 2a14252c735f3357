#include "fleet/sink.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "fleet/urgent.h"

namespace weir::fleet {

namespace {

constexpr Nanoseconds kRetryFirst = std::chrono::seconds(1);
constexpr Nanoseconds kRetryMost = std::chrono::seconds(60);

}  // namespace

Sink::Sink(net::Loop& loop, Feed& feed, SinkOptions options)
    : loop_(loop),
      feed_(feed),
      options_(std::move(options)),
      news_(loop),
      subscription_(feed.subscribe([this](const News& news) { on_news(news); })),
      tasks_(loop) {
  for (const std::string& service : options_.services) seen_[service] = feed.view(service);
}

void Sink::start() {
  tasks_.spawn(run());
}

void Sink::on_news(const News& news) {
  for (const std::string& service : news.changed) {
    const auto seen = seen_.find(service);
    if (seen == seen_.end()) continue;
    auto view = feed_.view(service);
    urgent_ = urgent_ || (view && seen->second && urgent_change(*seen->second, *view));
    seen->second = std::move(view);
    dirty_ = true;
  }
  if (dirty_) news_.set();
}

void Sink::complain(std::string_view event, std::string_view text) {
  std::string& last = complaints_[std::string(event)];
  if (last == text) return;
  last = text;
  if (text.empty()) return;
  log::warn(event, {{"sink", options_.kind}, {"name", options_.name}, {"problem", text}});
}

std::string Sink::unknown_services() const {
  std::string out;
  for (const std::string& service : options_.services) {
    if (feed_.view(service)) continue;
    out += (out.empty() ? "no such service: " : ", ") + service;
  }
  return out;
}

net::Task<void> Sink::run() {
  Nanoseconds retry = kRetryFirst;
  while (true) {
    if (!dirty_) {
      news_.reset();
      static_cast<void>(co_await news_.wait_for(options_.resync));
    }
    dirty_ = false;
    urgent_ = false;
    if (options_.held && options_.held()) continue;
    complain("sink_services_unknown", unknown_services());
    ++counters_.rounds;
    const Result<void> went = co_await round();
    if (went) {
      retry = kRetryFirst;
      if (!std::exchange(counters_.up, true)) {
        log::info("sink_back", {{"sink", options_.kind}, {"name", options_.name}});
      }
      // Until the interval has passed only what is urgent ends the wait.
      const net::Deadline next = loop_.deadline_in(options_.interval);
      while (!urgent_ && loop_.now() < next) {
        news_.reset();
        static_cast<void>(co_await news_.wait_for(next - loop_.now()));
      }
      continue;
    }
    ++counters_.failures;
    if (std::exchange(counters_.up, false)) {
      log::warn(
          "sink_down",
          {{"sink", options_.kind}, {"name", options_.name}, {"error", went.error().message()}});
    }
    dirty_ = true;
    const net::Deadline next = loop_.deadline_in(retry);
    retry = std::min(retry * 2, kRetryMost);
    while (loop_.now() < next) {
      news_.reset();
      static_cast<void>(co_await news_.wait_for(next - loop_.now()));
    }
  }
}

}  // namespace weir::fleet
