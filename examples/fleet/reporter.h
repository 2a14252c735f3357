// A reporter for Weir's fleet in C++17, one header over POSIX sockets: it sums what a process sees
// of its endpoints second by second, and a thread sends the sums as a binary batch. A request costs
// a lock and a few additions; what finds no room is dropped and counted, and nobody ever waits.
//
//   weir_example::Reporter reporter({"10.0.0.1", "8095", "search", "web-7", ""});
//   auto call = reporter.begin("a-1");      // a request goes out to endpoint "a-1"
//   ... call.end(weir_example::Outcome::ok);  // and came back
//
// The wire format is described in docs/fleet.md.
#pragma once

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

namespace weir_example {

enum class Outcome { ok, error, unreachable, throttled, caller_fault };

struct ReporterOptions {
  std::string host, port, service, name, token;
};

struct ReporterCounters {
  uint64_t batches = 0;
  uint64_t sent = 0;      // samples
  uint64_t dropped = 0;   // no room, or endpoints that the fleet does not know
  uint64_t failures = 0;  // posts that were not answered well
};

class Reporter {
 public:
  class Call {
   public:
    Call(Reporter& reporter, std::string endpoint)
        : reporter_(&reporter), endpoint_(std::move(endpoint)), started_(Clock::now()) {}
    void end(Outcome outcome) {
      if (reporter_ != nullptr) reporter_->end(endpoint_, outcome, Clock::now() - started_);
      reporter_ = nullptr;
    }

   private:
    Reporter* reporter_;
    std::string endpoint_;
    std::chrono::steady_clock::time_point started_;
  };

  explicit Reporter(ReporterOptions options)
      : options_(std::move(options)), thread_([this] { run(); }) {}
  // Sends what is left.
  ~Reporter() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      ending_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }
  Reporter(const Reporter&) = delete;

  Call begin(const std::string& endpoint) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const uint32_t now = ++inflight_[endpoint];
    if (Sums* sums = sums_of(endpoint)) sums->inflight = std::max(sums->inflight, now);
    return Call(*this, endpoint);
  }
  ReporterCounters counters() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return counters_;
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr size_t kSecondsMost = 5;  // kept while the fleet does not answer
  static constexpr size_t kEndpointsMost = 10000;

  struct Sums {
    uint32_t requests = 0, ln_latency = 0, errors = 0, inflight = 0;
    uint32_t throttled = 0, unreachable = 0, caller_faults = 0;
  };
  struct Number {
    uint32_t number = 0;
    uint8_t tag = 0;
  };
  using Seconds = std::map<uint32_t, std::map<std::string, Sums>>;

  static uint32_t second_now() {
    return static_cast<uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(
                                     std::chrono::system_clock::now().time_since_epoch())
                                     .count());
  }

  // Under the lock; null where there is no room.
  Sums* sums_of(const std::string& endpoint) {
    auto& all = seconds_[second_now()];
    while (seconds_.size() > kSecondsMost) {
      counters_.dropped += seconds_.begin()->second.size();
      seconds_.erase(seconds_.begin());
    }
    if (all.size() < kEndpointsMost || all.count(endpoint) > 0) return &all[endpoint];
    ++counters_.dropped;
    return nullptr;
  }

  void end(const std::string& endpoint, Outcome outcome, Clock::duration took) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (--inflight_[endpoint] == 0) inflight_.erase(endpoint);
    Sums* sums = sums_of(endpoint);
    if (sums == nullptr) return;
    if (outcome == Outcome::throttled || outcome == Outcome::caller_fault) {
      ++(outcome == Outcome::throttled ? sums->throttled : sums->caller_faults);
    } else {
      ++sums->requests;
      if (outcome == Outcome::ok) {
        // ln of microseconds in 1/256, as samples count it.
        const double us = std::chrono::duration<double, std::micro>(took).count();
        sums->ln_latency +=
            static_cast<uint32_t>(us > 1 ? std::lround(std::min(std::log(us), 24.0) * 256) : 0);
      } else {
        ++sums->errors;
        if (outcome == Outcome::unreachable) ++sums->unreachable;
      }
    }
  }

  void run() {
    std::unique_lock<std::mutex> lock(mutex_);
    while (true) {
      wake_.wait_for(lock, std::chrono::seconds(1), [this] { return ending_; });
      Seconds over;
      const uint32_t running = second_now();
      while (!seconds_.empty() && (ending_ || seconds_.begin()->first < running)) {
        over.insert(seconds_.extract(seconds_.begin()));
      }
      const bool last = ending_;
      lock.unlock();
      ReporterCounters made;
      const bool sent = over.empty() || send(over, made);
      lock.lock();
      counters_.batches += made.batches, counters_.sent += made.sent;
      counters_.dropped += made.dropped;
      if (!sent) {
        ++counters_.failures;
        seconds_.merge(over);  // again in a second, as far as there is room
      }
      if (last) return;
    }
  }

  bool send(const Seconds& over, ReporterCounters& made) {
    // Numbers are good until the fleet says otherwise; names that are new are asked for.
    bool missing = !resolved_;
    for (const auto& [second, all] : over)
      for (const auto& [endpoint, sums] : all) missing = missing || numbers_.count(endpoint) == 0;
    if (missing && !resolve(over)) return false;
    std::string bytes;
    uint32_t count = 0;
    const uint32_t base = over.begin()->first;
    for (const auto& [second, all] : over) {
      for (const auto& [endpoint, s] : all) {
        const auto at = numbers_.find(endpoint);
        if (at == numbers_.end() || second - base > 127) {
          ++made.dropped;
          continue;
        }
        put_varint(bytes, at->second.number);
        bytes += static_cast<char>(at->second.tag);
        bytes += static_cast<char>(second - base);
        const uint32_t fields[] = {s.requests, s.ln_latency, s.errors,      s.inflight,
                                   0,          s.throttled,  s.unreachable, s.caller_faults};
        uint32_t mask = 0;
        for (uint32_t bit = 0; bit < 8; ++bit) mask |= fields[bit] != 0 ? 1U << bit : 0;
        put_varint(bytes, mask);
        for (const uint32_t field : fields)
          if (field != 0) put_varint(bytes, field);
        ++count;
      }
    }
    if (count == 0) return true;
    std::string head = "WFB1";
    put_le(head, reporter_, 4);
    put_le(head, numbers_id_, 8);
    put_le(head, base, 4);
    put_le(head, count, 4);
    const auto [status, answer] =
        post("/v1/fleet/samples", "application/vnd.weir.samples", head + bytes);
    if (status == 409 || answer.find("unknown_endpoint") != std::string::npos) {
      resolved_ = false;
      numbers_.clear();
    }
    if (status != 200) return false;
    ++made.batches;
    made.sent += number_after(answer, "\"accepted\":");
    return true;
  }

  bool resolve(const Seconds& over) {
    std::string names;
    for (const auto& [second, all] : over)
      for (const auto& [endpoint, sums] : all)
        if (names.find("\"" + endpoint + "\"") == std::string::npos)
          names += (names.empty() ? "\"" : ",\"") + endpoint + "\"";
    const auto [status, answer] = post("/v1/fleet/resolve", "application/json",
                                       R"({"reporter":")" + options_.name + R"(","service":")" +
                                           options_.service + R"(","endpoints":[)" + names + "]}");
    if (status != 200) return false;
    reporter_ = static_cast<uint32_t>(number_after(answer, "\"reporter\":"));
    const size_t id = answer.find("\"numbers_id\":\"");
    if (id == std::string::npos) return false;
    numbers_id_ = std::strtoull(answer.c_str() + id + 14, nullptr, 16);
    for (const auto& [second, all] : over)
      for (const auto& [endpoint, sums] : all) {
        const size_t at = answer.find("\"" + endpoint + "\":[");
        if (at == std::string::npos) continue;
        char* end = nullptr;
        Number& n = numbers_[endpoint];
        n.number = static_cast<uint32_t>(
            std::strtoul(answer.c_str() + at + endpoint.size() + 4, &end, 10));
        n.tag = static_cast<uint8_t>(std::strtoul(end + 1, nullptr, 10));
      }
    resolved_ = true;
    return true;
  }

  static uint64_t number_after(const std::string& text, const char* what) {
    const size_t at = text.find(what);
    return at == std::string::npos
               ? 0
               : std::strtoull(text.c_str() + at + std::string(what).size(), nullptr, 10);
  }
  static void put_varint(std::string& out, uint32_t value) {
    for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
    out += static_cast<char>(value);
  }
  static void put_le(std::string& out, uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
  }

  // One request on a connection of its own: once a second, that is cheap enough. Status 0: no
  // answer.
  std::pair<int, std::string> post(const char* path, const char* type, const std::string& body) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (getaddrinfo(options_.host.c_str(), options_.port.c_str(), &hints, &found) != 0) return {};
    const int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const timeval limit{2, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    const bool connected = connect(fd, found->ai_addr, found->ai_addrlen) == 0;
    freeaddrinfo(found);
    std::string request = "POST " + std::string(path) + " HTTP/1.1\r\nHost: " + options_.host +
                          "\r\nConnection: close\r\nContent-Type: " + type +
                          "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
    if (!options_.token.empty()) request += "Authorization: Bearer " + options_.token + "\r\n";
    request += "\r\n" + body;
    std::string answer;
    for (size_t at = 0; connected && at < request.size();) {
      const ssize_t n = ::send(fd, request.data() + at, request.size() - at, MSG_NOSIGNAL);
      if (n <= 0) break;
      at += static_cast<size_t>(n);
    }
    char room[4096];
    for (ssize_t n = 0; connected && (n = recv(fd, room, sizeof room, 0)) > 0;)
      answer.append(room, static_cast<size_t>(n));
    close(fd);
    const size_t end = answer.find("\r\n\r\n");
    if (answer.size() < 12 || end == std::string::npos) return {};
    return {std::atoi(answer.c_str() + 9), answer.substr(end + 4)};
  }

  ReporterOptions options_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::map<std::string, uint32_t> inflight_;
  Seconds seconds_;
  ReporterCounters counters_;
  bool ending_ = false;
  // The thread's.
  std::map<std::string, Number> numbers_;
  uint32_t reporter_ = 0;
  uint64_t numbers_id_ = 0;
  bool resolved_ = false;
  std::thread thread_;
};

}  // namespace weir_example
