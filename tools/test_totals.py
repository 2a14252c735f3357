#!/usr/bin/env python3
"""Adds up one ctest run: test_totals.py REPORTS

REPORTS holds ctest.xml (ctest --output-junit) and one GoogleTest report per program. Counts
test cases where a program left a report, else its own closing line, else the program as one test.
Names what failed and what was skipped, and ends with `N passed, M failed, K skipped`.
"""

import pathlib
import re
import sys
import xml.etree.ElementTree as ElementTree

CLOSING = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", re.M)


def count_report(root):
    """(passed, failed names, skipped {reason: count}) of one GoogleTest report."""
    passed, failed, skipped = 0, [], {}
    for case in root.iter("testcase"):
        note = case.find("skipped")
        if case.find("failure") is not None:
            failed.append(f"{case.get('classname')}.{case.get('name')}")
        elif note is not None or case.get("status") == "notrun":
            # The message begins with a line that says where the test stands.
            message = note.get("message", "") if note is not None else "\ndisabled"
            reason = " ".join(message.split("\n")[1:]).strip() or "no reason given"
            skipped[reason] = skipped.get(reason, 0) + 1
        else:
            passed += 1
    return passed, failed, skipped


def count_program(element, folder):
    """The same for one program of ctest, whatever kind it is."""
    name = element.get("name")
    broke = element.get("status") == "fail"
    report = folder / f"{name}_test.xml"
    if report.exists():
        passed, failed, skipped = count_report(ElementTree.parse(report).getroot())
        if broke and not failed:
            failed.append(f"{name} (the program itself: see its output above)")
        return passed, failed, skipped
    output = element.findtext("system-out") or ""
    closing = CLOSING.findall(output)
    if closing:
        passed, failures, skips = map(int, closing[-1])
        failed = [name] * max(failures, int(broke))
        return passed, failed, {name: skips} if skips else {}
    if broke:
        return 0, [f"{name} (ended without a report: see its output above)"], {}
    if element.get("status") == "run":
        return 1, [], {}
    return 0, [], {f"{name} did not run": 1}


def main():
    folder = pathlib.Path(sys.argv[1])
    root = ElementTree.parse(folder / "ctest.xml").getroot()
    passed, failed, skipped = 0, [], {}
    for element in root.iter("testcase"):
        more, names, reasons = count_program(element, folder)
        passed += more
        failed += names
        for reason, count in reasons.items():
            skipped[reason] = skipped.get(reason, 0) + count
    for reason, count in skipped.items():
        print(f"skipped {count}: {reason}")
    for name in failed:
        print(f"FAILED {name}")
    print(f"{passed} passed, {len(failed)} failed, {sum(skipped.values())} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
