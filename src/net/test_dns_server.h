// A DNS server on loopback that answers from a table, on the loop of the test. UDP only. Included
// by tests only.
#pragma once

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <map>
#include <string>
#include <vector>

#include "base/check.h"
#include "net/loop.h"

namespace weir::net::testing_dns {

inline constexpr uint16_t kTypeA = 1;
inline constexpr uint16_t kTypeAaaa = 28;

struct Reply {
  std::vector<std::string> addresses{};
  uint32_t ttl_s = 60;
  int code = 0;         // 0 no error, 2 server failure, 3 no such name
  bool silent = false;  // never answers
};

class Server final : private FdHandler {
 public:
  explicit Server(Loop& loop) : loop_(loop) {
    fd_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    socklen_t size = sizeof address;
    WEIR_ASSERT(fd_ >= 0 && ::bind(fd_, raw, size) == 0 && ::getsockname(fd_, raw, &size) == 0);
    text_ = fmt::format("127.0.0.1:{}", ntohs(address.sin_port));
    watch_ = *loop_.watch(fd_, EPOLLIN, *this);
  }
  ~Server() {
    loop_.unwatch(watch_, true);
    ::close(fd_);
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // What a name and type are answered with; anything else does not exist.
  void set(const std::string& name, uint16_t type, Reply reply) { replies_[{name, type}] = reply; }
  // As CaresResolver takes it.
  const std::string& text() const { return text_; }
  int queries() const { return queries_; }

 private:
  void on_fd_events(uint32_t) override {
    unsigned char query[512];
    sockaddr_in from{};
    socklen_t from_size = sizeof from;
    auto* raw = reinterpret_cast<sockaddr*>(&from);
    const ssize_t got = ::recvfrom(fd_, query, sizeof query, 0, raw, &from_size);
    if (got < 17) return;
    ++queries_;
    // One question: labels, each with its length before it, then type and class.
    std::string name;
    size_t at = 12;
    while (query[at] != 0 && at + query[at] + 5U < static_cast<size_t>(got)) {
      if (!name.empty()) name += '.';
      name.append(reinterpret_cast<const char*>(query + at + 1), query[at]);
      at += query[at] + 1U;
    }
    const uint16_t type = static_cast<uint16_t>(query[at + 1] << 8 | query[at + 2]);
    const size_t question_end = at + 5;

    const auto found = replies_.find({name, type});
    const bool known = replies_.contains({name, kTypeA}) || replies_.contains({name, kTypeAaaa});
    const Reply reply = found != replies_.end() ? found->second : Reply{.code = known ? 0 : 3};
    if (reply.silent) return;
    std::string out(reinterpret_cast<const char*>(query), question_end);
    const auto put16 = [&](size_t position, unsigned value) {
      out[position] = static_cast<char>(value >> 8);
      out[position + 1] = static_cast<char>(value);
    };
    put16(2, 0x8180U | static_cast<unsigned>(reply.code));
    put16(6, static_cast<unsigned>(reply.addresses.size()));
    put16(8, 0);
    put16(10, 0);  // without the query's EDNS record
    for (const std::string& text : reply.addresses) {
      unsigned char bytes[16];
      const int family = type == kTypeA ? AF_INET : AF_INET6;
      const size_t size = type == kTypeA ? 4 : 16;
      WEIR_ASSERT(::inet_pton(family, text.c_str(), bytes) == 1);
      const size_t start = out.size();
      out.resize(start + 12);
      put16(start, 0xC00C);  // the name of the question
      put16(start + 2, type);
      put16(start + 4, 1);
      put16(start + 6, reply.ttl_s >> 16);
      put16(start + 8, reply.ttl_s & 0xFFFF);
      put16(start + 10, static_cast<unsigned>(size));
      out.append(reinterpret_cast<const char*>(bytes), size);
    }
    ::sendto(fd_, out.data(), out.size(), 0, raw, from_size);
  }

  Loop& loop_;
  int fd_ = -1;
  uint32_t watch_ = 0;
  std::string text_;
  std::map<std::pair<std::string, uint16_t>, Reply> replies_;
  int queries_ = 0;
};

}  // namespace weir::net::testing_dns
