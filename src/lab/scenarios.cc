// The fault library: a service of twenty servers at forty percent of its capacity, ten requests a
// second each, and what can befall it; and deployments of a model, driven by recorded traffic.
#include <algorithm>
#include <cstdio>
#include <fstream>

#include "lab/scenario.h"

namespace weir::lab {
namespace {

using Kind = Fault::Kind;

Scenario service(std::string name, std::string about, uint32_t servers = 20) {
  Scenario s;
  s.name = std::move(name);
  s.about = std::move(about);
  s.servers.assign(servers, {.workers = 3});
  s.rate = 10.0 * servers;
  return s;
}

Scenario with(Scenario s, uint32_t sick, std::vector<Fault> faults) {
  s.sick = sick;
  s.faults = std::move(faults);
  return s;
}

Scenario zones(std::string name, std::string about) {
  Scenario s = service(std::move(name), std::move(about), 24);
  for (uint32_t i = 0; i < 24; ++i) s.servers[i].zone = static_cast<uint16_t>(i / 8);
  return s;
}

std::vector<Scenario> services() {
  std::vector<Scenario> all;
  all.push_back(service("steady", "no fault"));
  all.push_back(with(service("error-half", "1 of 20 fails half of its requests"), 1,
                     {{.kind = Kind::errors, .size = 0.5}}));
  all.push_back(with(service("error-twentieth", "2 of 20 fail one request in twenty"), 2,
                     {{.kind = Kind::errors, .count = 2, .size = 0.05}}));
  all.push_back(with(service("sinkhole", "1 of 20 fails everything, in 2 ms"), 1,
                     {{.kind = Kind::errors, .size = 1, .error_ms = 2}}));
  all.push_back(with(service("slow-5x", "1 of 20 is five times as slow"), 1,
                     {{.kind = Kind::slow, .size = 5}}));
  all.push_back(with(service("slow-2x", "2 of 20 are twice as slow"), 2,
                     {{.kind = Kind::slow, .count = 2, .size = 2}}));
  all.push_back(with(service("sick-40", "8 of 20 fail half of their requests"), 8,
                     {{.kind = Kind::errors, .count = 8, .size = 0.5}}));
  all.push_back(with(service("sick-50", "10 of 20 fail half of their requests"), 10,
                     {{.kind = Kind::errors, .count = 10, .size = 0.5}}));
  all.push_back(with(service("storm", "a shared dependency: all fail three requests in ten"), 0,
                     {{.kind = Kind::errors, .count = 20, .size = 0.3}}));
  all.push_back(with(zones("zone-loss", "8 of 24, a zone, refuse connections"), 8,
                     {{.kind = Kind::refuse, .count = 8}}));
  all.push_back(with(zones("zone-slow", "8 of 24, a zone, are three times as slow"), 8,
                     {{.kind = Kind::slow, .count = 8, .size = 3}}));
  all.push_back(with(service("pauses", "3 of 20 stop for 1.5 s out of every 15"), 3,
                     {{.kind = Kind::pause, .count = 3, .size = 1.5, .period = 15}}));
  {
    Scenario s = service("rolling-restart", "each in turn leaves for 3 s and comes back cold");
    for (uint32_t i = 0; i < 20; ++i)
      s.faults.push_back({.kind = Kind::restart, .first = i, .from = 40.0 + 6 * i, .size = 3});
    s.fault_at = 40;
    s.fault_over = 160;
    all.push_back(std::move(s));
  }
  {
    Scenario s = with(service("canary", "a new version on 1 of 20 fails a fifth"), 1,
                      {{.kind = Kind::errors, .size = 0.2}});
    s.servers[0].version = 1;
    all.push_back(std::move(s));
  }
  all.push_back(with(service("flapping", "1 of 20 fails 8 of 10, ten seconds on, ten off"), 1,
                     {{.kind = Kind::errors, .to = 160, .size = 0.8, .period = 20}}));
  all.back().fault_over = 160;
  all.push_back(with(service("one-path", "1 of 4 clients cannot reach 1 of 20"), 0,
                     {{.kind = Kind::errors, .size = 0.9, .only_client = 1}}));
  {
    Scenario s = service("two-kinds", "half of the machines are twice as fast, 65 % load");
    for (uint32_t i = 0; i < 20; ++i) s.servers[i].median_ms = i % 2 ? 150 : 75;
    s.rate = 300;
    all.push_back(std::move(s));
  }
  {
    Scenario s = with(service("low-volume", "half a request a second each; 1 of 20 fails all"), 1,
                      {{.kind = Kind::errors, .size = 1}});
    s.rate = 10;
    all.push_back(std::move(s));
  }
  {
    Scenario s = with(service("retry-storm", "75 % load, 10 s of 3 times slower, 2 retries"), 0,
                      {{.kind = Kind::slow, .count = 20, .to = 70, .size = 3}});
    s.rate = 375;
    s.retries = 2;
    s.timeout = 1;
    all.push_back(std::move(s));
  }
  {
    Scenario s = with(service("crowd", "1 of 20 slow 4x while load goes from 40 to 85 %"), 1,
                      {{.kind = Kind::slow, .size = 4}});
    s.crowd_rate = 400;
    s.crowd_from = 75;
    s.crowd_to = 105;
    all.push_back(std::move(s));
  }
  return all;
}

Scenario model(std::string name, std::string about, uint32_t deployments) {
  Scenario s;
  s.name = std::move(name);
  s.about = std::move(about);
  s.servers.assign(
      deployments,
      {.workers = 8, .sigma = 0.15, .prefill_ms_per_token = 0.2, .decode_ms_per_token = 25});
  s.timeout = 120;
  s.clients = 1;  // one gateway
  s.seconds = 300;
  s.fault_at = 100;
  s.fault_over = 200;
  s.retries = 2;
  return s;
}

}  // namespace

std::vector<Request> read_trace(const std::string& path, double seconds, double speed) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);  // names of the columns
  std::vector<Request> out;
  double first = -1;
  while (std::getline(file, line)) {
    int hour = 0;
    int minute = 0;
    double second = 0;
    unsigned prompt = 0;
    unsigned answer = 0;
    if (std::sscanf(line.c_str(), "%*d-%*d-%*d %d:%d:%lf,%u,%u", &hour, &minute, &second, &prompt,
                    &answer) != 5)
      continue;
    const double at = hour * 3600 + minute * 60 + second;
    if (first < 0) first = at;
    const double since = (at - first) / speed;
    if (since >= seconds) break;
    if (since < 0 || prompt > 1'000'000 || answer > 1'000'000) continue;
    out.push_back({since, prompt, answer});
  }
  return out;
}

std::vector<Scenario> scenarios(const std::string& traces) {
  std::vector<Scenario> all = services();
  const auto conversation = read_trace(traces + "/conv.csv", 300, 1);
  const auto code = read_trace(traces + "/code.csv", 300, 1);
  if (conversation.empty() || code.empty()) return all;
  Scenario slow =
      with(model("llm-slow", "Azure conversations; 1 of 10 deployments 4 times slower", 10), 1,
           {{.kind = Kind::slow, .from = 100, .to = 200, .size = 4}});
  slow.trace = conversation;
  all.push_back(slow);
  Scenario errors =
      with(model("llm-errors", "Azure conversations; 1 of 10 fails half", 10), 1,
           {{.kind = Kind::errors, .from = 100, .to = 200, .size = 0.5, .error_ms = 300}});
  errors.trace = conversation;
  errors.retries = 0;
  all.push_back(errors);
  Scenario storm = model("llm-429", "Azure code; 2 of 6 deployments have a small token budget", 6);
  storm.trace = code;
  for (uint32_t i = 0; i < 2; ++i) storm.servers[i].tokens_per_minute = 30'000;
  storm.counts_429 = true;
  all.push_back(storm);
  return all;
}

}  // namespace weir::lab
