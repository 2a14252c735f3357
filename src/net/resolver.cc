#include "net/resolver.h"

#include <ares.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "base/check.h"

namespace weir::net {
namespace {

// How long the slower of A and AAAA is waited for once the other has brought addresses (RFC 8305).
constexpr Nanoseconds kOtherFamilyDelay = Milliseconds(50);

std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

// RFC 6761: these never go to a server.
bool is_localhost(std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  return host == "localhost" || host.ends_with(".localhost");
}

// Whether this machine has a route there. Connecting a datagram socket sends nothing.
bool has_route(Address address) {
  const int fd = ::socket(address.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  address.set_port(53);
  const bool reachable = ::connect(fd, address.data(), address.size()) == 0;
  ::close(fd);
  return reachable;
}

// Alternating, IPv6 first where there is a route for it.
std::vector<Address> interleave(const std::vector<Address>& v4, const std::vector<Address>& v6) {
  const bool six_first = !v6.empty() && has_route(v6.front());
  const auto& first = six_first ? v6 : v4;
  const auto& second = six_first ? v4 : v6;
  std::vector<Address> out;
  for (size_t i = 0; i < std::max(first.size(), second.size()); ++i) {
    if (i < first.size()) out.push_back(first[i]);
    if (i < second.size()) out.push_back(second[i]);
  }
  return out;
}

}  // namespace

class CaresResolver::Impl {
 public:
  Impl(Loop& loop, ResolverOptions options);
  ~Impl();
  Result<void> init();
  Task<Result<std::vector<Address>>> resolve(std::string host, uint16_t port, Deadline deadline);
  void flush() {
    cache_.clear();
    recent_.clear();
  }
  Counters counters() const {
    Counters out = counters_;
    out.entries = cache_.size();
    return out;
  }

 private:
  using Answer = Result<std::vector<Address>>;

  // One name being asked for, by however many. Lives as long as a query or a waiter needs it.
  struct Flight {
    Flight(Loop& loop, Impl& impl, std::string name)
        : done(loop), delay(loop, [this, &impl] { impl.finish(*this); }), host(std::move(name)) {}
    Event done;
    Timer delay;
    std::string host;
    int pending = 0;
    bool definite = true;  // every failure so far says that there is no such address
    std::optional<int> ttl_s;
    std::vector<Address> v4;
    std::vector<Address> v6;
    std::string failure;
    std::optional<Answer> answer;
  };
  struct Query {
    Impl* impl;
    std::shared_ptr<Flight> flight;
  };
  struct Entry {
    Answer answer;
    Nanoseconds fresh_until{0};
    std::list<std::string>::iterator recency;
  };
  // A socket of c-ares in the loop.
  struct Socket final : FdHandler {
    Socket(Impl& owner, int number) : impl(owner), fd(number) {}
    void on_fd_events(uint32_t events) override { impl.process(fd, events); }
    Impl& impl;
    int fd;
    uint32_t watch = 0;
  };

  std::shared_ptr<Flight> start(const std::string& host);
  void answered(Flight& flight, int status, const ares_addrinfo* info);
  void finish(Flight& flight);
  void store(const std::string& host, const Answer& answer, Nanoseconds ttl);
  Entry* find(const std::string& host);
  void process(int fd, uint32_t events);
  void arm_timer();
  static void on_answer(void* argument, int status, int timeouts, ares_addrinfo* info);
  static void on_socket(void* self, ares_socket_t fd, int readable, int writable);

  Loop& loop_;
  ResolverOptions options_;
  ares_channel channel_ = nullptr;
  bool closing_ = false;
  Timer timer_;
  std::map<int, std::unique_ptr<Socket>> sockets_;
  std::unordered_map<std::string, std::shared_ptr<Flight>> flights_;
  std::unordered_map<std::string, Entry> cache_;
  std::list<std::string> recent_;  // most recently used first
  Counters counters_;
};

CaresResolver::Impl::Impl(Loop& loop, ResolverOptions options)
    : loop_(loop), options_(std::move(options)), timer_(loop, [this] {
        ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
        arm_timer();
      }) {}

CaresResolver::Impl::~Impl() {
  closing_ = true;
  // Answers every query with ARES_EDESTRUCTION; waiters wake and see `cancelled`.
  if (channel_ != nullptr) ares_destroy(channel_);
}

Result<void> CaresResolver::Impl::init() {
  static std::once_flag once;
  std::call_once(once, [] { ares_library_init(ARES_LIB_INIT_ALL); });
  ares_options wanted{};
  wanted.timeout = static_cast<int>(options_.try_timeout.count());
  wanted.tries = options_.tries;
  wanted.sock_state_cb = &on_socket;
  wanted.sock_state_cb_data = this;
  int status = ares_init_options(&channel_, &wanted,
                                 ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
  if (status != ARES_SUCCESS) {
    channel_ = nullptr;
    return fail(ErrorCode::unavailable, fmt::format("c-ares: {}", ares_strerror(status)));
  }
  if (options_.servers.empty()) return {};
  status = ares_set_servers_ports_csv(channel_, options_.servers.c_str());
  if (status == ARES_SUCCESS) return {};
  return fail(ErrorCode::invalid_argument,
              fmt::format("DNS servers \"{}\": expected addresses as in 10.0.0.2:53,10.0.0.3",
                          options_.servers));
}

Task<Result<std::vector<Address>>> CaresResolver::Impl::resolve(std::string host, uint16_t port,
                                                                Deadline deadline) {
  if (auto numeric = Address::parse(host, port)) co_return std::vector{*numeric};
  host = lower(std::move(host));
  if (is_localhost(host)) {
    co_return std::vector{*Address::parse("127.0.0.1", port), *Address::parse("::1", port)};
  }
  Answer answer;
  if (const Entry* entry = find(host); entry != nullptr && loop_.now() < entry->fresh_until) {
    ++counters_.hits;
    answer = entry->answer;
  } else {
    std::shared_ptr<Flight> flight;
    if (const auto found = flights_.find(host); found != flights_.end()) {
      ++counters_.shared;
      flight = found->second;
    } else {
      flight = start(host);
    }
    const Nanoseconds left = deadline == kNoDeadline ? kNoDeadline : deadline - loop_.now();
    // After this the resolver may be gone: only the flight is touched.
    if (!co_await flight->done.wait_for(left)) {
      co_return fail(ErrorCode::timeout, fmt::format("resolve {}: no answer in time", host));
    }
    answer = *flight->answer;
  }
  if (answer) {
    for (Address& address : *answer) address.set_port(port);
  }
  co_return answer;
}

std::shared_ptr<CaresResolver::Impl::Flight> CaresResolver::Impl::start(const std::string& host) {
  ++counters_.misses;
  auto flight = std::make_shared<Flight>(loop_, *this, host);
  flights_.emplace(host, flight);
  flight->pending = 2;
  for (const int family : {AF_INET, AF_INET6}) {
    ares_addrinfo_hints hints{};
    hints.ai_family = family;
    hints.ai_socktype = SOCK_STREAM;
    // May answer before it returns, from /etc/hosts for instance.
    ares_getaddrinfo(channel_, host.c_str(), nullptr, &hints, &on_answer, new Query{this, flight});
  }
  arm_timer();
  return flight;
}

void CaresResolver::Impl::on_answer(void* argument, int status, int, ares_addrinfo* info) {
  const std::unique_ptr<Query> query(static_cast<Query*>(argument));
  query->impl->answered(*query->flight, status, info);
  if (info != nullptr) ares_freeaddrinfo(info);
}

void CaresResolver::Impl::answered(Flight& flight, int status, const ares_addrinfo* info) {
  --flight.pending;
  if (flight.answer) return;  // the slower family, after its 50 ms
  if (status == ARES_SUCCESS) {
    for (const ares_addrinfo_node* node = info->nodes; node != nullptr; node = node->ai_next) {
      auto& addresses = node->ai_family == AF_INET6 ? flight.v6 : flight.v4;
      addresses.push_back(
          Address::from_sockaddr(node->ai_addr, static_cast<socklen_t>(node->ai_addrlen)));
      flight.ttl_s = std::min(flight.ttl_s.value_or(node->ai_ttl), node->ai_ttl);
    }
  } else {
    if (status != ARES_ENOTFOUND && status != ARES_ENODATA) flight.definite = false;
    // "Could not contact DNS servers" tells more than "no data" for the other family.
    if (flight.failure.empty() || !flight.definite) flight.failure = ares_strerror(status);
  }
  if (closing_) {
    flight.delay.cancel();
    flight.answer = fail(ErrorCode::cancelled, "the resolver is shutting down");
    flight.done.set();
  } else if (flight.pending == 0) {
    finish(flight);
  } else if (flight.ttl_s) {
    flight.delay.arm(kOtherFamilyDelay);
  }
}

void CaresResolver::Impl::finish(Flight& flight) {
  flight.delay.cancel();
  const std::string host = flight.host;
  if (!flight.v4.empty() || !flight.v6.empty()) {
    flight.answer = interleave(flight.v4, flight.v6);
    const Nanoseconds ttl = std::chrono::seconds(std::max(flight.ttl_s.value_or(0), 0));
    store(host, *flight.answer, std::clamp(ttl, options_.ttl_min, options_.ttl_max));
  } else {
    ++counters_.failures;
    flight.answer =
        fail(ErrorCode::dns_failure, fmt::format("resolve {}: {}", host, flight.failure));
    const Entry* old = find(host);
    if (flight.definite) {
      store(host, *flight.answer, options_.negative_ttl);
    } else if (old != nullptr && old->answer &&
               loop_.now() - old->fresh_until < options_.stale_max) {
      ++counters_.stale;
      flight.answer = old->answer;
    }
  }
  flight.done.set();
  flights_.erase(host);  // the flight may be gone now
}

CaresResolver::Impl::Entry* CaresResolver::Impl::find(const std::string& host) {
  const auto found = cache_.find(host);
  if (found == cache_.end()) return nullptr;
  recent_.splice(recent_.begin(), recent_, found->second.recency);
  return &found->second;
}

void CaresResolver::Impl::store(const std::string& host, const Answer& answer, Nanoseconds ttl) {
  if (options_.cache_max == 0) return;
  Entry* entry = find(host);
  if (entry == nullptr) {
    if (cache_.size() >= options_.cache_max) {
      cache_.erase(recent_.back());
      recent_.pop_back();
      ++counters_.evicted;
    }
    recent_.push_front(host);
    entry = &cache_.emplace(host, Entry{answer, Nanoseconds(0), recent_.begin()}).first->second;
  }
  entry->answer = answer;
  entry->fresh_until = loop_.deadline_in(ttl);
}

void CaresResolver::Impl::on_socket(void* self, ares_socket_t fd, int readable, int writable) {
  Impl& impl = *static_cast<Impl*>(self);
  const auto found = impl.sockets_.find(fd);
  if (readable == 0 && writable == 0) {
    if (found == impl.sockets_.end()) return;
    impl.loop_.unwatch(found->second->watch, true);  // c-ares closes it next
    impl.sockets_.erase(found);
    return;
  }
  const uint32_t events = (readable != 0 ? static_cast<uint32_t>(EPOLLIN) : 0U) |
                          (writable != 0 ? static_cast<uint32_t>(EPOLLOUT) : 0U);
  if (found != impl.sockets_.end()) {
    impl.loop_.change_watch(found->second->watch, events);
    return;
  }
  auto socket = std::make_unique<Socket>(impl, fd);
  // Without a watch (no memory) the query ends by its timeout.
  if (auto watch = impl.loop_.watch(fd, events, *socket)) {
    socket->watch = *watch;
    impl.sockets_.emplace(fd, std::move(socket));
  }
}

void CaresResolver::Impl::process(int fd, uint32_t events) {
  const bool failed = (events & (EPOLLERR | EPOLLHUP)) != 0;
  ares_process_fd(channel_, failed || (events & EPOLLIN) != 0 ? fd : ARES_SOCKET_BAD,
                  (events & EPOLLOUT) != 0 ? fd : ARES_SOCKET_BAD);
  arm_timer();
}

void CaresResolver::Impl::arm_timer() {
  timeval room{};
  const timeval* next = ares_timeout(channel_, nullptr, &room);
  if (next == nullptr) {
    timer_.cancel();
  } else {
    timer_.arm(std::chrono::seconds(next->tv_sec) + std::chrono::microseconds(next->tv_usec));
  }
}

Result<std::unique_ptr<CaresResolver>> CaresResolver::create(Loop& loop, ResolverOptions options) {
  auto impl = std::make_unique<Impl>(loop, std::move(options));
  WEIR_CHECK_OK(impl->init());
  return std::unique_ptr<CaresResolver>(new CaresResolver(std::move(impl)));
}

CaresResolver::CaresResolver(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
CaresResolver::~CaresResolver() = default;

Task<Result<std::vector<Address>>> CaresResolver::resolve(std::string host, uint16_t port,
                                                          Deadline deadline) {
  return impl_->resolve(std::move(host), port, deadline);
}

CaresResolver::Counters CaresResolver::counters() const {
  return impl_->counters();
}
void CaresResolver::flush() {
  impl_->flush();
}

}  // namespace weir::net
