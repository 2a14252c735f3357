"""The house rules. A rule is a function over a Tree that yields findings (path, line, message).

Every rule has at least one bad sample in samples.py that it must find, and one good one it must
leave alone; the suite fails where a rule has none.
"""

import concurrent.futures
import json
import os
import re
import shutil
import subprocess

from tree import includes, is_test_file, numbered, raw_string_lines, room_of, without_comments

LINES_MAX = 600
COLUMNS_MAX = 100
# Catalogues: a text is one string, however long it is.
TEXTS = ("web/src/lib/messages.ts", "web/src/lib/messages_admin.ts")
FLOORS_FILE = "src/CMakeLists.txt"


class Skip(Exception):
    """A rule cannot be checked on this machine; the text says why."""


def floors(tree):
    """{room: rooms it declares}, in the order of src/CMakeLists.txt, lowest floor first."""
    rooms = {}
    text = re.sub(r"#.*", "", tree.files.get(FLOORS_FILE, ""))
    for match in re.finditer(r"\bweir_room\(\s*(\w+)([^)]*)\)", text):
        depends = re.search(r"\bDEPENDS\b((?:\s+\w+)*?)\s*(?=\bLIBRARIES\b|$)", match.group(2))
        rooms[match.group(1)] = depends.group(1).split() if depends else []
    return rooms


def floors_are_declared_in_order(tree):
    rooms = floors(tree)
    if not rooms:
        yield FLOORS_FILE, 1, "no weir_room(...) found: the floors cannot be checked"
    seen = set()
    for room, depends in rooms.items():
        for other in depends:
            if other not in seen:
                yield FLOORS_FILE, 1, f"{room} depends on {other}, which is not on a lower floor"
        seen.add(room)
    for path in tree.cpp():
        if room_of(path) and room_of(path) not in rooms:
            yield path, 1, f"{room_of(path)} is not a room of {FLOORS_FILE}"


def rooms_include_only_lower_rooms(tree):
    rooms = floors(tree)
    for path, text in tree.cpp().items():
        room = room_of(path)
        if room not in rooms:
            continue
        for number, kind, target in includes(text):
            if kind == "<":
                continue
            other = target.split("/")[0]
            if "/" not in target or other not in rooms:
                yield path, number, f'"{target}": write own includes as "room/file.h"'
            elif other != room and other not in rooms[room]:
                yield path, number, (
                    f'"{target}": {room} may include {", ".join(rooms[room] + [room])}. A lower '
                    f"room that is missing there is added to DEPENDS in {FLOORS_FILE}")


# A third-party header, and the rooms that may see it. Everything else goes through those rooms.
HOMES = [
    (r"openssl/", {"net", "http", "access", "identity", "vault", "provider", "sim"},
     "TLS is net's; signatures, keys and JWTs need digests"),
    (r"argon2.h$", {"identity"}, "passwords are hashed in identity"),
    (r"(ares|ares_\w+)\.h$", {"net"}, "the resolver lives in net"),
    (r"nghttp2/", {"http"}, "HTTP/2 lives in http"),
    (r"sys/epoll\.h$", {"net"}, "the event loop lives in net"),
    (r"sqlite3\.h$", {"store"}, "the database lives in store"),
    (r"zstd\.h$", {"store"}, "compression of stored bytes lives in store"),
    (r"yaml-cpp/", {"app"}, "configuration files are read in app"),
    (r"regex$", set(), "std::regex is slow and recursive: write a small reader"),
    (r"(asio|boost|nlohmann)(/|\.hpp$)", set(), "not a library of this project (ARCHITECTURE.md)"),
]


# `weir version` asks each library for the version that is loaded.
NAMES_ALL_LIBRARIES = "src/app/version.cc"


def third_party_headers_stay_home(tree):
    for path, text in tree.cpp().items():
        if path == NAMES_ALL_LIBRARIES:
            continue
        room = room_of(path)
        for number, kind, target in includes(text):
            for pattern, rooms, why in HOMES:
                outside_src = room is None and rooms  # whole-server tests may look inside
                if kind == "<" and re.match(pattern, target) and room not in rooms \
                        and not outside_src:
                    yield path, number, f"<{target}> does not belong here: {why}"


PURE_ROOMS = {"base", "dialect"}
IO_HEADERS = re.compile(r"(sys/(socket|un|mman|uio|stat)\.h|netinet/.*|arpa/.*|netdb\.h|fcntl\.h|"
                        r"poll\.h|fstream|filesystem|thread|mutex|condition_variable|future)$")
# Files of base that exist to touch the system.
IO_FILES = re.compile(r"^src/base/(log|clock|random|file|process)[\w]*\.(h|cc)$")


def test_support(tree):
    """Headers of src/ that only tests include, and the .cc files of the same name."""
    users = {}
    for path, text in tree.cpp().items():
        for _, kind, target in includes(text):
            users.setdefault(f"src/{target}", set()).add(path)
    found = set()
    for header, including in users.items():
        source = header.removesuffix(".h") + ".cc"
        if all(is_test_file(path) for path in including - {source}):
            found |= {header, source}
    return found


def pure_rooms_have_no_io(tree):
    support = test_support(tree)
    for path, text in tree.cpp().items():
        if room_of(path) not in PURE_ROOMS or is_test_file(path) or IO_FILES.match(path):
            continue
        if path in support:
            continue
        for number, kind, target in includes(text):
            if kind == "<" and IO_HEADERS.match(target):
                yield path, number, f"<{target}>: {room_of(path)} is pure, without I/O or threads"


def files_are_short(tree):
    for path, text in tree.code().items():
        lines = text.count("\n")
        if lines > LINES_MAX:
            yield path, lines, f"{lines} lines, the limit is {LINES_MAX}: a second subject inside?"


def lines_are_short(tree):
    for path, text in tree.code().items():
        # What cannot be broken: a URL, and wire text in a raw string of C++.
        raw = raw_string_lines(text) if path.endswith((".cc", ".h")) else ()
        for number, line in numbered(text):
            if path in TEXTS:
                continue
            if len(line) > COLUMNS_MAX and "://" not in line and number not in raw:
                yield path, number, f"{len(line)} columns, the limit is {COLUMNS_MAX}"


def text_is_clean(tree):
    for path, text in (tree.code() | tree.under(".md") | tree.under(".txt")).items():
        if path.startswith(("tests/golden/", "fuzz/corpus/")):
            continue  # recorded as they came
        if text and not text.endswith("\n"):
            yield path, text.count("\n") + 1, "no newline at the end of the file"
        for number, line in numbered(text):
            if "\t" in line and not path.endswith(".md"):
                yield path, number, "a tab: indent with spaces"
            if line != line.rstrip():
                yield path, number, "spaces at the end of the line"


PROMISE = re.compile(r"\b(TO[D]O|FIX[M]E|XX[X]|HAC[K])\b")


def nothing_is_promised(tree):
    for path, text in (tree.code() | tree.under(".md") | tree.under("CMakeLists.txt")).items():
        for number, line in numbered(text):
            match = PROMISE.search(line)
            if match:
                yield path, number, f"{match.group(1)}: do it, or open an issue"


def headers_open_with_their_purpose(tree):
    for path, text in tree.under(".h").items():
        lines = text.splitlines()
        if not lines or not lines[0].startswith("// ") or len(lines[0]) < 20:
            yield path, 1, "a header opens with a comment: what it owns, its thread, its limits"
        code = [line for line in lines if line.strip() and not line.startswith("//")]
        if not code or code[0] != "#pragma once":
            yield path, 1, "the first line of code in a header is #pragma once"


MACHINE_PATH = re.compile(r"(?<![\w.\-/}$])/(work|farm)/|bash[_]jobs|/roo[t]/|/home/\w+/")
FOREIGN_REGISTRY = re.compile(r"--(extra-)?index-url|registry\s*=\s*http")


def nothing_names_one_machine(tree):
    for path, text in tree.files.items():
        for number, line in numbered(text):
            match = MACHINE_PATH.search(line) or FOREIGN_REGISTRY.search(line)
            if match:
                yield path, number, f"'{match.group(0).strip()}' exists on one machine only"
    for path, text in tree.under("package-lock.json").items():
        try:
            packages = json.loads(text).get("packages", {})
        except ValueError:
            yield path, 1, "not valid JSON"
            continue
        for name, package in packages.items():
            url = package.get("resolved", "")
            if url.startswith("http") and not url.startswith("https://registry.npmjs.org/"):
                yield path, 1, f"{name} was resolved at {url}, not at registry.npmjs.org"


SLEEP = re.compile(r"\b(this_thread::sleep_\w+|usleep|nanosleep)\s*\(")


def nothing_sleeps(tree):
    for path, text in tree.cpp().items():
        before = ""
        for number, line in numbered(text):
            if SLEEP.search(without_comments(line)) and "// Sleeps:" not in before + line:
                yield path, number, (
                    "a sleep decides nothing: wait for the event, or move the clock. Where real "
                    "time is the subject, say so on the line above: // Sleeps: why")
            before = line


MONEY_FILES = re.compile(r"(money|cost|price|budget|reserv)\w*\.(h|cc)$")


def money_is_never_floating(tree):
    for path, text in tree.cpp().items():
        if not MONEY_FILES.search(path) or is_test_file(path):
            continue
        for number, line in numbered(text):
            if re.search(r"\b(double|float)\b", without_comments(line)):
                yield path, number, "money is integer nano-dollars, never a floating-point number"


def fuzz_targets_have_seeds(tree):
    for path in tree.under("_fuzz.cc"):
        name = os.path.basename(path).removesuffix(".cc")
        if not tree.exists(f"fuzz/corpus/{name}"):
            yield path, 1, f"no seeds in fuzz/corpus/{name}/: put some typical and some odd inputs"


LINK = re.compile(r"(?<!!)\[[^\]\[]*\]\(([^()\s]+(?:\([^()]*\))?)\)|!\[[^\]]*\]\(([^()\s]+)\)")


def prose_lines(text):
    """Lines of a Markdown file outside fenced and inline code."""
    fenced = False
    for number, line in numbered(text):
        if re.match(r"\s*(```|~~~)", line):
            fenced = not fenced
        elif not fenced:
            yield number, re.sub(r"`[^`]*`", "", line)


def anchors_of(text):
    """Anchors as GitHub makes them from headings."""
    found, fenced = set(), False
    for _, line in numbered(text):
        if re.match(r"\s*(```|~~~)", line):
            fenced = not fenced
        match = None if fenced else re.match(r"#{1,6}\s+(.*?)\s*#*$", line)
        if match:
            title = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", match.group(1))
            slug = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
            count = sum(1 for other in found if re.fullmatch(re.escape(slug) + r"(-\d+)?", other))
            found.add(slug if not count else f"{slug}-{count}")
    return found


def links_resolve(tree):
    for path, text in tree.under(".md").items():
        for number, line in prose_lines(text):
            for match in LINK.finditer(line):
                target = match.group(1) or match.group(2)
                if re.match(r"[a-z][a-z0-9+.\-]*:", target):
                    continue  # another site or a mail address
                file, _, anchor = target.partition("#")
                base = os.path.dirname(path)
                full = os.path.normpath(os.path.join(base, file)) if file else path
                if full.startswith("..") or not tree.exists(full):
                    yield path, number, f"{target}: there is no {full}"
                elif anchor and full in tree.files and anchor not in anchors_of(tree.files[full]):
                    yield path, number, f"{target}: {full} has no heading for #{anchor}"


def scripts_stop_at_errors(tree):
    for path, text in tree.code().items():
        first = text.split("\n", 1)[0]
        if "bash" in first and "set -euo pipefail" not in text and first.startswith("#!"):
            yield path, 1, "a bash script sets -euo pipefail"
        if path.endswith("/run") and tree.root and not os.access(
                os.path.join(tree.root, path), os.X_OK):
            yield path, 1, "a run script must be executable, or no suite runs it"


def sources_are_in_form(tree):
    formatter = shutil.which("clang-format-19")
    if not formatter:
        raise Skip("clang-format-19 is not installed")
    style = "{BasedOnStyle: Google, DerivePointerAlignment: false}"  # of the samples
    if ".clang-format" in tree.files:
        style = f"file:{os.path.join(tree.root, '.clang-format')}"

    def in_form(item):
        path, text = item
        result = subprocess.run(
            [formatter, f"--style={style}", f"--assume-filename={path}"],
            input=text, capture_output=True, text=True, check=True)
        return path, text, result.stdout

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, text, formed in pool.map(in_form, tree.cpp().items()):
            if text != formed:
                pairs = zip(text.splitlines(), formed.splitlines())
                line = next((n for n, (a, b) in enumerate(pairs, 1) if a != b), 1)
                yield path, line, "not in form: ./dev fmt"


RULES = [
    floors_are_declared_in_order,
    rooms_include_only_lower_rooms,
    third_party_headers_stay_home,
    pure_rooms_have_no_io,
    files_are_short,
    lines_are_short,
    text_is_clean,
    nothing_is_promised,
    headers_open_with_their_purpose,
    nothing_names_one_machine,
    nothing_sleeps,
    money_is_never_floating,
    fuzz_targets_have_seeds,
    links_resolve,
    scripts_stop_at_errors,
    sources_are_in_form,
]
