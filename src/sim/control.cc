#include "sim/control.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json/document.h"
#include "base/json/writer.h"
#include "base/text.h"
#include "sim/route.h"

namespace weir::sim {
namespace {

constexpr size_t kCallsPerPage = 1000;

ControlAnswer refuse(int status, std::string_view message) {
  ControlAnswer answer;
  answer.status = status;
  json::Writer w(answer.body);
  w.begin_object().key("error").begin_object().member("message", message).end_object().end_object();
  return answer;
}

void write_rules(json::Writer& w, const Script& script) {
  w.begin_array();
  for (const Script::State& state : script.rules()) {
    const Rule& rule = *state.rule;
    w.begin_object().member("id", rule.id).member("name", rule.name).member("hits", state.hits);
    w.key("left");
    if (rule.times == 0) {
      w.null();
    } else {
      w.number(rule.times - std::min(rule.times, state.hits));
    }
    w.member("match", rule.match).member("model", rule.model);
    const std::string_view does = rule.fault   ? to_string(rule.fault->kind)
                                  : rule.reply ? "reply"
                                  : rule.raw   ? "raw"
                                               : "latency";
    w.member("does", does).end_object();
  }
  w.end_array();
}

ControlAnswer script_state(const Script& script) {
  ControlAnswer answer;
  json::Writer w(answer.body);
  w.begin_object().key("rules");
  write_rules(w, script);
  w.end_object();
  return answer;
}

ControlAnswer add_rules(Simulator::Impl& sim, std::string_view body, bool replace) {
  json::Document document;
  if (const auto parsed = document.parse(body); !parsed) {
    return refuse(400, parsed.error().message());
  }
  auto rules = parse_rules(document.root());
  if (!rules) return refuse(400, rules.error().message());
  if (replace) sim.script.clear();
  ControlAnswer answer;
  json::Writer w(answer.body);
  w.begin_object().key("ids").begin_array();
  for (Rule& rule : *rules) {
    const auto id = sim.script.add(std::move(rule));
    if (!id) return refuse(400, id.error().message());
    w.number(*id);
  }
  w.end_array().end_object();
  return answer;
}

ControlAnswer script(Simulator::Impl& sim, std::string_view method, std::string_view rest,
                     std::string_view body) {
  if (!rest.empty()) {
    const auto id = parse_uint64(rest);
    if (method != "DELETE" || !id) return refuse(405, "use DELETE /sim/v1/script/ID");
    if (!sim.script.remove(*id)) return refuse(404, "no such rule");
    return script_state(sim.script);
  }
  if (method == "GET") return script_state(sim.script);
  if (method == "POST" || method == "PUT") return add_rules(sim, body, method == "PUT");
  if (method != "DELETE") return refuse(405, "use GET, POST, PUT or DELETE");
  sim.script.clear();
  return script_state(sim.script);
}

ControlAnswer calls(Simulator::Impl& sim, std::string_view method, std::string_view query) {
  ControlAnswer answer;
  if (method == "DELETE") {
    sim.calls.clear();
    answer.body = "{}";
    return answer;
  }
  // Calls are told in the order they ended, so `since` counts ends, not arrivals.
  const uint64_t since = parse_uint64(query_value(query, "since")).value_or(0);
  const std::string model = query_value(query, "model");
  const uint64_t dropped = sim.calls.dropped();
  const auto& list = sim.calls.calls();
  uint64_t position = dropped;
  size_t written = 0;
  uint64_t next = dropped + list.size();
  json::Writer w(answer.body);
  w.begin_object().key("calls").begin_array();
  for (const Call& call : list) {
    if (++position <= since) continue;
    if (!model.empty() && call.model != model) continue;
    if (written++ == kCallsPerPage) {
      next = position - 1;
      break;
    }
    write_call(w, call);
  }
  w.end_array().member("next", next).member("more", written > kCallsPerPage);
  w.member("dropped", dropped).end_object();
  return answer;
}

ControlAnswer totals(Simulator::Impl& sim) {
  ControlAnswer answer;
  json::Writer w(answer.body);
  w.begin_object().key("all");
  write_totals(w, sim.calls.totals());
  w.key("models").begin_object();
  for (const auto& [name, one] : sim.calls.models()) {
    w.key(name);
    write_totals(w, one);
  }
  w.end_object().member("running", sim.server->counters().requests_running - 1);
  w.member("connections_open", sim.server->counters().connections_open);
  w.member("connections", sim.server->counters().connections).end_object();
  return answer;
}

ControlAnswer tokens(Simulator::Impl& sim, std::string_view method) {
  ControlAnswer answer;
  if (method == "DELETE") sim.tokens.revoke_all();
  json::Writer w(answer.body);
  w.begin_object().member("entra", sim.tokens.counters().entra);
  w.member("google", sim.tokens.counters().google);
  w.member("refused", sim.tokens.counters().refused).end_object();
  return answer;
}

}  // namespace

ControlAnswer answer_control(Simulator::Impl& sim, std::string_view method, std::string_view path,
                             std::string_view query, std::string_view body) {
  const std::string_view name = path.substr(0, path.find('/'));
  const std::string_view rest =
      name.size() < path.size() ? path.substr(name.size() + 1) : std::string_view();
  if (name == "script") return script(sim, method, rest, body);
  if (name == "calls") return calls(sim, method, query);
  if (name == "totals") return totals(sim);
  if (name == "tokens") return tokens(sim, method);
  if (name == "health") return {200, R"({"status":"ok"})"};
  return refuse(404, "no such path; there are script, calls, totals, tokens and health");
}

}  // namespace weir::sim
