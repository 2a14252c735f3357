"""The measures. Each returns a dictionary of figures for one contender and one round."""
import json
import os
import pathlib
import re
import subprocess
import sys
import threading

import contenders

sys.path.insert(0, str(contenders.ROOT / "bench" / "lib"))
import weir as weir_lib  # noqa: E402  (bench/lib)


def cpu_seconds(pids):
    """Processor time of all threads of these processes, from the scheduler's own account."""
    total = 0
    for pid in pids:
        for task in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"):
            try:
                total += int(task.read_text().split()[0])
            except (OSError, IndexError):
                pass
    return total / 1e9


def resident_mib(pids):
    total = 0
    for pid in pids:
        try:
            total += int(re.search(r"VmRSS:\s+(\d+)",
                                   pathlib.Path(f"/proc/{pid}/status").read_text()).group(1))
        except (OSError, AttributeError):
            pass
    return total / 1024


LUA = """
wrk.method = "POST"
wrk.path = %(path)s
wrk.body = %(body)s
%(headers)s
local bad = 0
response = function(status) if status ~= 200 then bad = bad + 1 end end
done = function(summary, latency)
  io.write(string.format(
    'JSON {"requests":%%d,"errors":%%d,"us":%%d,"p50_us":%%.1f,"p99_us":%%.1f}\\n',
    summary.requests, summary.errors.connect + summary.errors.read + summary.errors.write +
    summary.errors.status + summary.errors.timeout, summary.duration, latency:percentile(50),
    latency:percentile(99)))
end
"""


def wrk(contender, folder, core, connections, seconds):
    script = folder / "wrk.lua"
    lua = json.dumps  # a JSON string without non-ASCII is a Lua string, too
    script.write_text(LUA % {
        "path": lua(contender.path),
        "body": lua(weir_lib.request_body(contender.model, False).decode()),
        "headers": "\n".join(f"wrk.headers[{lua(name)}] = {lua(value)}"
                             for name, value in contender.headers())})
    out = subprocess.run(
        ["taskset", "-c", str(core), "wrk", "-t1", f"-c{connections}", f"-d{seconds}s",
         "--timeout", "10s", "--latency", "-s", str(script),
         f"{contender.scheme}://127.0.0.1:{contender.port}"], capture_output=True, text=True, check=True)
    return json.loads(re.search(r"^JSON (.*)$", out.stdout, re.M).group(1))


def whole(contender, folder, core, seconds):
    """Processor time a request at 32 connections, and latency at one."""
    wrk(contender, folder, core, 8, 1)  # warm
    before = cpu_seconds(contender.pids())
    busy = wrk(contender, folder, core, 32, seconds)
    spent = cpu_seconds(contender.pids()) - before
    one = wrk(contender, folder, core, 1, seconds)
    if busy["errors"] or one["errors"]:
        raise SystemExit(f"{contender.name}: {busy['errors'] + one['errors']} failed requests")
    return {"cpu_us": spent * 1e6 / busy["requests"],
            "requests_s": busy["requests"] / busy["us"] * 1e6,
            "p50_us": one["p50_us"], "p99_us": one["p99_us"],
            "rss_mib": resident_mib(contender.pids())}


def ladder(contender, folder, core, seconds):
    """The most requests a second whose p99 stays within 1 ms and 10 ms, over rising concurrency."""
    best = {"within_1ms": 0.0, "within_10ms": 0.0}
    for connections in (1, 2, 4, 8, 16, 32, 64, 128):
        run = wrk(contender, folder, core, connections, seconds)
        rate = run["requests"] / run["us"] * 1e6
        for key, most in (("within_1ms", 1000), ("within_10ms", 10_000)):
            if run["p99_us"] <= most and not run["errors"]:
                best[key] = max(best[key], rate)
        if run["p99_us"] > 10_000:
            break
    return best


def bench(contender, folder, core, options):
    """`weir bench`, and its figures."""
    out = folder / "bench.json"
    fields = [("authorization", f"Bearer {contender.key}"), *contender.fields]
    command = [os.environ["WEIR_BIN"], "bench", "-m", contender.model,
               *sum((["--header", f"{name}: {value}"] for name, value in fields), []),
               "--json", str(out), *map(str, options), f"http://127.0.0.1:{contender.port}"]
    ended = subprocess.run(["taskset", "-c", str(core), *command], capture_output=True, text=True,
                           check=False)
    if not out.exists():
        raise SystemExit(f"{contender.name}: weir bench: {ended.stderr[-500:]}")
    return json.loads(out.read_text())


def streamed(contender, folder, core, seconds, tokens):
    """Processor time a chunk, time to the first token and gaps, 32 streams at once."""
    before = cpu_seconds(contender.pids())
    run = bench(contender, folder, core,
                ["-c", 32, "-t", f"{seconds}s", "--output-tokens", tokens])
    spent = cpu_seconds(contender.pids()) - before
    calls = run["calls"]
    if calls["failed"] or not calls["succeeded"]:
        raise SystemExit(f"{contender.name}: {calls['failed']} streams failed: {run['errors']}")
    chunks = run["latency_ms"]["itl"]["count"] + calls["succeeded"]
    return {"cpu_us_chunk": spent * 1e6 / chunks,
            "ttft_p50_us": run["latency_ms"]["ttft"]["p50"] * 1000,
            "ttft_p99_us": run["latency_ms"]["ttft"]["p99"] * 1000,
            "gap_p99_us": run["latency_ms"]["itl"]["p99"] * 1000}


def watched(contender, work):
    """The most memory while `work` runs, and its result."""
    most = resident_mib(contender.pids())
    over = threading.Event()

    def watch():
        nonlocal most
        while not over.wait(0.5):
            most = max(most, resident_mib(contender.pids()))
    thread = threading.Thread(target=watch)
    thread.start()
    try:
        return work(), most
    finally:
        over.set()
        thread.join()


def held(contender, folder, core, streams, seconds):
    """Memory of so many open streams over what the process takes without them."""
    before = resident_mib(contender.pids())
    ramp = max(2, streams // 2000)
    run, most = watched(contender, lambda: bench(
        contender, folder, core, ["--streams", streams, "--ramp", f"{ramp}s", "-t",
                                  f"{seconds + ramp}s"]))
    return {"errors": run["calls"]["failed"], "open": run["calls"]["open_max"],
            "kib_a_stream": (most - before) * 1024 / streams}


def soak(contender, folder, core, minutes):
    """Memory at the tenth part of the time and at its end, under half of the load it can take."""
    wrk(contender, folder, core, 16, max(6, minutes * 6))
    early = resident_mib(contender.pids())
    run, most = watched(contender, lambda: wrk(contender, folder, core, 16, minutes * 54))
    return {"requests": run["requests"], "errors": run["errors"], "early_mib": early,
            "late_mib": resident_mib(contender.pids()), "most_mib": most}
