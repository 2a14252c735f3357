#include "provider/failure.h"

#include <gtest/gtest.h>

#include "base/date.h"
#include "dialect/translate.h"

namespace weir::provider {
namespace {

constexpr int64_t kNow = 1'780'272'000'000;  // 2026-06-01T00:00:00Z

struct RetryCase {
  const char* name;
  std::vector<std::pair<std::string, std::string>> headers;
  std::optional<int64_t> wait_ms;
};

class RetryAfter : public testing::TestWithParam<RetryCase> {};

TEST_P(RetryAfter, IsReadAsTheProviderMeansIt) {
  http::HeaderList headers;
  for (const auto& [name, value] : GetParam().headers) headers.add(name, value);
  const auto wait = retry_after(headers, kNow);
  EXPECT_EQ(wait.has_value(), GetParam().wait_ms.has_value());
  if (wait && GetParam().wait_ms) EXPECT_EQ(wait->count(), *GetParam().wait_ms);
}

INSTANTIATE_TEST_SUITE_P(
    Table, RetryAfter,
    testing::Values(
        RetryCase{"nothing", {}, std::nullopt}, RetryCase{"seconds", {{"retry-after", "7"}}, 7'000},
        RetryCase{"fraction", {{"retry-after", "0.25"}}, 250},
        RetryCase{"minus_one_is_unknown", {{"retry-after", "-1"}}, std::nullopt},
        RetryCase{"zero_is_unknown", {{"retry-after", "0"}}, std::nullopt},
        RetryCase{"words_are_unknown", {{"retry-after", "soon"}}, std::nullopt},
        RetryCase{"empty_is_unknown", {{"retry-after", ""}}, std::nullopt},
        RetryCase{"trailing_unit_is_unknown", {{"retry-after", "7s"}}, std::nullopt},
        RetryCase{"infinity_is_unknown", {{"retry-after", "inf"}}, std::nullopt},
        RetryCase{"nan_is_unknown", {{"retry-after", "nan"}}, std::nullopt},
        RetryCase{"beyond_numbers_is_unknown", {{"retry-after", "1e999"}}, std::nullopt},
        RetryCase{"an_hour_at_most", {{"retry-after", "99999999"}}, 3'600'000},
        RetryCase{
            "milliseconds_come_first", {{"retry-after", "7"}, {"retry-after-ms", "1500"}}, 1'500},
        RetryCase{"nonsense_milliseconds_do_not_hide_seconds",
                  {{"retry-after", "7"}, {"retry-after-ms", "-1"}},
                  7'000},
        RetryCase{"date", {{"retry-after", "Mon, 01 Jun 2026 00:00:30 GMT"}}, 30'000},
        RetryCase{
            "date_in_the_past", {{"retry-after", "Sun, 31 May 2026 23:59:00 GMT"}}, std::nullopt},
        RetryCase{
            "reset_of_what_is_used_up",
            {{"x-ratelimit-remaining-requests", "0"}, {"x-ratelimit-reset-requests", "1m30.5s"}},
            90'500},
        RetryCase{"reset_in_milliseconds",
                  {{"x-ratelimit-remaining-tokens", "0"}, {"x-ratelimit-reset-tokens", "20ms"}},
                  20},
        RetryCase{"reset_of_what_is_left_says_nothing",
                  {{"x-ratelimit-remaining-tokens", "5"}, {"x-ratelimit-reset-tokens", "20s"}},
                  std::nullopt},
        RetryCase{"the_longest_reset_counts",
                  {{"x-ratelimit-remaining-requests", "0"},
                   {"x-ratelimit-reset-requests", "2s"},
                   {"x-ratelimit-remaining-tokens", "0"},
                   {"x-ratelimit-reset-tokens", "1h0m1s"}},
                  3'600'000},
        RetryCase{"anthropics_reset_is_a_time",
                  {{"anthropic-ratelimit-input-tokens-remaining", "0"},
                   {"anthropic-ratelimit-input-tokens-reset", "2026-06-01T00:00:12Z"}},
                  12'000},
        RetryCase{"negative_reset",
                  {{"x-ratelimit-remaining-tokens", "0"}, {"x-ratelimit-reset-tokens", "-5s"}},
                  std::nullopt},
        RetryCase{"infinite_reset",
                  {{"x-ratelimit-remaining-tokens", "0"}, {"x-ratelimit-reset-tokens", "infs"}},
                  std::nullopt}),
    [](const auto& info) { return std::string(info.param.name); });

struct ClassCase {
  const char* name;
  int status;
  const char* body;
  FailureClass failure;
};

class Classification : public testing::TestWithParam<ClassCase> {};

TEST_P(Classification, FollowsTheStatusAndTheErrorsOwnWords) {
  const auto& param = GetParam();
  const auto error = dialect::read_error(dialect::Dialect::openai_chat, param.status, param.body);
  EXPECT_EQ(to_string(classify_answer(param.status, error)), to_string(param.failure));
}

INSTANTIATE_TEST_SUITE_P(
    Table, Classification,
    testing::Values(
        ClassCase{"unauthorized", 401, "{}", FailureClass::credential},
        ClassCase{"forbidden", 403, "{}", FailureClass::credential},
        ClassCase{"gemini_wrong_key", 400,
                  R"({"error":{"code":400,"message":"API key not valid. Please pass a valid key.",)"
                  R"("status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}})",
                  FailureClass::credential},
        ClassCase{"a_model_that_the_project_may_not_use", 403,
                  R"({"error":{"message":"no access","type":"invalid_request_error",)"
                  R"("code":"model_not_found"}})",
                  FailureClass::not_found},
        ClassCase{"not_found", 404, "{}", FailureClass::not_found},
        ClassCase{"request_timeout", 408, "{}", FailureClass::timeout},
        ClassCase{"throttled", 429, "{}", FailureClass::throttled},
        ClassCase{"bedrock_throttle_labelled_400", 400, R"({"__type":"ThrottlingException"})",
                  FailureClass::throttled},
        ClassCase{"quota", 429, R"({"error":{"code":"insufficient_quota","message":"pay"}})",
                  FailureClass::quota},
        ClassCase{"payment", 402, "{}", FailureClass::quota},
        ClassCase{"bad_request", 400, "{}", FailureClass::invalid},
        ClassCase{"too_large", 413, "{}", FailureClass::invalid},
        ClassCase{"filter", 400, R"({"error":{"code":"content_filter","message":"no"}})",
                  FailureClass::content_filter},
        ClassCase{"server", 500, "<html>", FailureClass::server},
        ClassCase{"overloaded", 529, R"({"error":{"type":"overloaded_error"}})",
                  FailureClass::server},
        ClassCase{"redirect", 302, "", FailureClass::protocol}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(FailureTable, RowsStandInTheOrderOfTheirClasses) {
  EXPECT_EQ(to_string(FailureClass::none), "none");
  EXPECT_EQ(to_string(FailureClass::throttled), "throttled");
  EXPECT_EQ(to_string(FailureClass::cancelled), "cancelled");
  // The request's own fault blames nobody and is not tried elsewhere.
  for (const FailureClass own : {FailureClass::invalid, FailureClass::content_filter}) {
    EXPECT_EQ(rule_of(own).blame, Blame::nobody);
    EXPECT_FALSE(rule_of(own).counts_against_health);
    EXPECT_FALSE(rule_of(own).try_another || rule_of(own).try_same);
  }
}

TEST(FailureTable, ErrorsBeforeAndAfterConnectingDiffer) {
  EXPECT_EQ(classify_error({ErrorCode::connection_reset, ""}, false), FailureClass::connect);
  EXPECT_EQ(classify_error({ErrorCode::connection_reset, ""}, true), FailureClass::reset);
  EXPECT_EQ(classify_error({ErrorCode::closed, ""}, true), FailureClass::truncated);
  EXPECT_EQ(classify_error({ErrorCode::limit_exceeded, ""}, false), FailureClass::local);
  EXPECT_EQ(classify_error({ErrorCode::io_error, ""}, false), FailureClass::local);
  EXPECT_EQ(classify_error({ErrorCode::limit_exceeded, ""}, true), FailureClass::protocol);
  EXPECT_EQ(classify_error({ErrorCode::timeout, ""}, false), FailureClass::timeout);
  EXPECT_EQ(classify_error({ErrorCode::cancelled, ""}, true), FailureClass::cancelled);
}

}  // namespace
}  // namespace weir::provider
