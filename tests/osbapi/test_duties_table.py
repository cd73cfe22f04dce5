"""docs/osb.md says where each duty is tested, and it is true."""

from collections import Counter

from tests.osbapi import duties


def test_every_item_is_in_the_table_or_the_platforms_own():
    listed = {duty.item for duty in duties.duties()}
    missing = [
        item
        for item in duties.ALL_ITEMS
        if item not in listed and item not in duties.platforms_own()
    ]
    assert missing == []
    assert listed <= set(duties.ALL_ITEMS)
    assert not listed & duties.platforms_own()


def test_every_row_names_a_test_or_a_reason():
    for duty in duties.duties():
        assert duty.text and duty.level in duties.LEVELS, duty
        assert duty.kind != "tested" or duty.tests, duty


def test_every_named_test_exists_and_names_its_item():
    items = duties.tests().items
    wrong = []
    for duty in duties.duties():
        if duty.kind == "Elsewhere":
            missing = [n for n in duty.tests if not (duties.ROOT / n).is_file()]
            wrong += [(duty.item, name, "no such file") for name in missing]
            assert duty.tests, duty
            continue
        for name in duty.tests:
            if name not in items:
                wrong.append((duty.item, name, "no such test"))
            elif duty.item not in items[name]:
                wrong.append((duty.item, name, "its docstring has another item"))
    assert wrong == []


def test_every_item_that_a_test_names_is_in_the_table():
    listed = {duty.item for duty in duties.duties()}
    assert duties.tests().mentioned() - listed == set()


def test_the_summary_counts_the_rows():
    rows = duties.duties()
    counts = Counter(duty.kind for duty in rows)
    summary = (
        f"{counts['tested']} rows are tested here, {counts['Elsewhere']} elsewhere; "
        f"{counts['Does not apply']} do not apply; {counts['Not built']} are not built."
    )
    assert summary in duties.DOCUMENT.read_text(), summary
