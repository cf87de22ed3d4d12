#!/usr/bin/env python3
"""Prints the firmware's costs beside their budgets, what took longest and how many tests ran; exits with 1 when one failed or none ran.

A ctest entry that is a GoogleTest or unittest program counts as the cases it says it ran.
usage: summary.py RESULTS_DIR SECONDS
"""
import pathlib
import re
import sys
import xml.etree.ElementTree as ElementTree

GTEST_LINE = re.compile(r"\[  (PASSED|FAILED)  \] (\d+) tests?[.,]")
PYTHON_LINE = re.compile(r"^Ran (\d+) tests? in", re.MULTILINE)
PYTHON_END = re.compile(r"^(?:OK|FAILED) \((.*)\)$", re.MULTILINE)
BUDGET_LINE = re.compile(r"(budget .+: \d+ of \d+)$", re.MULTILINE)  # of tests/system/budgets.py
SKIPPED_LINE = re.compile(r"\[  SKIPPED \] (\d+) tests?[.,]")


def cases(entry):
    """(passed, failed, skipped) of one ctest entry."""
    output = entry.findtext("system-out") or ""
    ok = entry.get("status") == "run"
    counts = dict.fromkeys(("PASSED", "FAILED"), 0)
    for kind, number in GTEST_LINE.findall(output):
        counts[kind] = int(number)
    skipped = sum(int(n) for n in SKIPPED_LINE.findall(output))
    if sum(counts.values()):
        return counts["PASSED"], max(counts["FAILED"], 0 if ok else 1), skipped
    ran = PYTHON_LINE.search(output)
    if not ran:
        return (1, 0, 0) if ok else (0, 1, 0)
    end = PYTHON_END.search(output)  # "skipped=2, failures=1": what was skipped counts as run there
    told = dict(re.findall(r"(\w+)=(\d+)", end.group(1))) if end else {}
    skipped = int(told.get("skipped", 0))
    failed = int(told.get("failures", 0)) + int(told.get("errors", 0))
    if not ok:
        failed = max(failed, 1)
    return max(int(ran.group(1)) - failed - skipped, 0), failed, skipped


def main():
    passed = failed = skipped = 0
    slowest = []
    budgets = []
    for file in sorted(pathlib.Path(sys.argv[1]).glob("*.xml")):
        for entry in ElementTree.parse(file).getroot().iter("testcase"):
            if entry.get("status") == "notrun":
                skipped += 1
                print(f"not run: {entry.get('name')}")
                continue
            budgets += BUDGET_LINE.findall(entry.findtext("system-out") or "")
            p, f, s = cases(entry)
            passed, failed, skipped = passed + p, failed + f, skipped + s
            slowest.append((float(entry.get("time", 0)), f"{file.stem}: {entry.get('name')}"))
            if f:
                print(f"FAILED: {file.stem}: {entry.get('name')}")
    for line in budgets:
        print(line)
    print("slowest:")
    for seconds, name in sorted(slowest, reverse=True)[:10]:
        print(f"  {seconds:7.1f} s  {name}")
    print(f"all of it took {sys.argv[2]} s")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
