// A request row with every field filled, and log options for a test's own directory. For tests.
#pragma once

#include <cstdint>

#include "base/random.h"
#include "ledger/request_log.h"
#include "ledger/row.h"
#include "store/temporary_directory.h"

namespace weir::ledger {

inline constexpr int64_t kNoon = 1'795'348'800'000;  // 2026-11-22T12:00:00Z

inline RequestRow sample_row(Id id, uint64_t seed = 1) {
  Random random(seed);
  RequestRow row;
  row.id = id;
  row.start_ms = id.wall_ms();
  row.key_id = "search-prod";
  row.team = "search";
  row.project = "suggest";
  row.user = "user-17";
  row.tags = R"({"env":"prod"})";
  row.dialect = "openai_chat";
  row.endpoint = "/v1/chat/completions";
  row.model_asked = "gpt-4o";
  row.model = "gpt-4o";
  row.deployment = "gpt-4o/openai-main";
  row.account = "openai-main";
  row.provider = "openai";
  row.provider_model = "gpt-4o-2024-11-20";
  row.attempts = 1;
  row.attempts_text = R"([{"d":"gpt-4o/openai-main","s":200,"ms":812}])";
  row.status = 200;
  row.streamed = true;
  row.total_us = 812'345;
  row.ttft_us = 201'000;
  row.upstream_us = 812'000;
  row.usage.input = random.below(2000);
  row.usage.cache_read = 512;
  row.usage.cache_write_5m = 3;
  row.usage.cache_write_1h = 4;
  row.usage.input_audio = 5;
  row.usage.input_image = 6;
  row.usage.output = 300;
  row.usage.output_audio = 7;
  row.usage.output_image = 8;
  row.usage.reasoning = 100;
  row.usage.tool_calls = 2;
  row.usage.service_tier = "default";
  row.usage.reported = true;
  row.cost = Money::from_nano(1'234'567);
  row.price_row = "openai/gpt-4o-2024-11-20@2024-11-20";
  row.rates = R"({"input":2500000,"output":10000000})";
  row.list_cost = Money::from_nano(1'300'000);
  row.cost_state = CostState::final;
  row.config_generation = 3;
  row.bytes_in = 4000;
  row.bytes_out = 9000;
  return row;
}

inline LogOptions options_in(const store::TemporaryDirectory& directory) {
  LogOptions options;
  options.data_dir = directory.path();
  options.commit_interval = Milliseconds(5);
  return options;
}

}  // namespace weir::ledger
