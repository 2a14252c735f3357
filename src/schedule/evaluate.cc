// One second of evaluation: what the peers do (gather), what that makes of each endpoint (judge).
// Everything that happens to a quiet endpoint happens in judge_group's loop; whatever is rarer is
// in attend.cc.
#include <algorithm>
#include <cmath>

#include "schedule/scheduler.h"

namespace weir::schedule {
namespace {

constexpr float kPoolMemory = 1.0F / 60;
constexpr float kPoolPrior = 1000;  // requests at the floor rate that are taken for granted
constexpr float kBurstMemory = 1.0F / 300;
constexpr float kBurstMost = 10;
constexpr uint32_t kPeersLeast = 5;  // fewer active ones, and the whole service is the peers
constexpr float kBaselineDoubt = 4;
constexpr uint32_t kLearnFirst = 10;      // seconds of baseline before it accuses
constexpr float kShiftMemory = 0.2F;      // of a span's shift, a second
constexpr float kShiftMemoryCut = 0.5F;   // ... of an endpoint that is cut or coming back
constexpr float kHeardRate = 4;           // requests a second that make a silent second unlikely
constexpr uint32_t kGroupLeast = 3;       // active endpoints whose median speaks for a group
constexpr float kGroupFloor = 10;         // times the trickle that one endpoint would keep
constexpr uint32_t kGroupRequests = 200;  // a group's second counts as no more than this

struct Seen {
  uint32_t requests;
  uint32_t errors;
  uint32_t ln_sum;
};

// The callers' view, or the endpoint's own where nobody calls in.
Seen seen(const Cell& cell) {
  if (cell.requests > 0 || cell.server_requests == 0)
    return {cell.requests, cell.errors, cell.ln_latency};
  return {cell.server_requests, cell.server_errors, cell.server_ln};
}

float mean_ln(uint32_t sum, uint32_t count) {
  return static_cast<float>(sum) / (static_cast<float>(kLnUnit) * static_cast<float>(count));
}

// Most rates are zero, and then so is their median.
float median_rate(std::vector<float>& rates) {
  size_t zeros = 0;
  for (const float rate : rates) zeros += rate == 0 ? 1 : 0;
  return zeros * 2 >= rates.size() ? 0 : lower_median(rates);
}

}  // namespace

void Scheduler::evaluate() {
  ++closed_;
  ++counters_.seconds;
  counters_.reporters_set_aside += reporters_.close(closed_);
  threshold_ = evidence_threshold(store_.endpoints(), policy_);
  uint32_t& oldest = cuts_by_second_[closed_ % cuts_by_second_.size()];
  cuts_in_minute_ -= oldest;
  oldest = 0;
  if (!pins_.empty()) expire_pins();
  for (ServiceId id = 0; id < store_.services.size(); ++id) evaluate_service(id);
  reports_[closed_ % kOpenSeconds].clear();
}

void Scheduler::gather(Group& group, const std::vector<Cell>& cells) {
  const Columns& columns = store_.columns;
  const float calm = threshold_ / 4;
  group.active = group.failing = 0;
  group.requests = group.errors = 0;
  group.utilization_sum = 0;
  group.utilization_known = 0;
  uint64_t calm_requests = 0;
  uint64_t calm_errors = 0;
  const float p = std::max(group.pool, policy_.error_floor);
  float burst = 0;  // sum of the standardized squared excess of errors
  uint32_t calm_count = 0;
  for (uint32_t i = group.first; i < group.first + group.size; ++i) {
    const Cell& cell = cells[i];
    const auto [n, k, ln] = seen(cell);
    if (cell.utilization != kUtilizationUnknown && columns.course[i].health >= 0.5F) {
      group.utilization_sum += static_cast<float>(cell.utilization) / 100;
      ++group.utilization_known;
    }
    if (n == 0) continue;
    const float rate = k == 0 ? 0 : static_cast<float>(k) / static_cast<float>(n);
    rates_.push_back(rate);
    ++group.active;
    group.requests += n;
    group.errors += k;
    if (rate >= policy_.incident_errors) ++group.failing;
    if (columns.learned[i] > 0) {
      if (n > k) shifts_[0].push_back(mean_ln(ln, n - k) - columns.spans[0][i].baseline);
      if (cell.streams > 0) {
        shifts_[1].push_back(mean_ln(cell.ln_ttft, cell.streams) - columns.spans[1][i].baseline);
        shifts_[2].push_back(mean_ln(cell.ln_itl, cell.streams) - columns.spans[2][i].baseline);
      }
    }
    // What is cut has its evidence spent, and is no measure of what is usual.
    if (columns.evidence[i] < calm && columns.course[i].phase == Phase::steady) {
      calm_requests += n;
      calm_errors += k;
      ++calm_count;
      const float expected = static_cast<float>(n) * p;
      const float excess = static_cast<float>(k) - expected;
      burst += k == 0 ? expected / (1 - p) : excess * excess / (expected * (1 - p));
    }
  }
  if (calm_requests > 0) {
    group.pool_requests += static_cast<float>(calm_requests) - group.pool_requests * kPoolMemory;
    group.pool_errors += static_cast<float>(calm_errors) - group.pool_errors * kPoolMemory;
    // Where there is little traffic, one error must not pass for the usual rate.
    group.pool =
        (group.pool_errors + kPoolPrior * policy_.error_floor) / (group.pool_requests + kPoolPrior);
    const float now = std::min(burst / static_cast<float>(calm_count), 4 * kBurstMost);
    group.overdispersion = std::clamp(
        group.overdispersion + (now - group.overdispersion) * kBurstMemory, 1.0F, kBurstMost);
  }
}

void Scheduler::gather_service(Service& service, const std::vector<Cell>& cells) {
  const auto medians = [this](auto& rate, auto& shift) {
    rate = median_rate(rates_);
    for (size_t s = 0; s < kSpans; ++s) shift[s] = median(shifts_[s]);
  };
  const auto forget = [this] {
    rates_.clear();
    for (auto& shift : shifts_) shift.clear();
  };
  service.active = 0;
  float utilization = 0;
  uint32_t known = 0;
  uint32_t failing = 0;
  bool any_small = false;
  for (const GroupId id : service.groups) {
    Group& group = store_.groups[id];
    forget();
    gather(group, cells);
    medians(group.rate_median, group.shift_median);
    service.active += group.active;
    failing += group.failing;
    utilization += group.utilization_sum;
    known += group.utilization_known;
    any_small |= group.active < kPeersLeast;
  }
  service.utilization = known * 2 >= std::max<uint32_t>(service.endpoints, 1)
                            ? utilization / static_cast<float>(known)
                            : 0;
  forget();
  if (service.groups.size() > 1) {
    // The middle group, counting all: half of the groups may be sick.
    for (const GroupId id : service.groups) {
      const Group& group = store_.groups[id];
      if (group.active == 0) continue;
      rates_.push_back(group.rate_median);
      shifts_[0].push_back(group.shift_median[0]);
    }
    service.group_rate_median = lower_median(rates_);
    service.group_shift_median = median(shifts_[0]);
    forget();
  }
  if (service.groups.size() == 1) {
    service.rate_median = store_.groups[service.groups[0]].rate_median;
    service.shift_median = store_.groups[service.groups[0]].shift_median;
  } else {
    // Small groups are measured against all endpoints of the service, large ones stand for
    // themselves.
    for (const GroupId id : service.groups) {
      const Group& group = store_.groups[id];
      if (!any_small) {
        rates_.push_back(group.rate_median);
        for (size_t s = 0; s < kSpans; ++s) shifts_[s].push_back(group.shift_median[s]);
        continue;
      }
      for (uint32_t i = group.first; i < group.first + group.size; ++i) {
        const auto [n, k, ln] = seen(cells[i]);
        if (n == 0) continue;
        rates_.push_back(static_cast<float>(k) / static_cast<float>(n));
        if (store_.columns.learned[i] == 0) continue;
        const auto& spans = store_.columns.spans;
        if (n > k) shifts_[0].push_back(mean_ln(ln, n - k) - spans[0][i].baseline);
        if (const uint32_t streams = cells[i].streams; streams > 0) {
          shifts_[1].push_back(mean_ln(cells[i].ln_ttft, streams) - spans[1][i].baseline);
          shifts_[2].push_back(mean_ln(cells[i].ln_itl, streams) - spans[2][i].baseline);
        }
      }
    }
    medians(service.rate_median, service.shift_median);
  }
  service.incident =
      service.active >= 3 && (failing * 2 > service.active ||
                              service.shift_median[0] > std::log(policy_.incident_latency));
}

Scheduler::Peers Scheduler::peers_of(const Service& service, const Group& group) const {
  Peers peers;
  float rate = 0;
  if (group.active >= kPeersLeast) {
    rate = group.rate_median;
    peers.shift = group.shift_median;
    peers.count = static_cast<uint16_t>(std::min<uint32_t>(group.active - 1, 0xffff));
  } else if (service.active >= 2) {
    rate = service.rate_median;
    peers.shift = service.shift_median;
    peers.count = static_cast<uint16_t>(std::min<uint32_t>(service.active - 1, 0xffff));
  }
  peers.errors = error_test(std::max(group.pool, rate), group.overdispersion, policy_);
  return peers;
}

// One second of a latency test. True if it taught the baseline something.
bool Scheduler::judge_span(SpanState& span, float value, float count, uint16_t learned, bool calm,
                           float memory) const {
  const float limit = 2 * span_threshold();
  if (learned == 0) span.baseline = value;
  const float excess = value - span.baseline;
  const float variance = span.variance / count + policy_.latency_wobble * policy_.latency_wobble;
  const float z =
      std::clamp(excess / std::sqrt(variance), -policy_.latency_clip, policy_.latency_clip);
  span.shift += (excess - span.shift) * memory;
  if (learned >= kLearnFirst) {
    // A young baseline is itself off by one over the root of its seconds. Among many endpoints some
    // are off by four times that, and must not be taken for slow.
    const float young = kBaselineDoubt / std::sqrt(static_cast<float>(learned));
    span.evidence = std::clamp(span.evidence + z - policy_.latency_drift - young, 0.0F, limit);
  }
  if (!calm || span.evidence >= limit / 8) return false;
  const float rate =
      1.0F / static_cast<float>(std::min<uint32_t>(learned + 1U, policy_.learn_seconds));
  span.baseline += excess * rate;
  // A single second may not teach more than three standard deviations.
  const float square = std::min(count * excess * excess, 9 * (span.variance + 0.01F));
  span.variance = std::max(
      0.01F, span.variance + (square - span.variance) * std::clamp(rate, 1.0F / 64, 1.0F / 16));
  return true;
}

void Scheduler::judge_spans(uint32_t slot, const Cell& cell, uint32_t successes, uint32_t ln_sum,
                            const Peers& peers) {
  Columns& columns = store_.columns;
  const bool steady = columns.course[slot].phase == Phase::steady;
  const bool calm = steady && columns.evidence[slot] < threshold_ / 4;
  // What was cut is heard of seldom: what it was like before must not hold it down for long.
  const float memory = steady ? kShiftMemory : kShiftMemoryCut;
  uint16_t& learned = columns.learned[slot];
  bool learns = false;
  if (successes > 0)
    learns = judge_span(columns.spans[0][slot], mean_ln(ln_sum, successes) - peers.shift[0],
                        static_cast<float>(successes), learned, calm, memory);
  if (cell.streams > 0) {
    const auto streams = static_cast<float>(cell.streams);
    for (size_t s = 1; s < kSpans; ++s) {
      SpanState& span = columns.spans[s][slot];
      const uint32_t sum = s == 1 ? cell.ln_ttft : cell.ln_itl;
      // An endpoint may have been known for long before its first stream.
      const bool first = span.baseline == 0;
      learns |= judge_span(span, mean_ln(sum, cell.streams) - peers.shift[s], streams,
                           first ? uint16_t{0} : learned, calm, memory);
    }
  }
  if (learns && learned < 0xffff) ++learned;
}

// A call made only to see counts as a request for the error test, and for nothing else: it is too
// small to be compared by what it took.
void Scheduler::judge_probe(uint32_t slot, const Cell& cell, const Peers& peers) {
  Columns& columns = store_.columns;
  const bool failed = (cell.marks & kMarkProbeFailed) != 0;
  const float llr = failed ? peers.errors.failed : peers.errors.succeeded;
  columns.evidence[slot] = std::clamp(columns.evidence[slot] + llr, 0.0F, 2 * threshold_);
  columns.recent[slot] += 1;
  columns.recent_bad[slot] += failed ? 1.0F : 0.0F;
  if (!failed) columns.silence[slot] = 0;
  columns.flags[slot] |= kBusy;
}

void Scheduler::judge_group(GroupId id, std::vector<Cell>& cells) {
  Group& group = store_.groups[id];
  Service& service = store_.services[group.service];
  Columns& columns = store_.columns;
  const Peers peers = peers_of(service, group);
  const float evidence_most = 2 * threshold_;
  float level = 0;
  uint32_t levels = 0;
  for (uint32_t i = group.first; i < group.first + group.size; ++i) {
    Cell& cell = cells[i];
    uint8_t& flags = columns.flags[i];
    const auto [n, k, ln] = seen(cell);
    bool look = (flags & kBusy) != 0 || cell.marks != 0;
    if (n > 0) {
      const auto requests = static_cast<float>(n);
      const auto errors = static_cast<float>(k);
      columns.rate[i] += (requests - columns.rate[i]) * 0.1F;
      columns.silence[i] = 0;
      columns.recent[i] = columns.recent[i] * 0.8F + requests;
      columns.recent_bad[i] = columns.recent_bad[i] * 0.8F + errors;
      const float llr = errors * peers.errors.failed + (requests - errors) * peers.errors.succeeded;
      columns.evidence[i] = std::clamp(columns.evidence[i] + llr, 0.0F, evidence_most);
      if (flags & kWarmed) {
        judge_spans(i, cell, n - k, ln, peers);
        if (columns.learned[i] >= kLearnFirst) {
          level += columns.spans[0][i].baseline;
          ++levels;
        }
      }
      Window& window = columns.window[i];
      window.requests += n;
      window.errors += k;
      window.ln_sum += static_cast<float>(ln) / kLnUnit;
      window.consecutive =
          k == n ? saturating_add16(window.consecutive, k) : static_cast<uint16_t>(0);
      look |= columns.evidence[i] > threshold_ || columns.spans[0][i].evidence > span_threshold() ||
              columns.spans[1][i].evidence > span_threshold() ||
              columns.spans[2][i].evidence > span_threshold();
      if (k >= policy_.gross_requests && k * 10 >= n * 9) look = true;
    } else if (!cell.empty() && cell.inflight > 0) {
      columns.silence[i] = std::min(columns.silence[i] + columns.rate[i], evidence_most);
      look |= columns.silence[i] > threshold_;
    }
    if ((cell.marks & (kMarkProbeAnswered | kMarkProbeFailed)) != 0) judge_probe(i, cell, peers);
    if (columns.rate[i] >= kHeardRate) {
      ++service.expected;
      if (!cell.empty()) ++service.expected_heard;
      // What is heard of no more is expected no more, after a while.
      if (cell.empty()) columns.rate[i] *= 0.9F;
    }
    if (cell.accuser != kNobody || (flags & kDisputed)) weigh_accusation(i, cell);
    look |= cell.throttled > 0 || cell.budget != kBudgetUnknown ||
            cell.utilization != kUtilizationUnknown ||
            (columns.window[i].verdicts && service.options.detector != Detector::sequential);
    if (look) attend(id, i, cell, peers);
    cell = Cell{};
  }
  if (levels > 0) group.level = level / static_cast<float>(levels);
  if ((closed_ + id) % 10 == 0) classic_rules(group);
}

void Scheduler::judge_whole_group(Service& service, GroupId id) {
  Group& group = store_.groups[id];
  if (group.course.phase != Phase::steady) ++service.unsteady;
  const bool steady = group.course.phase == Phase::steady;
  if (group.active == 0 || (group.active < kGroupLeast && steady)) return;
  const ErrorTest test = error_test(service.group_rate_median, group.overdispersion, policy_);
  const auto n = static_cast<float>(std::min<uint64_t>(group.requests, kGroupRequests));
  // At the floor few of its endpoints are seen in a second: then all of their requests count.
  const float rate = group.active >= kGroupLeast
                         ? group.rate_median
                         : static_cast<float>(group.errors) / static_cast<float>(group.requests);
  const float k = n * rate;
  const float llr = k * test.failed + (n - k) * test.succeeded;
  group.evidence = std::clamp(group.evidence + llr, 0.0F, 2 * threshold_);
  const bool calm = steady && group.evidence < threshold_ / 4;
  const float moved = group.shift_median[0] - service.group_shift_median;
  if (judge_span(group.span, moved, 1, group.learned, calm, kShiftMemory) && group.learned < 0xffff)
    ++group.learned;
  const float excess = group.span.shift;

  const bool failing = group.evidence > threshold_ && rate > test.p0 + policy_.incident_errors;
  const bool slow =
      group.span.evidence > span_threshold() && excess > std::log(policy_.latency_ratio);
  if (failing || slow) {
    const float severity =
        std::max(group.evidence / threshold_, group.span.evidence / span_threshold());
    wanted_groups_.push_back({id,
                              {.cause = failing ? Cause::gross : Cause::latency,
                               .severity = severity,
                               .bad_rate = rate,
                               .rate = static_cast<float>(group.requests) / kGroupFloor}});
    return;
  }
  const bool by_latency = group.course.cause == Cause::latency;
  const ErrorTest against =
      error_test_between(test.p0, std::max(test.p1, group.course.bad_rate * 0.8F));
  float good = -(k * against.failed + (n - k) * against.succeeded) / group.overdispersion;
  if (by_latency) good = std::min(good, 0.0F) + (excess < 0.2F ? 1.0F : -1.0F);
  const float before = group.course.health;
  if (group.course.recover(std::min(good, 2.0F), excess < 0.2F, closed_, policy_)) {
    group.evidence = group.span.evidence = 0;
    if (group.course.health >= 1) ++counters_.recoveries;
  }
  if (group.course.health != before) publish_group(id, Reason::recovered, level_of(service, id));
}

void Scheduler::evaluate_service(ServiceId id) {
  Service& service = store_.services[id];
  std::vector<Cell>& cells = store_.cells[closed_ % kOpenSeconds];
  service.unsteady = service.expected = service.expected_heard = 0;
  service.warming_before = service.warming;
  service.warming = 0;
  gather_service(service, cells);
  wanted_.clear();
  wanted_groups_.clear();
  for (const GroupId group : service.groups) judge_group(group, cells);
  if (service.groups.size() > 1)
    for (const GroupId group : service.groups) judge_whole_group(service, group);
  apply_cuts(id);
}

}  // namespace weir::schedule
