#!/usr/bin/env python3
"""The command line of the program itself: help, exit codes, and what `weir check` says."""

import json
import re
import shutil

from harness import ROOT, check, command, equal, main, test, work_folder

VARIABLES = {name: f"{name.lower()}-0123456789abcdef" for name in (
    "WEIR_ADMIN_TOKEN OPENAI_API_KEY AZURE_KEY AZURE_TENANT AZURE_CLIENT AZURE_CLIENT_SECRET "
    "ANTHROPIC_API_KEY GEMINI_API_KEY WEIR_KEY WEIR_KEY_SEARCH WEIR_KEY_CI").split()}


def commands(words=()):
    """Every command path of the program, from its own help."""
    done = command(*words, "--help")
    equal(done.returncode, 0, f"weir {' '.join(words)} --help")
    check(done.stdout.strip() and not done.stderr, f"weir {words} --help: {done.stderr}")
    found = [words]
    section = re.search(r"^commands:?\n((?:  .*\n|\n)+)", done.stdout, re.M | re.I)
    for line in (section.group(1).splitlines() if section else []):
        entry = re.match(r"  ([a-z][a-z-]*)\b", line)
        if entry and entry.group(1) != "help":
            found += commands((*words, entry.group(1)))
    return found


@test
def every_commands_help_exits_with_0():
    found = commands()
    names = {words[0] for words in found if words}
    check({"serve", "check", "config", "import", "key", "prices", "version"} <= names, names)
    check(len(found) >= 14, found)
    for words in found:
        for help_ in (("-h",), ("--help",)):
            equal(command(*words, *help_).returncode, 0, f"weir {words} {help_}")
        equal(command("help", *words).returncode, 0, f"weir help {words}")


@test
def what_is_mistyped_exits_with_2_and_a_suggestion():
    for words, suggestion in [(("srve",), "serve"), (("chekc",), "check"),
                              (("serve", "--confg", "x"), "config"), (("key", "ad"), "add"),
                              (("serve", "-c"), "-c"), (("check", "a", "b", "c"), ""),
                              (("version", "--no-such"), "no-such")]:
        done = command(*words)
        equal(done.returncode, 2, f"weir {words}: {done.stdout}{done.stderr}")
        check(suggestion in done.stderr and not done.stdout, f"weir {words}: {done.stderr}")


@test
def version_says_what_it_was_built_with():
    done = command("version")
    equal(done.returncode, 0, "exit code")
    for word in ("weir ", "OpenSSL", "SQLite", "build"):
        check(word in done.stdout, done.stdout)


@test
def the_examples_are_valid():
    examples = sorted((ROOT / "examples").glob("*.yaml"))
    check(len(examples) >= 2, examples)
    for path in examples:
        text = path.read_text()
        needed = set(re.findall(r"\$\{([A-Z_]+)\}", text))
        values = {**VARIABLES, **{name: name.lower() + "-0123456789" for name in needed}}
        done = command("check", "-c", str(path), folder=ROOT, environment=values)
        equal(done.returncode, 0, f"{path.name}: {done.stderr}")
        check(f"{path} is valid" in done.stdout, done.stdout)
        for value in values.values():
            check(value not in done.stdout + done.stderr, f"{path.name}: a secret is shown")


@test
def an_example_without_its_variables_names_each():
    done = command("check", "-c", str(ROOT / "examples" / "minimal.yaml"))
    equal(done.returncode, 1, "exit code")
    for name in ("OPENAI_API_KEY", "WEIR_KEY"):
        check(name in done.stderr, done.stderr)


@test
def mistakes_are_told_with_line_column_and_the_nearest_name():
    folder = work_folder()
    path = folder / "weir.yaml"
    path.write_text("""\
servr:
  listen: "127.0.0.1:8080"
accounts:
  - name: a
    provider: opnai
    api_key: k
models:
  - name: m
    deployments:
      - account: b
        wieght: 3
    timeouts: { connect: fast }
keys:
  - { name: k, key: short }
""")
    done = command("check", "-c", str(path))
    equal(done.returncode, 1, "exit code")
    for place, word in [("1:1", "server"), ("5:15", "openai"), ("10:18", "b"), ("11:9", "weight"),
                        ("12:26", "fast"), ("14:21", "16")]:
        line = next((line for line in done.stderr.splitlines()
                     if f":{place}:" in line or f":{place} " in line), "")
        check(word in line, f"{place} with {word} is missing in:\n{done.stderr}")
    machine = command("check", "--json", str(path))
    equal(machine.returncode, 1, "exit code with --json")
    told = json.loads(machine.stdout)
    equal((told["valid"], len(told["problems"]) >= 6), (False, True), "--json")
    check(all({"severity", "line", "column", "path", "message"} <= set(problem)
              for problem in told["problems"]), told)
    shutil.rmtree(folder)


@test
def odd_files_are_refused_without_a_crash():
    folder = work_folder()
    path = folder / "weir.yaml"
    for name, data in {
            "binary": bytes(range(256)) * 100, "nul": b"models: []\0", "utf-16": "a: 1".encode(
                "utf-16"), "deep": b"[" * 100_000, "list": b"- 1\n- 2\n", "text": b"hello\n",
            "bomb": b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
                b"%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n" % (
                    98 + i, 98 + i, *[97 + i] * 9) for i in range(12)),
            "tabs": b"server:\n\tlisten: x\n", "huge": b"x" * (5 << 20)}.items():
        path.write_bytes(data)
        done = command("check", "-c", str(path))
        equal(done.returncode, 1, f"{name}: {done.stderr[:300]}")
        check(done.stderr.strip(), f"{name}: no message")
    equal(command("check", "-c", str(folder)).returncode, 1, "a folder")
    equal(command("check", "-c", str(folder / "none")).returncode, 1, "no file")
    shutil.rmtree(folder)


@test
def the_reference_on_disk_is_what_the_program_prints():
    done = command("config", "reference")
    equal(done.returncode, 0, "exit code")
    equal(done.stdout, (ROOT / "docs" / "reference" / "configuration.md").read_text(),
          "docs/reference/configuration.md")


if __name__ == "__main__":
    main()
