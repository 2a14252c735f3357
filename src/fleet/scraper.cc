#include "fleet/scraper.h"

#include <utility>

#include "base/log.h"
#include "net/timer.h"

namespace weir::fleet {
namespace {

constexpr Nanoseconds kTimeout = Milliseconds(900);

// An endpoint that comes after another with its number is another target.
uint32_t key_of(uint32_t number, uint8_t tag) {
  return number << 8 | tag;
}

}  // namespace

Scraper::Scraper(net::Loop& loop, http::Client& client, Fleet& fleet, std::vector<ScrapeJob> jobs)
    : loop_(loop), client_(client), fleet_(fleet), tasks_(loop) {
  set_jobs(std::move(jobs));
}

void Scraper::set_jobs(std::vector<ScrapeJob> jobs) {
  jobs_.clear();
  for (ScrapeJob& job : jobs) jobs_.push_back(std::make_shared<const ScrapeJob>(std::move(job)));
}

void Scraper::scrape() {
  ++round_;
  const auto second = static_cast<uint32_t>(loop_.clock().wall_ms() / 1000);
  for (const auto& job : jobs_) {
    const auto service = fleet_.registry().find_service(job->service);
    if (!service) continue;
    for (const auto& [name, number] : fleet_.registry().service(*service).by_name) {
      const uint8_t tag = fleet_.registry().member(number).tag;
      const auto at = targets_.find(key_of(number, tag));
      if (at == targets_.end() && targets_.size() >= kTargetsMost) {
        ++counters_.left_out;
        continue;
      }
      auto& target = at == targets_.end() ? targets_[key_of(number, tag)] : at->second;
      if (target == nullptr) target = std::make_unique<Target>();
      target->round = round_;
      if (target->asking || asking_ >= kAtOnceMost) {
        ++counters_.left_out;
        continue;
      }
      target->asking = true;
      ++asking_;
      tasks_.spawn(ask(job, number, tag, second));
    }
  }
  std::erase_if(targets_, [this](const auto& one) {
    return one.second->round != round_ && !one.second->asking;
  });
}

net::Task<Result<std::string>> Scraper::fetch(std::string host, uint16_t port, std::string path) {
  const http::Origin origin{.host = std::move(host), .port = port};
  http::RequestBuilder builder("GET", path, http::host_field(origin));
  builder.header("accept", "text/plain;version=0.0.4");
  http::ClientRequest request;
  request.head = builder.text();
  request.connect_timeout = kTimeout;
  WEIR_CO_TRY(auto exchange, co_await client_.start(origin, request));
  net::Timer timer(loop_, [&exchange] { exchange->cancel(Error(ErrorCode::timeout)); });
  timer.arm(kTimeout);
  WEIR_CO_TRY(const http::ResponseHead* head, co_await exchange->response());
  if (head->status != 200) co_return fail(ErrorCode::unavailable);
  std::string body;
  while (true) {
    WEIR_CO_TRY(const std::string_view piece, co_await exchange->read_body());
    if (piece.empty()) co_return body;
    body += piece;
    if (body.size() > kBodyMost) co_return fail(ErrorCode::limit_exceeded);
  }
}

net::Task<void> Scraper::ask(std::shared_ptr<const ScrapeJob> job, uint32_t number, uint8_t tag,
                             uint32_t second) {
  const auto info = fleet_.registry().member(number).info;
  const auto text = co_await fetch(info->address, info->port, job->path);
  Target& target = *targets_.at(key_of(number, tag));
  target.asking = false;
  --asking_;
  if (!text) {
    ++counters_.failures;
    co_return;
  }
  const uint64_t broken = target.scraped.broken();
  auto sample = target.scraped.take(*text, job->names);
  if (target.scraped.broken() > broken) {
    ++counters_.broken;
    co_return;
  }
  ++counters_.scrapes;
  if (!sample) co_return;
  const auto reporter = fleet_.reporter("weir-scraper");
  if (!reporter) co_return;
  sample->endpoint = number;
  sample->marks = tag;
  sample->second = second;
  sample->reporter = *reporter;
  (void)fleet_.ingest(*sample);
}

}  // namespace weir::fleet
