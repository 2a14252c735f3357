#include "net/local.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <string>

namespace weir::net {
namespace {

TEST(Local, AddressesArePaths) {
  const auto address = local_address("/run/x.sock");
  ASSERT_TRUE(address);
  EXPECT_EQ(address->to_text(), "unix:/run/x.sock");
  EXPECT_EQ(address->host(), "/run/x.sock");
  EXPECT_EQ(address->port(), 0);
  EXPECT_FALSE(*address == *local_address("/run/y.sock"));
  EXPECT_FALSE(local_address(""));
  EXPECT_FALSE(local_address(std::string(108, 'x')));
  EXPECT_TRUE(local_address(std::string(107, 'x')));
}

TEST(Local, DialsASocketOfTheMachine) {
  SystemClock clock;
  Loop loop(clock);
  const std::string path = testing::TempDir() + "weir_local_test_" + std::to_string(::getpid());
  const Address address = *local_address(path);
  FixedDialer dialer(loop, address);
  auto refused = run_task(loop, dialer.dial({}, loop.deadline_in(std::chrono::seconds(5))));
  ASSERT_TRUE(refused);
  EXPECT_FALSE(*refused);
  const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(::bind(listener, address.data(), address.size()), 0);
  ASSERT_EQ(::listen(listener, 1), 0);
  auto stream = run_task(loop, dialer.dial({}, loop.deadline_in(std::chrono::seconds(5))));
  ASSERT_TRUE(stream && *stream);
  EXPECT_EQ((**stream)->peer_address(), "unix:" + path);
  const int accepted = ::accept(listener, nullptr, nullptr);
  ASSERT_EQ(::send(accepted, "hi", 2, 0), 2);
  char room[8] = {};
  const auto got = run_task(loop, (**stream)->read(room));
  ASSERT_TRUE(got && *got);
  EXPECT_EQ(std::string(room, **got), "hi");
  ::close(accepted);
  ::close(listener);
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace weir::net
