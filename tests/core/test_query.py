"""Selecting and sorting downloads."""

from __future__ import annotations

import pytest

from tui.core.download import Download, DownloadState
from tui.core.listing.query import (
    VIEW_STATES,
    DownloadQuery,
    FailureGroup,
    SortKey,
    View,
    by_cause_iter,
    select_iter,
)
from tui.core.listing.slices import run_at_once
from tui.core.request import DownloadRequest, origin_of


def download(
    id: int,
    name: str,
    state: DownloadState = DownloadState.QUEUED,
    *,
    size: int | None = None,
    received: int = 0,
    host: str = "a.example",
) -> Download:
    url = f"https://{host}/{name}"
    made = Download(id, DownloadRequest((url,)), origin_of(url), name)
    made.state = state
    made.size = size
    made.received = received
    return made


ROWS = [
    download(0, "b.iso", DownloadState.DONE, size=100, received=100),
    download(1, "A.iso", DownloadState.DOWNLOADING, size=300, received=30),
    download(2, "c.txt", DownloadState.WAITING, host="b.example"),
    download(3, "a.txt", DownloadState.FAILED, size=300),
    download(4, "d.txt", DownloadState.PAUSED, size=100, received=50),
    download(5, "e.txt", DownloadState.CANCELLED, size=0),
    download(6, "f.txt", DownloadState.QUEUED),
]


@pytest.mark.parametrize(
    ("view", "ids"),
    [
        (View.ALL, [0, 1, 2, 3, 4, 5, 6]),
        (View.ACTIVE, [1, 2]),
        (View.QUEUED, [6]),
        (View.DONE, [0]),
        (View.FAILED, [3]),
        (View.CANCELLED, [5]),
        (View.PAUSED, [4]),
    ],
)
def test_a_view_lists_its_states(view, ids):
    assert run_at_once(select_iter(ROWS, DownloadQuery(view))) == ids


def test_every_state_is_in_exactly_one_view_beside_all():
    for state in DownloadState:
        homes = [view for view, states in VIEW_STATES.items() if state in states]
        assert len(homes) == 2
        assert View.ALL in homes


@pytest.mark.parametrize(
    ("sort", "ids"),
    [
        (SortKey.ADDED, [0, 1, 2, 3, 4, 5, 6]),
        (SortKey.NAME, [1, 3, 0, 2, 4, 5, 6]),
        (SortKey.SIZE, [5, 0, 4, 1, 3, 2, 6]),
        (SortKey.PROGRESS, [2, 3, 5, 6, 1, 4, 0]),
        (SortKey.STATE, [1, 2, 3, 4, 6, 5, 0]),
        (SortKey.ACTIVITY, [1, 2, 3, 4, 6, 5, 0]),
        (SortKey.HOST, [0, 1, 3, 4, 5, 6, 2]),
    ],
)
def test_equal_rows_stay_in_the_order_of_adding(sort, ids):
    assert run_at_once(select_iter(ROWS, DownloadQuery(sort=sort))) == ids


@pytest.mark.parametrize("sort", SortKey)
def test_reversed_order_keeps_equal_rows_in_the_order_of_adding(sort):
    same = [download(number, "same") for number in range(3)]
    ids = run_at_once(select_iter(same, DownloadQuery(sort=sort, is_reversed=True)))
    assert ids == ([2, 1, 0] if sort is SortKey.ADDED else [0, 1, 2])


def test_reversing_puts_the_largest_first():
    ids = run_at_once(
        select_iter(ROWS, DownloadQuery(sort=SortKey.SIZE, is_reversed=True))
    )
    assert ids == [1, 3, 0, 4, 5, 2, 6]


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("ISO", [0, 1]),
        ("txt b.example", [2]),
        ("  txt   https ", [2, 3, 4, 5, 6]),
        ("a.txt", [3]),
        ("nothing", []),
        ("[", []),
    ],
)
def test_every_word_must_occur_in_name_folder_or_url(text, ids):
    assert run_at_once(select_iter(ROWS, DownloadQuery(text=text))) == ids


def test_a_folder_is_searched_as_well():
    row = download(0, "x")
    row.directory = "Images/new"
    assert run_at_once(select_iter([row], DownloadQuery(text="images/new/x"))) == [0]


def test_an_empty_finished_file_counts_as_complete():
    rows = [
        download(0, "half", DownloadState.DOWNLOADING, size=2, received=1),
        download(1, "empty", DownloadState.DONE, size=0),
    ]
    assert run_at_once(select_iter(rows, DownloadQuery(sort=SortKey.PROGRESS))) == [
        0,
        1,
    ]


def test_failures_are_grouped_by_cause():
    rows = [
        download(id, name, state)
        for id, (name, state) in enumerate(
            [
                ("z", DownloadState.CANCELLED),
                ("y", DownloadState.FAILED),
                ("x", DownloadState.FAILED),
                ("w", DownloadState.FAILED),
                ("v", DownloadState.CANCELLED),
                ("u", DownloadState.DONE),
                ("t", DownloadState.CANCELLED),
                ("s", DownloadState.FAILED),
            ]
        )
    ]
    for id, kind, status in ((1, "tls", 0), (2, "http_4xx", 410), (3, "http_4xx", 403)):
        rows[id].error_kind, rows[id].status = kind, status
    rows[7].error_kind, rows[7].status = "tls", 200
    query = DownloadQuery(View.FAILED, sort=SortKey.NAME)
    assert run_at_once(by_cause_iter(rows, query)) == [
        FailureGroup("tls", 0, [7, 1]),
        FailureGroup("http_4xx", 403, [3]),
        FailureGroup("http_4xx", 410, [2]),
    ]
    assert run_at_once(
        by_cause_iter(rows, DownloadQuery(View.FAILED, text="name:x"))
    ) == [FailureGroup("http_4xx", 410, [2])]
