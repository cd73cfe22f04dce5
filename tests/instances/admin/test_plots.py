"""Plots drawn by the server."""

from datetime import UTC, datetime, timedelta

from instances.admin.history import size, speed
from instances.admin.plots import MOST_POINTS, Frame, bar, plot, rates

END = datetime(2026, 11, 28, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
FRAME = Frame(END - timedelta(hours=24), END, timedelta(minutes=12))


def at(minutes_ago):
    return END - minutes_ago * MINUTE


def test_a_peak_stays_one_and_points_are_few():
    values = [(at(minute), 5.0) for minute in range(1439, 0, -1)]
    values[700] = (values[700][0], 99.0)
    found = plot("CPU", values, FRAME, str)
    assert found.label == "CPU: 5.0 last, at most 99.0"
    assert len(found.lines[0].split()) <= MOST_POINTS + 1
    assert found.marks[1] == (8.0, "99.0")


def test_a_gap_breaks_the_line():
    values = [(at(minute), 1.0) for minute in (300, 290, 60, 50)]
    assert len(plot("x", values, FRAME, str).lines) == 2


def test_a_lone_point_is_seen():
    (line,) = plot("x", [(at(60), 1.0)], FRAME, str).lines
    assert len(line.split()) == 2


def test_what_is_outside_is_left_out():
    found = plot("x", [(at(2000), 7.0)], FRAME, str)
    assert found.empty and not found.lines


def test_all_zero_lies_on_the_ground():
    found = plot("x", [(at(9), 0.0), (at(8), 0.0)], FRAME, str)
    assert {place.split(",")[1] for place in found.lines[0].split()} == {"90.0"}


def test_the_table_has_the_largest_of_each_part():
    found = plot("x", [(at(119), 1.0), (at(1), 3.0), (at(2), 2.0)], FRAME, str)
    assert found.rows[-1] == ("11-28 10:00", "3.0")
    assert found.rows[0][1] == "-"


def test_rates_leave_out_a_restart_and_a_long_silence():
    values = [(at(90), 0.0), (at(20), 60.0), (at(19), 120.0), (at(18), 6.0)]
    values.append((at(17), 66.0))
    assert list(rates(values, timedelta(minutes=12))) == [(at(19), 1.0), (at(17), 1.0)]


def test_bars_never_leave_their_frame():
    for used, of, width in ((5, 10, "50.0"), (20, 10, "100.0"), (1, 0, "0.0")):
        assert f'width="{width}"' in bar(used, of, "words")
    assert "bar-bad" in bar(99, 100, "<b>") and "&lt;b&gt;" in bar(1, 2, "<b>")


def test_sizes_have_two_digits_at_least():
    assert [size(value) for value in (0, 1023, 1536, 90 * 2**20)] == [
        *("0 B", "1023 B", "1.5 KiB", "90 MiB")
    ]
    assert speed(3 * 2**30) == "3.0 GiB/s"
