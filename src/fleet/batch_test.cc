#include "fleet/batch.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/random.h"

namespace weir::fleet {
namespace {

using schedule::Sample;

Sample any(Random& random) {
  const auto number = [&random] {
    return static_cast<uint32_t>(random.next()) >> random.below(32);
  };
  Sample s{.endpoint = number(), .second = 5000 + random.below(128)};
  s.reporter = 9;
  for (uint32_t Sample::* field :
       {&Sample::requests, &Sample::errors, &Sample::unreachable, &Sample::throttled,
        &Sample::caller_faults, &Sample::ln_latency, &Sample::streams, &Sample::ln_ttft,
        &Sample::ln_itl, &Sample::tokens, &Sample::budget_reset_ms})
    if (random.below(2) == 0) s.*field = number();
  if (random.below(2) == 0) s.inflight = static_cast<uint16_t>(number());
  if (random.below(2) == 0) s.budget = static_cast<uint16_t>(number());
  if (random.below(2) == 0) s.utilization = static_cast<uint8_t>(number());
  if (random.below(2) == 0) s.view = schedule::View::server;
  s.sources = static_cast<uint8_t>(number());
  s.marks = static_cast<uint8_t>(number());
  return s;
}

std::string batch(const std::vector<Sample>& samples) {
  std::string out;
  BatchWriter writer(out, 9, 77, 5000);
  for (const Sample& s : samples) EXPECT_TRUE(writer.add(s));
  writer.finish();
  return out;
}

TEST(Batch, AnySampleComesBackAsItWas) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Random random(seed);
    std::vector<Sample> samples(random.below(40));
    for (Sample& s : samples) s = any(random);
    const std::string bytes = batch(samples);
    auto reader = BatchReader::open(bytes);
    ASSERT_TRUE(reader);
    EXPECT_EQ(reader->header().numbers_id, 77U);
    Sample read;
    for (const Sample& s : samples) {
      ASSERT_TRUE(reader->next(read));
      EXPECT_EQ(read, s);
    }
    EXPECT_FALSE(reader->next(read));
    EXPECT_FALSE(reader->broken());
  }
}

TEST(Batch, ABatchCutOffKeepsWhatIsWhole) {
  Random random(3);
  const std::string bytes = batch({any(random), any(random), any(random)});
  uint32_t most = 0;
  for (size_t size = kBatchHeaderBytes; size < bytes.size(); ++size) {
    auto reader = BatchReader::open(std::string_view(bytes).substr(0, size));
    ASSERT_TRUE(reader);
    Sample read;
    while (reader->next(read)) {
    }
    EXPECT_TRUE(reader->broken()) << size;
    EXPECT_GE(reader->read(), most);
    most = reader->read();
  }
  EXPECT_EQ(most, 2U);
  const std::string more = bytes + "x";
  auto longer = BatchReader::open(more);
  Sample read;
  while (longer->next(read)) {
  }
  EXPECT_TRUE(longer->broken());
  EXPECT_EQ(longer->read(), 3U);
}

TEST(Batch, RefusesOtherBytes) {
  EXPECT_FALSE(BatchReader::open(""));
  EXPECT_FALSE(BatchReader::open("WFB2" + std::string(20, '\0')));
  EXPECT_FALSE(BatchReader::open("WFB1" + std::string(19, '\0')));
  EXPECT_FALSE(BatchReader::open("WFB1" + std::string(16, '\0') + "\xff\xff\xff\xff"));
  const std::string head = "WFB1" + std::string(16, '\0') + std::string("\x01\0\0\0", 4);
  const std::string_view broken[] = {
      "\xff\xff\xff\xff\xff\x01",                       // a varint of more than 32 bits
      std::string_view("\x01\x00\x00\x80\x80\x02", 6),  // an unknown field
      std::string_view("\x01\x00\x00\x10\x80\x02", 6),  // a utilization of 256
  };
  for (const std::string_view body : broken) {
    const std::string bytes = head + std::string(body);
    auto reader = BatchReader::open(bytes);
    ASSERT_TRUE(reader);
    Sample read;
    EXPECT_FALSE(reader->next(read));
    EXPECT_TRUE(reader->broken());
  }
}

TEST(Batch, AUsualSampleTakesFewBytes) {
  Sample s{.endpoint = 300'000, .second = 5000};
  s.requests = 25;
  s.ln_latency = 25 * 2'500;
  const std::string bytes = batch({s});
  EXPECT_LE(bytes.size() - kBatchHeaderBytes, 10U);
}

TEST(Batch, ASecondTooFarFromTheBaseIsNotTaken) {
  std::string out;
  BatchWriter writer(out, 1, 1, 5000);
  EXPECT_FALSE(writer.add({.second = 4999}));
  EXPECT_FALSE(writer.add({.second = 5128}));
  EXPECT_TRUE(writer.add({.second = 5127}));
}

}  // namespace
}  // namespace weir::fleet
