#include "admin/page.h"

#include <algorithm>
#include <iterator>

namespace weir::admin {
namespace {

// One plain page that needs no build: status, models and the newest requests. Values from the
// ledger are set as text, never as markup.
constexpr std::string_view kIndex = R"html(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Weir</title>
<link rel="stylesheet" href="/console.css">
<h1>Weir</h1>
<p id="status" role="status">Loading</p>
<form id="login" hidden>
  <label>Admin token <input id="token" type="password" autocomplete="current-password"></label>
  <button>Sign in</button>
</form>
<h2>Models</h2>
<table id="models"><thead><tr><th>Model<th>Deployment<th>Provider<th>Weight<th>In flight<th>State</thead>
<tbody></tbody></table>
<h2>Newest requests</h2>
<table id="requests"><thead><tr><th>Time<th>Model<th>Deployment<th>Status<th>Outcome<th>Input<th>Output<th>Cost (USD)<th>First byte<th>Total</thead>
<tbody></tbody></table>
<p><a href="/metrics">Metrics</a> · <a href="/api/v1/openapi.json">Admin API</a></p>
<script src="/console.js"></script>
)html";

constexpr std::string_view kStyle = R"css(
:root { color-scheme: light dark; --line: #8884; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --bad: #ff8a80; } }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line); }
.bad { color: var(--bad); }
)css";

constexpr std::string_view kScript = R"js("use strict";
const get = async (path) => {
  const token = sessionStorage.getItem("token");
  const answer = await fetch(path, token ? { headers: { authorization: "Bearer " + token } } : {});
  if (answer.status === 401) document.getElementById("login").hidden = false;
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.error.message);
  return body;
};
const fill = (table, rows) => {
  const body = document.querySelector("#" + table + " tbody");
  body.replaceChildren(...rows.map((cells) => {
    const row = document.createElement("tr");
    for (const [text, bad] of cells) {
      const cell = document.createElement("td");
      cell.textContent = text;
      if (bad) cell.className = "bad";
      row.append(cell);
    }
    return row;
  }));
};
const ms = (us) => us ? (us / 1000).toFixed(1) + " ms" : "";
const refresh = async () => {
  const status = document.getElementById("status");
  try {
    const [state, models, page] = await Promise.all(
      [get("/api/v1/status"), get("/api/v1/models"), get("/api/v1/requests?limit=25")]);
    document.getElementById("login").hidden = true;
    status.textContent = `Version ${state.version}, serving ${state.address}, configuration ` +
      `generation ${state.config_generation}` + (state.ledger.ok ? "" : ". Ledger: " + state.ledger.problem);
    fill("models", models.models.flatMap((model) => model.deployments.map((d) => [[model.name],
      [d.name], [d.provider], [d.weight], [d.in_flight],
      d.open ? ["open"] : [`parked by ${d.parked_by}, ${Math.ceil(d.parked_ms / 1000)} s left`, true]])));
    fill("requests", page.requests.map((r) => [[r.time], [r.model || r.model_asked], [r.deployment],
      [r.status || "", r.status >= 400], [r.outcome, r.outcome !== "ok"],
      [r.usage.input + r.usage.cache_read + r.usage.cache_write_5m + r.usage.cache_write_1h],
      [r.usage.output], [r.cost_state === "unpriced" ? "unpriced" : r.cost_usd +
        (r.cost_state === "estimated" ? " (estimated)" : "")], [ms(r.ttft_us)], [ms(r.total_us)]]));
  } catch (problem) {
    status.textContent = problem.message || "Weir does not answer.";
  }
};
document.getElementById("login").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("token", document.getElementById("token").value);
  refresh();
});
refresh();
setInterval(refresh, 3000);
)js";

constexpr Page kPages[] = {
    {"/", "text/html; charset=utf-8", kIndex},
    {"/console.css", "text/css; charset=utf-8", kStyle},
    {"/console.js", "text/javascript; charset=utf-8", kScript},
};

}  // namespace

const Page* find_page(std::string_view path) {
  const auto* at = std::find_if(std::begin(kPages), std::end(kPages),
                                [&](const Page& page) { return page.path == path; });
  return at == std::end(kPages) ? nullptr : at;
}

}  // namespace weir::admin
