"""GIDs and their prefixes."""

from __future__ import annotations

import pytest

from tests.support.fake_service import FakeService
from tui.core.download import DownloadState
from tui.rpc.errors import RpcError
from tui.rpc.gids import Gids


@pytest.fixture
def gids():
    service = FakeService()
    for number in range(500):
        service.put(f"{number}.bin", DownloadState.DONE)
    return Gids(service, 0x0123456789ABCDEF), service


async def test_every_download_has_a_gid_of_its_own_and_is_found_by_it(gids):
    gids, _ = gids
    all_gids = [gids.of(id) for id in range(500)]
    assert len(set(all_gids)) == 500
    assert all(len(gid) == 16 for gid in all_gids)
    for id, gid in enumerate(all_gids):
        assert await gids.find(gid) == id
        assert await gids.find(gid.upper()) == id
        assert await gids.find(gid[:12]) == id


async def test_a_short_prefix_must_be_unique(gids):
    gids, _ = gids
    all_gids = [gids.of(id) for id in range(500)]
    for length in (1, 3, 7):
        prefix = all_gids[42][:length]
        matches = [gid for gid in all_gids if gid.startswith(prefix)]
        if len(matches) == 1:
            assert await gids.find(prefix) == 42
        else:
            with pytest.raises(RpcError, match=f"GID {prefix} is not unique"):
                await gids.find(prefix)


async def test_removed_downloads_are_not_found(gids):
    gids, service = gids
    service.remove([7])
    with pytest.raises(RpcError, match="is not found"):
        await gids.find(gids.of(7))
    assert gids.exact(gids.of(7)) == 7


async def test_a_chosen_gid_replaces_the_computed_one(gids):
    gids, _ = gids
    computed = gids.of(7)
    gids.choose(7, "00000000000000aa")
    assert await gids.find("00000000000000a") == 7
    with pytest.raises(RpcError, match="is not found"):
        await gids.find(computed)


@pytest.mark.parametrize("gid", ["0" * 16, "x" * 16, "ab", "a" * 17])
def test_what_is_no_gid_cannot_be_chosen(gids, gid):
    with pytest.raises(RpcError, match="Invalid GID"):
        gids[0].check(gid)


@pytest.mark.parametrize("gid", ["z" * 16, "", "ab", "-" + "0" * 15])
def test_what_is_no_gid_names_no_download(gids, gid):
    assert gids[0].exact(gid) is None


def test_gids_are_read_in_upper_case(gids):
    gids, _ = gids
    assert gids.exact(gids.of(7).upper()) == 7
