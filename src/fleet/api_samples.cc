// Samples in: the handshake, JSON and binary batches. A bad item is counted and told, and never
// spoils the rest of its batch.
#include <fmt/format.h>

#include <array>

#include "fleet/api.h"
#include "fleet/batch.h"
#include "fleet/sample_json.h"

namespace weir::fleet {
namespace {

constexpr size_t kExamplesMost = 10;
constexpr json::Limits kBodyLimits{.depth_max = 8, .nodes_max = 4'000'000};

// What became of the items of one batch.
class Outcome {
 public:
  void add(schedule::Intake intake, uint32_t index, std::string_view reporter) {
    ++counts_[static_cast<size_t>(intake)];
    if (intake != schedule::Intake::accepted) example(index, to_string(intake), reporter);
  }
  void unreadable(uint32_t index, std::string_view message) {
    ++unreadable_;
    example(index, "unreadable", message);
  }
  uint64_t unreadable() const { return unreadable_; }

  // One log line for each reason, at most one in ten seconds.
  void complain(Api& api, std::string_view reporter) const {
    for (size_t i = 1; i < schedule::kIntakes; ++i)
      if (counts_[i] > 0)
        api.complaints.say(api.loop.now(), "fleet_samples_refused",
                           to_string(static_cast<schedule::Intake>(i)), reporter, first_[i],
                           counts_[i]);
    if (unreadable_ > 0)
      api.complaints.say(api.loop.now(), "fleet_samples_refused", "unreadable", reporter,
                         first_unreadable_, unreadable_);
  }
  void name_first(schedule::Intake intake, std::string_view what) {
    std::string& first = first_[static_cast<size_t>(intake)];
    if (first.empty()) first = what;
  }

  std::string json(Api& api, std::string_view broken) const {
    std::string body;
    json::Writer w(body);
    w.begin_object().member("accepted", counts_[0]).key("refused").begin_object();
    for (size_t i = 1; i < schedule::kIntakes; ++i)
      if (counts_[i] > 0) w.member(to_string(static_cast<schedule::Intake>(i)), counts_[i]);
    if (unreadable_ > 0) w.member("unreadable", unreadable_);
    w.end_object().key("examples").begin_array();
    for (const Example& e : examples_)
      w.begin_object()
          .member("index", e.index)
          .member("reason", e.reason)
          .member("message", e.message)
          .end_object();
    w.end_array();
    if (!broken.empty()) w.member("broken", broken);
    // So that a reporter with a wrong clock can tell.
    w.member("open_from", api.fleet.next_second()).end_object();
    return body;
  }

 private:
  struct Example {
    uint32_t index;
    std::string_view reason;
    std::string message;
  };
  void example(uint32_t index, std::string_view reason, std::string_view message) {
    if (first_unreadable_.empty() && reason == "unreadable") first_unreadable_ = message;
    if (examples_.size() < kExamplesMost)
      examples_.push_back({index, reason, std::string(message)});
  }
  std::array<uint64_t, schedule::kIntakes> counts_{};
  std::array<std::string, schedule::kIntakes> first_;
  uint64_t unreadable_ = 0;
  std::string first_unreadable_;
  std::vector<Example> examples_;
};

void take_json(Api& api, const json::Value& item, uint32_t index, uint32_t reporter,
               Outcome& outcome) {
  auto named = read_sample(item);
  if (!named) {
    ++api.counters.samples_unreadable;
    outcome.unreadable(index, named.error().message());
    return;
  }
  const Registry& registry = api.fleet.registry();
  const auto service = registry.find_service(named->service);
  const auto endpoint = service ? registry.find(*service, named->endpoint) : std::nullopt;
  const std::string what = fmt::format("{}/{}", named->service, named->endpoint);
  if (!endpoint) {
    ++api.counters.samples_unnamed;
    outcome.add(schedule::Intake::unknown_endpoint, index, what);
    outcome.name_first(schedule::Intake::unknown_endpoint, what);
    return;
  }
  schedule::Sample& sample = named->sample;
  if (!named->start.empty() && sample.view == schedule::View::server) {
    const Member& member = registry.member(*endpoint);
    if (member.start != named->start) {
      // The endpoint's own word that it is another process now.
      EndpointSpec spec = registry.spec_of(*endpoint);
      spec.start = named->start;
      (void)api.fleet.put_endpoint(named->service, spec);
    }
  }
  sample.endpoint = *endpoint;
  sample.marks = registry.member(*endpoint).tag;
  sample.reporter = reporter;
  const schedule::Intake intake = api.fleet.ingest(sample);
  outcome.add(intake, index, what);
  if (intake != schedule::Intake::accepted) outcome.name_first(intake, what);
}

Result<Reply> samples_json(Api& api, Call& call) {
  ++api.counters.batches_json;
  json::Document document;
  if (auto parsed = document.parse(call.body, kBodyLimits); !parsed) {
    ++api.counters.batches_broken;
    return fail(std::move(parsed).error());
  }
  const json::Value root = document.root();
  const auto name = root["reporter"].as_string();
  if (!name || !root["samples"].is_array()) {
    ++api.counters.batches_broken;
    return fail(ErrorCode::invalid_argument,
                R"(expected {"reporter":"who sends this","samples":[...]})");
  }
  WEIR_TRY(const uint32_t reporter, api.fleet.reporter(*name));
  Outcome outcome;
  uint32_t index = 0;
  for (const json::Value item : root["samples"].elements())
    take_json(api, item, index++, reporter, outcome);
  outcome.complain(api, *name);
  return json_reply(outcome.json(api, ""));
}

Result<Reply> samples_binary(Api& api, Call& call) {
  ++api.counters.batches_binary;
  auto reader = BatchReader::open(call.body);
  if (!reader) {
    ++api.counters.batches_broken;
    return fail(std::move(reader).error());
  }
  const BatchHeader& header = reader->header();
  if (header.numbers_id != api.fleet.numbers_id() ||
      !api.fleet.registry().knows_reporter(header.reporter)) {
    return json_reply(
        R"({"error":{"code":"numbers_unknown","message":"These numbers are of another fleet or another time: resolve the names again."}})",
        409);
  }
  Outcome outcome;
  schedule::Sample sample;
  while (reader->next(sample)) {
    const schedule::Intake intake = api.fleet.ingest(sample);
    if (intake == schedule::Intake::accepted) {
      outcome.add(intake, 0, {});
      continue;
    }
    const auto& info = api.fleet.registry().member(sample.endpoint).info;
    const std::string what =
        info != nullptr ? info->name : fmt::format("number {}", sample.endpoint);
    outcome.add(intake, reader->read() - 1, what);
    outcome.name_first(intake, what);
  }
  std::string broken;
  if (reader->broken()) {
    ++api.counters.batches_broken;
    broken = fmt::format("cannot be read behind sample {} of {}", reader->read(), header.count);
    api.complaints.say(api.loop.now(), "fleet_batch_broken", "bytes",
                       api.fleet.registry().reporter_name(header.reporter), broken);
  }
  outcome.complain(api, api.fleet.registry().reporter_name(header.reporter));
  return json_reply(outcome.json(api, broken), broken.empty() ? 200 : 400);
}

}  // namespace

net::Task<Result<Reply>> post_samples(Api& api, Call& call) {
  const std::string_view type = call.exchange.head().headers.get("content-type");
  if (type == kBatchType) co_return samples_binary(api, call);
  co_return samples_json(api, call);
}

net::Task<Result<Reply>> post_resolve(Api& api, Call& call) {
  json::Document document;
  WEIR_CO_CHECK_OK(document.parse(call.body, kBodyLimits));
  const json::Value root = document.root();
  const auto name = root["reporter"].as_string();
  const auto service = root["service"].as_string();
  if (!name || !service || (root["endpoints"] && !root["endpoints"].is_array()))
    co_return fail(ErrorCode::invalid_argument,
                   R"(expected {"reporter":"...","service":"...","endpoints":["...", ...]})");
  WEIR_CO_TRY(const uint32_t reporter, api.fleet.reporter(*name));
  const Registry& registry = api.fleet.registry();
  const auto at = registry.find_service(*service);
  std::string body;
  json::Writer w(body);
  w.begin_object()
      .member("reporter", reporter)
      .member("numbers_id", fmt::format("{:016x}", api.fleet.numbers_id()))
      .key("endpoints")
      .begin_object();
  const auto write = [&](std::string_view endpoint, uint32_t number) {
    w.key(endpoint).begin_array().number(number).number(registry.member(number).tag).end_array();
  };
  uint32_t unknown = 0;
  if (root["endpoints"]) {
    for (const json::Value item : root["endpoints"].elements()) {
      const auto endpoint = item.as_string();
      const auto number = at && endpoint ? registry.find(*at, *endpoint) : std::nullopt;
      if (number)
        write(*endpoint, *number);
      else
        ++unknown;
    }
  } else if (at) {
    for (const auto& [endpoint, number] : registry.service(*at).by_name) write(endpoint, number);
  }
  w.end_object().member("unknown", unknown).member("open_from", api.fleet.next_second());
  w.end_object();
  co_return json_reply(std::move(body));
}

}  // namespace weir::fleet
