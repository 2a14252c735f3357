"""The report: medians with their spread, ratios against nginx, and bars."""
import html as escape
import os
import statistics

import flame

# part -> (key, title, digits); the first is what the bars show.
COLUMNS = {
    "whole": [("cpu_us", "CPU µs a request", 1), ("requests_s", "requests/s, one core", 0),
              ("p50_us", "p50 µs, one connection", 0), ("p99_us", "p99 µs", 0),
              ("rss_mib", "memory MiB", 0), ("start_ms", "start to first answer ms", 0)],
    "streamed": [("cpu_us_chunk", "CPU µs a chunk", 2), ("ttft_p50_us", "TTFT p50 µs", 0),
                 ("ttft_p99_us", "TTFT p99 µs", 0), ("gap_p99_us", "gap p99 µs", 0)],
    "ladder": [("within_1ms", "requests/s, p99 within 1 ms", 0),
               ("within_10ms", "requests/s, p99 within 10 ms", 0)],
    "soak": [("late_mib", "memory MiB at the end", 1), ("early_mib", "at a tenth", 1),
             ("most_mib", "most", 1), ("requests", "requests", 0), ("errors", "errors", 0)],
}
COLUMNS["tls"] = COLUMNS["whole"]
STREAMS = [("kib_a_stream", "KiB a stream", 1), ("open", "open", 0), ("errors", "errors", 0)]
# What the text says of a part.
TOLD = {
    "whole": "Whole answers: 1 KiB of JSON in, 1 KiB out, keep-alive on both sides",
    "tls": "The same with TLS 1.3 on both sides, kept-alive connections",
    "streamed": "Streams: 100 tokens, one each 5 ms, 32 at once",
    "ladder": "Throughput within a bound",
    "soak": "Memory under load",
}


def machine():
    model = "unknown processor"
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            model = next(line.split(":", 1)[1].strip() for line in file if "model name" in line)
    except (OSError, StopIteration):
        pass
    return f"{model}, {os.cpu_count()} cores, Linux {os.uname().release}"


def median(values):
    return statistics.median(values)


def spread(values, digits):
    if len(values) < 2:
        return ""
    return f" ({min(values):,.{digits}f} to {max(values):,.{digits}f})"


def rows(result, part):
    """(contender, [cells], ratio of the first figure to nginx's) in ascending order of it."""
    columns = COLUMNS.get(part, STREAMS)
    figures = result["parts"][part]
    base = figures.get("nginx", {}).get(columns[0][0])
    made = []
    for name, values in figures.items():
        cells = [f"{median(values[key]):,.{digits}f}{spread(values[key], digits)}"
                 for key, _, digits in columns if key in values]
        first = median(values[columns[0][0]])
        ratio = first / median(base) if base and median(base) > 0 and name != "direct" else None
        made.append((name, cells, ratio, first))
    return columns, sorted(made, key=lambda row: row[3])


def text(result):
    out = [f"{result['machine']}; load before {result['load_before']:.1f}, "
           f"after {result['load_after']:.1f}"]
    for part in result["parts"]:
        columns, made = rows(result, part)
        out += ["", TOLD.get(part, part), "",
                "| contender | " + " | ".join(title for _, title, _ in columns) + " | × nginx |",
                "|---" * (len(columns) + 2) + "|"]
        for name, cells, ratio, _ in made:
            told = f"{ratio:.2f}" if ratio is not None else ""
            out.append(f"| {name} | " + " | ".join(cells) + f" | {told} |")
    whole = result["parts"].get("whole", {})
    if "weir bare relay" in whole and "weir governed" in whole:
        governed, bare = (median(whole[name]["cpu_us"])
                          for name in ("weir governed", "weir bare relay"))
        out += ["", f"governed / bare relay: {governed / bare:.2f}"]
    out += ["", *result["notes"]]
    return "\n".join(out)


def bars(made):
    most = max((row[3] for row in made), default=1) or 1
    height = 26 * len(made)
    parts = [f'<svg viewBox="0 0 900 {height}" role="img" width="100%">']
    for number, (name, cells, _, first) in enumerate(made):
        y = 26 * number
        color = "#2563eb" if name.startswith("weir") else "#94a3b8"
        parts.append(f'<text x="150" y="{y + 17}" text-anchor="end">{escape.escape(name)}</text>'
                     f'<rect x="160" y="{y + 4}" width="{max(1, 560 * first / most):.1f}" '
                     f'height="18" fill="{color}"/>'
                     f'<text x="{170 + 560 * first / most:.1f}" y="{y + 17}">'
                     f'{escape.escape(cells[0].split(" (")[0])}</text>')
    return "".join(parts) + "</svg>"


def graph(stacks):
    """The flame graph of folded stacks."""
    counted = {}
    for line in stacks.splitlines():
        stack, _, count = line.rpartition(" ")
        counted[tuple(stack.split(";"))] = int(count)
    return flame.svg(counted)


def html(result):
    out = ["<!doctype html><html lang=en><meta charset=utf-8><title>What a gateway costs</title>",
           "<style>body{font:15px/1.5 system-ui,sans-serif;max-width:1000px;margin:2rem auto;"
           "padding:0 1rem;color:#0f172a}table{border-collapse:collapse;width:100%}"
           "td,th{padding:.3rem .6rem;border-bottom:1px solid #e2e8f0;text-align:right;"
           "font-variant-numeric:tabular-nums}td:first-child,th:first-child{text-align:left}"
           "svg text{font:13px system-ui,sans-serif;fill:#0f172a}h2{margin-top:2.5rem}</style>",
           "<h1>What a gateway costs</h1>",
           f"<p>{escape.escape(result['started'])}; {escape.escape(result['machine'])}; load "
           f"before {result['load_before']:.1f}, after {result['load_after']:.1f}. Medians over "
           "rounds (lowest to highest). Contender on one core, client and upstream on another.</p>"]
    for part in result["parts"]:
        columns, made = rows(result, part)
        out.append(f"<h2>{escape.escape(TOLD.get(part, part))}</h2>")
        out.append(f"<p>{escape.escape(columns[0][1])}</p>{bars(made)}")
        out.append("<table><tr><th>contender</th>" +
                   "".join(f"<th>{escape.escape(title)}</th>" for _, title, _ in columns) +
                   "<th>× nginx</th></tr>")
        for name, cells, ratio, _ in made:
            out.append(f"<tr><td>{escape.escape(name)}</td>" +
                       "".join(f"<td>{escape.escape(cell)}</td>" for cell in cells) +
                       f"<td>{'' if ratio is None else f'{ratio:.2f}'}</td></tr>")
        out.append("</table>")
    for part, stacks in result.get("flames", {}).items():
        out.append(f"<h2>Where the time of Weir, governed, goes: {escape.escape(part)}</h2>"
                   "<p>Samples of its processor time, callers below; Weir's own code is blue, the "
                   "ledger's store orange, the kernel and libraries gray; ~ marks a coroutine that "
                   f"goes on. Hold the pointer over a frame for its share.</p>{graph(stacks)}")
    out.append("<h2>How</h2><ul>" + f"<li>weir's program: {result['binary_mib']:.1f} MiB</li>" +
               "".join(
        f"<li>{escape.escape(name)}: {escape.escape(version)}</li>"
        for name, version in result["versions"].items()) + "".join(
            f"<li>{escape.escape(note)}</li>" for note in result["notes"]) +
               f"<li>./dev bench gateway {escape.escape(result['command'])}</li></ul></html>")
    return "\n".join(out) + "\n"
