"""What the bench's table says of its values."""

import pytest

from bench.report import Aim, Row, markdown, percentile

VALUES, FLOOR = [30.0, 10.0, 20.0], [8.0, 10.0, 12.0]


def cells(aim: Aim | None = None, unit: str = "ms") -> list[str]:
    return Row("bind", "redis", VALUES, FLOOR, unit, aim).cells()


class TestPercentile:
    @pytest.mark.parametrize(("share", "rank"), [(95, 29), (50, 15), (100, 30)])
    def test_it_is_the_nearest_rank_of_30(self, share: int, rank: int) -> None:
        assert percentile(range(30, 0, -1), share) == rank

    def test_of_one_value_it_is_that(self) -> None:
        assert percentile([7.0], 95) == 7.0


class TestRow:
    def test_without_an_aim_it_stands_beside_its_floor_as_a_ratio(self) -> None:
        assert cells() == [
            *("bind", "redis", "20.0 ms", "30.0", "30.0"),
            *("10.0", "2.00 x", "-", "-"),
        ]

    def test_nothing_is_told_as_nothing(self) -> None:
        row = Row("leased twice", "sqlite", [0], unit="times", aim=Aim(0))
        assert row.cells()[2:4] == ["0 times", "0"] and row.cells()[-1] == "yes"

    def test_without_a_floor_there_is_nothing_beside_it(self) -> None:
        row = Row("memory", "redis", [3.456], unit="MB", aim=Aim(3.5))
        assert row.cells()[2:] == [
            "3.46 MB",
            "3.46",
            "3.46",
            "-",
            "-",
            "≤ 3.5 MB",
            "yes",
        ]

    def test_a_rate_has_no_p95(self) -> None:
        assert cells(unit="/s")[2:5] == ["20.0 /s", "-", "-"]

    @pytest.mark.parametrize(
        ("aim", "shown"),
        [
            (Aim(2, of="ratio"), ["2.00 x", "≤ 2 x", "yes"]),
            (Aim(1.99, of="ratio"), ["2.00 x", "≤ 1.99 x", "no"]),
            (Aim(10, of="difference"), ["+10.0 ms", "≤ +10 ms", "yes"]),
            (Aim(9, of="difference"), ["+10.0 ms", "≤ +9 ms", "no"]),
            (Aim(20), ["2.00 x", "≤ 20 ms", "yes"]),
            (Aim(19), ["2.00 x", "≤ 19 ms", "no"]),
            (Aim(20, at_least=True), ["2.00 x", "≥ 20 ms", "yes"]),
            (Aim(21, at_least=True), ["2.00 x", "≥ 21 ms", "no"]),
        ],
    )
    def test_an_aim_is_met_up_to_its_limit(self, aim: Aim, shown: list[str]) -> None:
        assert cells(aim)[6:] == shown


class TestMarkdown:
    def test_every_line_has_as_many_cells(self) -> None:
        lines = markdown([Row("bind", "redis", VALUES, FLOOR)]).splitlines()
        assert len(lines) == 3
        assert {line.count("|") for line in lines} == {10}
