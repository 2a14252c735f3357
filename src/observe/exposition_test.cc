#include "observe/exposition.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::observe {
namespace {

using testing::HasSubstr;

TEST(Exposition, WritesSamplesWithEscapedLabels) {
  Exposition out;
  out.family("weir_requests_total", "counter", "Requests.");
  out.sample("weir_requests_total", {{"model", "a\"b\\c\nd"}}, uint64_t{7});
  out.sample("weir_up", {}, uint64_t{1});
  EXPECT_EQ(out.text(),
            "# HELP weir_requests_total Requests.\n# TYPE weir_requests_total counter\n"
            "weir_requests_total{model=\"a\\\"b\\\\c\\nd\"} 7\nweir_up 1\n");
}

TEST(Exposition, HistogramBucketsAreCumulative) {
  Histogram histogram;
  histogram.add(Milliseconds(1));  // the bound itself belongs to the bucket
  histogram.add(Milliseconds(2));
  histogram.add(std::chrono::hours(1));
  Exposition out;
  out.histogram("t_seconds", {{"d", "x"}}, histogram);
  EXPECT_THAT(out.text(), HasSubstr("t_seconds_bucket{d=\"x\",le=\"0.001\"} 1\n"));
  EXPECT_THAT(out.text(), HasSubstr("t_seconds_bucket{d=\"x\",le=\"0.0025\"} 2\n"));
  EXPECT_THAT(out.text(), HasSubstr("t_seconds_bucket{d=\"x\",le=\"600\"} 2\n"));
  EXPECT_THAT(out.text(), HasSubstr("t_seconds_bucket{d=\"x\",le=\"+Inf\"} 3\n"));
  EXPECT_THAT(out.text(), HasSubstr("t_seconds_count{d=\"x\"} 3\n"));
}

TEST(Exposition, AnEmptyHistogramSaysNothing) {
  Exposition out;
  out.histogram("t_seconds", {}, Histogram{});
  EXPECT_EQ(out.text(), "");
}

}  // namespace
}  // namespace weir::observe
