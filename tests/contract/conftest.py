"""Say how many requests the contract was tried with: pytest swallows prints."""

import pytest

from tests.contract import test_openapi


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    run = test_openapi.RUN
    if run:
        refused = sum(count for name, count in run.items() if name[-3:] >= "300")
        terminalreporter.write_line(
            f"contract: {run.total()} requests, {run.total() - refused} of them served"
        )
