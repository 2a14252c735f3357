// Requests that may be billed each time they arrive: never sent twice unseen.
#include <gtest/gtest.h>

#include <string>

#include "http/client.h"
#include "http/client_fixture.h"

namespace weir::http {
namespace {

constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

TEST_F(ClientTest, WhatMayBeBilledTwiceIsNotSentAgainUnseen) {
  make_client();
  Call first;
  start(first, kGet);
  got(0);
  say(0, kOk);
  Call second;
  second.once = true;
  start(second, kPost);
  hang_up(0);
  EXPECT_EQ(second.error, ErrorCode::closed);
  EXPECT_TRUE(second.exchange->maybe_stale());
  EXPECT_EQ(providers_.size(), 1U);
  EXPECT_EQ(counters().stale_retries, 0U);

  Call third;
  third.once = true;
  start(third, kPost);
  ASSERT_EQ(providers_.size(), 2U);
  hang_up(1);
  EXPECT_FALSE(third.exchange->maybe_stale()) << "a fresh connection was not dead before";
}

}  // namespace
}  // namespace weir::http
