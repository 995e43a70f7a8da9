"""Which tests may be left out: none unseen.

A ``real_data`` test is skipped, with its reason, where ERPSYNC_REAL_DATA is not set. With ERPSYNC_MUST_RUN=1
(``scripts/test --long`` sets it where the real documents are) a ``long``, ``real_data`` or ``shells`` test that is
skipped has failed, and so has a whole file that skips itself. ERPSYNC_CHECKS_FAILED=1 is repeated in the summary, so that a green
closing line does not hide a red ``scripts/check``.
"""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

_MUST = ("long", "real_data", "shells")


def _must_run() -> bool:
    return os.environ.get("ERPSYNC_MUST_RUN") == "1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Real documents are asked for by marker alone: a test need not look for them itself."""
    if os.environ.get("ERPSYNC_REAL_DATA"):
        return
    absent = pytest.mark.skip(reason="ERPSYNC_REAL_DATA is not set: it names the folder of real documents")
    for item in items:
        if item.get_closest_marker("real_data"):
            item.add_marker(absent)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A skip becomes a failure where the test must run; expected failures stay what they are."""
    report = yield
    marked = [name for name in _MUST if item.get_closest_marker(name)]
    if _must_run() and report.skipped and marked and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} is marked {' and '.join(marked)} and must run here, but was skipped: {reason}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """A file that skips itself whole hides its markers too, so it may not."""
    report = yield
    if _must_run() and report.skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid} skips itself whole, and must run here: {reason}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What ``scripts/check`` found stands far above by now: say it again."""
    if os.environ.get("ERPSYNC_CHECKS_FAILED") == "1":
        terminalreporter.section("scripts/check failed, see above", red=True, bold=True)
