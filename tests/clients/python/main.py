"""Runs the test files named on the command line (test_openai ...), each class with its own world.
Prints a line for each test that failed or was skipped, and the totals in the form that `./dev test`
adds up."""

import importlib
import os
import sys
import unittest
import warnings


class Result(unittest.TestResult):
    """Counts a test that has subtests by its subtests."""

    def __init__(self):
        super().__init__()
        self.passed = 0
        self.failed = 0
        self.subtests = set()

    def name_of(self, test):
        return test.id().removesuffix(")").replace(" (", ": ", 1)

    def tell(self, test, error):
        self.failed += 1
        text = self._exc_info_to_string(error, test)
        lines = [line for line in text.splitlines() if "site-packages" not in line]
        print(f"FAILED {self.name_of(test)}")
        print("\n".join(f"    {line[:2000]}" for line in lines[-40:]), flush=True)

    def addSuccess(self, test):
        if id(test) not in self.subtests:
            self.passed += 1
        if os.environ.get("WEIR_TEST_VERBOSE"):
            print(f"ok {self.name_of(test)}", flush=True)

    def addSubTest(self, test, subtest, err):
        self.subtests.add(id(test))
        if err is None:
            self.passed += 1
        else:
            self.tell(subtest, err)

    def addError(self, test, err):
        self.tell(test, err)

    def addFailure(self, test, err):
        self.tell(test, err)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        print(f"skipped {self.name_of(test)}: {reason}", flush=True)


def classes_of(module):
    # Not those that the module only imports.
    return [value for value in vars(module).values()
            if isinstance(value, type) and issubclass(value, unittest.TestCase)
            and value.__module__ == module.__name__]


def main():
    warnings.simplefilter("ignore", ResourceWarning)
    loader, result = unittest.TestLoader(), Result()
    for name in sys.argv[1:]:
        for case in classes_of(importlib.import_module(name)):
            unittest.TestSuite([loader.loadTestsFromTestCase(case)]).run(result)
    print(f"{result.passed} passed, {result.failed} failed, {len(result.skipped)} skipped")
    return 1 if result.failed else 0


if __name__ == "__main__":
    sys.exit(main())
