"""The files a rule looks at: the repository's own, or a bad sample held in memory."""

import pathlib
import re
import subprocess

CODE_SUFFIXES = {".cc", ".h", ".py", ".sh", ".cmake", ".ts", ".js", ".mjs", ".svelte"}


class Tree:
    """Paths (relative, with /) and their text. Files that are not UTF-8 text are left out."""

    def __init__(self, files, root=None):
        self.files = files
        self.root = root

    @classmethod
    def of_repository(cls, root):
        names = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=root, check=True, capture_output=True, text=True,
        ).stdout.split("\0")
        files = {}
        for name in filter(None, names):
            path = pathlib.Path(root, name)
            if not path.is_file() or path.is_symlink():
                continue
            try:
                files[name] = path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue
        return cls(files, root)

    def exists(self, path):
        """Whether a file or folder of that path is part of the project."""
        folder = path.rstrip("/") + "/"
        return path in self.files or any(name.startswith(folder) for name in self.files) or (
            self.root is not None and pathlib.Path(self.root, path).exists())

    def cpp(self):
        return {p: t for p, t in self.files.items() if p.endswith((".cc", ".h"))}

    def code(self):
        """Files a person writes as a program, scripts without a suffix among them."""
        return {p: t for p, t in self.files.items()
                if pathlib.PurePosixPath(p).suffix in CODE_SUFFIXES or t.startswith("#!")}

    def under(self, suffix):
        return {p: t for p, t in self.files.items() if p.endswith(suffix)}


def numbered(text):
    return enumerate(text.splitlines(), start=1)


def room_of(path):
    """src/http/h1/reader.cc -> http; None outside src/."""
    parts = path.split("/")
    return parts[1] if len(parts) > 2 and parts[0] == "src" else None


def is_test_file(path):
    return path.startswith("tests/") or re.search(r"_(test|bench|fuzz)\.cc$", path) is not None


INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def includes(text):
    """(line number, "<" or '"', what is included) of every include line."""
    for number, line in numbered(text):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1), match.group(2)


RAW_STRING = re.compile(r'R"([^(\s]{0,16})\(.*?\)\1"', re.S)


def raw_string_lines(text):
    """Numbers of the lines that a raw string literal touches."""
    lines = set()
    for match in RAW_STRING.finditer(text):
        first = text.count("\n", 0, match.start()) + 1
        lines.update(range(first, first + match.group(0).count("\n") + 1))
    return lines


def without_comments(line):
    """The line up to a // that is not inside a string. Good enough for single-line rules."""
    return re.sub(r'("(?:[^"\\]|\\.)*")|//.*', lambda m: m.group(1) or "", line)
