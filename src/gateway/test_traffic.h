// Scheduled: a TestWorld and its control plane: scripted providers, a manual clock, and the
// production scheduler judging once a second what the worker saw. Probes are made where it says so.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/probe_plan.h"
#include "gateway/test_world.h"
#include "gateway/traffic_control.h"

namespace weir::gateway {

inline constexpr std::string_view kAsk =
    R"({"model":"m","messages":[{"role":"user","content":"hi"}]})";
inline constexpr std::string_view kGood =
    R"({"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"fine"},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}})";
inline constexpr std::string_view kBad = R"({"error":{"message":"boom","type":"server_error"}})";

// play() sends requests at an even pace and judges each second.
class Scheduled {
 public:
  explicit Scheduled(const std::vector<std::string>& names,
                     provider::ProbeKind probing = provider::ProbeKind::off) {
    for (const std::string& name : names) {
      world.account(name);
      world.script(name, json_answer(200, kGood));
    }
    model = &world.model("m", names);
    model->retries.attempts = 1;
    model->probe = probing;
    control.configure(world.snapshot());
    publish();
  }
  void publish() { world.worker().traffic.use(control.table()); }
  void judge() {
    control.add(world.worker().traffic.take_samples(world.loop().now()));
    control.evaluate(world.loop().now());
    publish();
    for (const ProbeOrder& order : plan.due(world.snapshot(), control, world.loop().now())) {
      world.loop().spawn(probe(world.worker(), order));
      world.loop().run_until_idle();
    }
  }
  // Seconds without any client.
  void idle(int for_seconds) {
    for (int s = 0; s < for_seconds; ++s) {
      world.advance(Milliseconds(1000));
      judge();
    }
  }
  // The answers that clients got, and who gave them.
  void play(int for_seconds, int a_second, std::string_view body = kAsk) {
    for (int s = 0; s < for_seconds; ++s) {
      for (int i = 0; i < a_second; ++i) {
        const Answer answer = world.post("/v1/chat/completions", body);
        ++statuses[answer.status];
        ++served[answer.header("x-weir-deployment")];
        world.advance(Milliseconds(1000 / a_second));
      }
      judge();
    }
  }
  void forget() {
    statuses.clear();
    served.clear();
  }
  schedule::Verdict verdict(size_t index) {
    return control.seen(world.deployment("m", index).slot)->verdict;
  }
  uint16_t weight(size_t index) { return verdict(index).weight; }
  double share(const std::string& name) {
    int all = 0;
    for (const auto& [who, count] : served) all += count;
    return all == 0 ? 0 : served[name] / static_cast<double>(all);
  }

  TestWorld world;
  TrafficControl control{world.loop().now(), 0, 1};
  ProbePlan plan;
  Model* model = nullptr;
  std::map<int, int> statuses;
  std::map<std::string, int> served;
};

}  // namespace weir::gateway
