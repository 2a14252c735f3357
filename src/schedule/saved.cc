#include "schedule/saved.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "schedule/scheduler.h"

namespace weir::schedule {
namespace {

constexpr std::string_view kMagic = "WSS2";
static_assert(std::endian::native == std::endian::little, "saved bytes are little-endian");
static_assert(sizeof(SpanState) == 16 && sizeof(Window) == 16 && sizeof(Course) == 32,
              "columns are saved as they lie in memory, so they must have no gaps");

bool in(float value, float least, float most) {
  return value >= least && value <= most;  // false for what is no number
}

bool sound(const SpanState& s) {
  return in(s.evidence, 0, 1e6F) && in(s.baseline, -100, 100) && in(s.variance, 0, 1e6F) &&
         in(s.shift, -100, 100);
}

bool sound(const Course& c) {
  return c.health > 0 && in(c.health, 0, 1) && in(c.good, 0, 1e6F) && in(c.bad_rate, 0, 1) &&
         in(c.floor, 0, 1) && in(c.full_rate, 0, 1e9F) && c.phase <= Phase::recovering &&
         c.relapses <= 6 && c.cause <= Cause::gross;
}

}  // namespace

class Saved::Out {
 public:
  static constexpr bool kReads = false;
  explicit Out(std::string& bytes) : bytes_(bytes) {}
  template <class T>
  void operator()(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  template <class T>
  void slice(const T* from, size_t count) {
    bytes_.append(reinterpret_cast<const char*>(from), count * sizeof(T));
  }

 private:
  std::string& bytes_;
};

class Saved::In {
 public:
  static constexpr bool kReads = true;
  explicit In(std::string_view bytes) : left_(bytes) {}
  template <class T>
  void operator()(T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    if constexpr (std::is_same_v<T, bool>) {
      uint8_t byte = 0;
      slice(&byte, 1);
      need(byte <= 1);
      value = byte == 1;
    } else {
      slice(&value, 1);
    }
  }
  template <class T>
  void slice(T* into, size_t count) {
    if (!ok_ || left_.size() / sizeof(T) < count) {
      ok_ = false;
      return;
    }
    if (count > 0) std::memcpy(into, left_.data(), count * sizeof(T));
    left_.remove_prefix(count * sizeof(T));
  }
  // A count of things of at least `bytes` each.
  uint32_t count(size_t bytes, uint64_t most) {
    uint32_t n = 0;
    (*this)(n);
    if (n > most || n > left_.size() / bytes) ok_ = false;
    return ok_ ? n : 0;
  }
  void need(bool holds) { ok_ = ok_ && holds; }
  bool ok() const { return ok_; }
  std::string_view left() const { return left_; }

 private:
  std::string_view left_;
  bool ok_ = true;
};

template <class Archive, class Object>
void Saved::fields(Archive& a, Object& o) {
  using Plain = std::remove_const_t<Object>;
  if constexpr (std::is_same_v<Plain, Group>) {
    a(o.service), a(o.first), a(o.size), a(o.capacity), a(o.options.version), a(o.options.zone);
    a(o.options.hardware), a(o.pool), a(o.pool_requests), a(o.pool_errors), a(o.overdispersion);
    a(o.level), a(o.evidence), a(o.span), a(o.learned), a(o.course), a(o.rate_median);
  } else if constexpr (std::is_same_v<Plain, Service>) {
    a(o.options.detector), a(o.options.dry_run), a(o.panic), a(o.denied_since), a(o.gates);
    a(o.load), a(o.warming), a(o.warming_before), a(o.rate_median);
    a(o.group_rate_median), a(o.group_shift_median);
  } else {
    static_assert(std::is_same_v<Plain, Record>);
    a(o.version), a(o.second), a(o.service), a(o.endpoint), a(o.old_weight), a(o.new_weight);
    a(o.reason), a(o.level), a(o.cause), a(o.gates), a(o.counterfactual), a(o.dry_run);
    a(o.peers), a(o.reporters), a(o.flags), a(o.requests), a(o.errors), a(o.peer_rate);
    a(o.evidence), a(o.threshold), a(o.latency_ratio), a(o.health), a(o.warm), a(o.capacity);
    a(o.zone), a(o.probes);
  }
}

void Saved::write(const Scheduler& from, bool open_seconds, std::string& bytes) {
  bytes += kMagic;
  Out out(bytes);
  const Store& store = from.store_;
  out(from.closed_), out(from.breaker_until_), out(from.cuts_by_second_);
  out(static_cast<uint32_t>(store.services.size()));
  for (const Service& service : store.services) {
    fields(out, service);
    out(service.table.version());
  }
  out(static_cast<uint32_t>(store.groups.size()));
  for (const Group& group : store.groups) fields(out, group);
  out(store.used_), out(store.wasted_), out(store.count_);
  out(static_cast<uint32_t>(store.slots_.size()));
  Columns& columns = const_cast<Columns&>(store.columns);  // each() serves both directions
  columns.each([&](auto& column) {
    for (const Group& group : store.groups) out.slice(column.data() + group.first, group.size);
  });
  out(static_cast<uint32_t>(store.freed_.size()));
  for (const Store::Freed& freed : store.freed_) out(freed.id), out(freed.at);
  out(static_cast<uint32_t>(from.pins_.size()));
  for (const auto& [endpoint, pin] : from.pins_) out(endpoint), out(pin.factor), out(pin.expiry);
  out(static_cast<uint32_t>(from.reporters_.all_.size()));
  for (const Reporters::Reporter& r : from.reporters_.all_)
    out(r.last), out(r.aside_until), out(r.reports), out(r.bad), out(r.seen);
  out(from.reporters_.coverage_);

  const uint64_t written = from.journal_.written();
  const auto records = from.journal_.since(written > kRecordsMost ? written - kRecordsMost : 0);
  out(static_cast<uint32_t>(records.size()));
  for (const Record& record : records) fields(out, record);

  out(open_seconds);
  if (!open_seconds) return;
  for (size_t ring = 0; ring < kOpenSeconds; ++ring) {
    uint32_t filled = 0;
    const auto each = [&](const auto& f) {
      for (const Group& group : store.groups)
        for (uint32_t i = group.first; i < group.first + group.size; ++i)
          if (store.cells[ring][i].first != kNobody) f(i);
    };
    each([&filled](uint32_t) { ++filled; });
    out(filled);
    each([&](uint32_t i) { out(i), out(store.cells[ring][i]); });
    const auto keys = from.reports_[ring].keys();
    out(static_cast<uint32_t>(keys.size()));
    out.slice(keys.data(), keys.size());
  }
}

Result<void> Saved::read(std::string_view& bytes, bool same_versions, Scheduler& into) {
  const auto corrupt = [] {
    return fail(ErrorCode::corrupt, "the saved state of the scheduler is not what was written");
  };
  if (!bytes.starts_with(kMagic)) return corrupt();
  In in_(bytes.substr(kMagic.size()));
  In& a = in_;
  Store& store = into.store_;
  const Limits& limits = into.limits_;
  a(into.closed_), a(into.breaker_until_), a(into.cuts_by_second_);
  uint64_t cuts = 0;
  for (const uint32_t n : into.cuts_by_second_) cuts += n;
  a.need(cuts <= limits.endpoints * 64ULL);
  into.cuts_in_minute_ = static_cast<uint32_t>(cuts);

  const uint32_t services = a.count(30, limits.services);
  for (uint32_t s = 0; s < services && a.ok(); ++s) {
    Service service{.options = {}, .groups = {}, .table = Table(0, limits.changes_kept)};
    fields(a, service);
    a.need(service.options.detector <= Detector::consecutive_errors && in(service.load, 0, 1e3F) &&
           in(service.rate_median, 0, 1) && in(service.group_rate_median, 0, 1) &&
           in(service.group_shift_median, -100, 100));
    uint64_t version = 0;
    a(version);
    if (!same_versions) version = std::max(version + 1, into.epoch_ << 32);
    service.table = Table::at(version, limits.changes_kept);
    store.services.push_back(std::move(service));
  }
  const uint32_t groups = a.count(80, limits.groups);
  std::vector<GroupId> order;
  uint64_t members = 0;
  for (GroupId g = 0; g < groups && a.ok(); ++g) {
    Group group;
    fields(a, group);
    a.need(group.service < services && group.size <= group.capacity && group.capacity > 0 &&
           in(group.pool, 0, 1) && in(group.pool_requests, 0, 1e12F) &&
           in(group.pool_errors, 0, 1e12F) && in(group.overdispersion, 1, 1e3F) &&
           in(group.level, -100, 100) && in(group.evidence, 0, 1e6F) && sound(group.span) &&
           sound(group.course) && in(group.rate_median, 0, 1));
    if (!a.ok()) break;
    members += group.size;
    order.push_back(g);
    store.services[group.service].groups.push_back(g);
    store.groups.push_back(group);
  }
  uint32_t ids = 0;
  a(store.used_), a(store.wasted_), a(store.count_), a(ids);
  // Groups grow by doubling and leave holes; anything beyond that is made up.
  const uint64_t places_most = 8ULL * limits.endpoints + 64ULL * limits.groups;
  a.need(members == store.count_ && store.count_ <= limits.endpoints &&
         store.used_ <= places_most && store.wasted_ <= store.used_ && ids >= store.count_ &&
         members * 100 <= a.left().size() && ids - store.count_ <= a.left().size() / 8);
  if (!a.ok()) return corrupt();
  std::sort(order.begin(), order.end(), [&store](GroupId x, GroupId y) {
    return store.groups[x].first < store.groups[y].first;
  });
  uint64_t end = 0;
  for (const GroupId g : order) {
    const Group& group = store.groups[g];
    a.need(group.first >= end);
    end = uint64_t{group.first} + group.capacity;
  }
  a.need(end <= store.used_);
  if (!a.ok()) return corrupt();
  store.reserve_places(store.used_);
  Columns& c = store.columns;
  c.each([&](auto& column) {
    for (const Group& group : store.groups) a.slice(column.data() + group.first, group.size);
  });
  if (!a.ok()) return corrupt();
  store.slots_.assign(ids, kNone);
  store.owners_.assign(ids, 0);
  for (GroupId g = 0; g < groups; ++g) {
    const Group& group = store.groups[g];
    Service& service = store.services[group.service];
    service.endpoints += group.size;
    for (uint32_t i = group.first; i < group.first + group.size; ++i) {
      bool fine =
          c.id[i] < ids && store.slots_[c.id[i]] == kNone &&
          (c.host[i] == kNone || c.host[i] < limits.hosts) && c.base[i] > 0 &&
          in(c.base[i], 0, kBaseMost) && in(c.rate[i], 0, 1e9F) && in(c.recent[i], 0, 1e12F) &&
          in(c.recent_bad[i], 0, 1e12F) && in(c.evidence[i], 0, 1e6F) &&
          in(c.silence[i], 0, 1e6F) && in(c.window[i].ln_sum, 0, 1e15F) && sound(c.course[i]) &&
          in(c.warm[i], 0, 1e6F) && c.throttle[i] > 0 && in(c.throttle[i], 0, 1) &&
          in(c.ceiling[i], 0, 1) && c.balance[i] > 0 && in(c.balance[i], 0, 1) &&
          in(c.burn[i], -1e6F, 1e6F) && (c.quantum[i] < 16 || c.quantum[i] == 0xff) &&
          (c.budget[i] <= kBudgetFull || c.budget[i] == kBudgetUnknown) && (c.flags[i] & 0x80) == 0;
      for (const auto& span : c.spans) fine = fine && sound(span[i]);
      if (!fine) return corrupt();
      store.slots_[c.id[i]] = i;
      store.owners_[c.id[i]] = g;
      if (const uint32_t host = c.host[i]; host != kNone) {
        if (host >= store.hosts_.size()) store.hosts_.resize(host + 1);
        ++store.hosts_[host];
      }
      service.table.put_silently(c.id[i], c.published[i]);
    }
  }
  const uint32_t freed = a.count(8, ids);
  a.need(freed + store.count_ == ids);
  std::vector<bool> seen(ids);
  for (uint32_t i = 0; i < freed && a.ok(); ++i) {
    Store::Freed one{};
    a(one.id), a(one.at);
    a.need(one.id < ids && store.slots_[one.id] == kNone && !seen[one.id]);
    if (!a.ok()) break;
    seen[one.id] = true;
    store.freed_.push_back(one);
  }
  const uint32_t pins = a.count(12, limits.pins);
  for (uint32_t i = 0; i < pins && a.ok(); ++i) {
    EndpointId endpoint = 0;
    Scheduler::Pin pin{};
    a(endpoint), a(pin.factor), a(pin.expiry);
    a.need(store.slot(endpoint) != kNone && in(pin.factor, 0, 1));
    if (a.ok()) into.pins_[endpoint] = pin;
  }
  // A flag without its pin would have no factor.
  for (const Group& group : store.groups)
    for (uint32_t i = group.first; i < group.first + group.size; ++i)
      a.need(((c.flags[i] & kPinned) != 0) == into.pins_.contains(c.id[i]));
  const uint32_t reporters = a.count(17, limits.reporters);
  into.reporters_.all_.resize(reporters);
  for (Reporters::Reporter& r : into.reporters_.all_)
    a(r.last), a(r.aside_until), a(r.reports), a(r.bad), a(r.seen);
  a(into.reporters_.coverage_);
  a.need(in(into.reporters_.coverage_, 0, 1));
  const uint32_t records = a.count(75, kRecordsMost);
  for (uint32_t i = 0; i < records && a.ok(); ++i) {
    Record record;
    fields(a, record);
    a.need(record.service < services && record.reason <= Reason::mode &&
           record.level <= Level::service && record.cause <= Cause::gross);
    if (a.ok()) into.journal_.add(record);
  }
  bool open_seconds = false;
  a(open_seconds);
  for (size_t ring = 0; ring < kOpenSeconds && open_seconds && a.ok(); ++ring) {
    const uint32_t filled = a.count(4 + sizeof(Cell), store.count_);
    for (uint32_t i = 0; i < filled && a.ok(); ++i) {
      uint32_t slot = 0;
      Cell cell;
      a(slot), a(cell);
      a.need(slot < store.used_);
      if (a.ok()) store.cells[ring][slot] = cell;
    }
    const uint32_t keys = a.count(8, limits.samples_per_second);
    for (uint32_t i = 0; i < keys && a.ok(); ++i) {
      uint64_t key = 0;
      a(key);
      (void)into.reports_[ring].insert(static_cast<uint32_t>((key - 1) >> 32),
                                       static_cast<uint32_t>(key - 1), limits.samples_per_second);
    }
  }
  if (!a.ok()) return corrupt();
  bytes = a.left();
  return {};
}

}  // namespace weir::schedule
