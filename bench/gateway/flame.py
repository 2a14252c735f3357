"""Flame graphs: where the processor's time of a running program goes, as one self-contained SVG.

Samples come from `perf` (Debian package linux-perf), stacks by frame pointers; kernel and libraries
are in them. Where perf is missing or not allowed there is no graph, and the report says so.
"""
import html as escape
import re
import shutil
import subprocess
import zlib

WIDTH, ROW, LEAST = 1200, 17, 0.6  # pixels; a frame narrower than LEAST is not drawn


def missing():
    """Why no graph can be made here, or None."""
    if not shutil.which("perf"):
        return "perf is not installed (Debian package linux-perf)"
    tried = subprocess.run(["perf", "stat", "-e", "task-clock", "true"], capture_output=True,
                           check=False)
    return None if tried.returncode == 0 else "perf is not allowed here"


def short(symbol):
    """A C++ name without arguments, templates and the project's own namespace."""
    if symbol.startswith("["):
        return "?"
    symbol = re.sub(r"\((?!anonymous namespace\)).*", "", symbol.replace(" [clone .resume]", "~"))
    for _ in range(6):
        symbol = re.sub(r"<[^<>]*>", "", symbol)
    name = symbol.replace("(anonymous namespace)::", "").replace("weir::", "").split(" ")[-1]
    return name or "?"


def record(pid, folder, work, rate=1999):
    """Samples of the process while `work` runs, as {stack from the root: count}."""
    data = folder / "perf.data"
    with subprocess.Popen(["perf", "record", "-q", "-F", str(rate), "-g", "-p", str(pid), "-o",
                           str(data)], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as recorder:
        try:
            work()
        finally:
            recorder.terminate()
    told = subprocess.run(["perf", "script", "-i", str(data), "-F", "comm,tid,ip,sym"],
                          capture_output=True, text=True, errors="replace", check=True).stdout
    data.unlink()
    stacks = {}
    for sample in told.split("\n\n"):
        lines = [line for line in sample.strip("\n").split("\n") if line.strip()]
        if len(lines) < 2:
            continue
        frames = [short(line.strip().split(" ", 1)[1] if " " in line.strip() else "?")
                  for line in lines[1:]]
        frames = [frame for number, frame in enumerate(frames)
                  if number == 0 or frame != frames[number - 1]]
        stack = tuple(reversed([frame for frame in frames if frame != "?"] or ["?"]))
        stacks[stack] = stacks.get(stack, 0) + 1
    return stacks


def folded(stacks):
    return "".join(f"{';'.join(stack)} {count}\n" for stack, count in sorted(stacks.items()))


def tree_of(stacks):
    root = [0, {}]
    for stack, count in stacks.items():
        node = root
        node[0] += count
        for frame in stack:
            node = node[1].setdefault(frame, [0, {}])
            node[0] += count
    return root


def color(name):
    """Ours blue, the ledger's store orange, the kernel's and libraries' gray."""
    turn = zlib.crc32(name.encode()) % 30
    if name.startswith("sqlite3"):
        return f"hsl(28,85%,{58 + turn // 2}%)"
    if "::" in name and not name.startswith("std::"):
        return f"hsl(217,70%,{62 + turn // 2}%)"
    return f"hsl(215,12%,{70 + turn // 2}%)"


def svg(stacks):
    root = tree_of(stacks)
    if root[0] == 0:
        return ""
    drawn, deepest = [], 0

    def draw(node, x, depth):
        nonlocal deepest
        for name, child in sorted(node[1].items()):
            width = WIDTH * child[0] / root[0]
            if width >= LEAST:
                deepest = max(deepest, depth)
                drawn.append((name, child[0], x, depth, width))
                draw(child, x, depth + 1)
            x += width
    draw(root, 0.0, 0)
    height = (deepest + 1) * ROW + 4
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="100%" '
           'font-family="system-ui,sans-serif" font-size="11" class="flame">']
    for name, count, x, depth, width in drawn:
        y = height - (depth + 1) * ROW
        told = escape.escape(name)
        letters = int(width / 6.2)
        label = told if len(name) <= letters else escape.escape(name[:max(0, letters - 1)]) + "…"
        out.append(f'<g><title>{told}: {100 * count / root[0]:.2f} %</title>'
                   f'<rect x="{x:.1f}" y="{y}" width="{max(0.4, width - 0.4):.1f}" '
                   f'height="{ROW - 1}" fill="{color(name)}"/>' +
                   (f'<text x="{x + 3:.1f}" y="{y + 12}" fill="#0f172a" style="font-size:11px">'
                    f'{label}</text>' if letters >= 4 else "") + "</g>")
    return "".join(out) + "</svg>"
