"""The files followed while a program runs. No wait here ends by the clock: each waits for the change itself."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fleet import edit
from fleet.batch import MachineKey
from fleet.registry import Registry, RegistryMissing, Watcher


async def until(changes: AsyncIterator[Registry], fits: str) -> Registry:
    """The first registry in which some member has this name."""
    async for registry in changes:
        if fits in {member.name for member in registry.members.values()}:
            return registry
    raise AssertionError("the changes ended")


async def test_edits_hand_written_and_replaced_files_all_arrive(folder: Path) -> None:
    watcher, stop = Watcher(folder), asyncio.Event()
    changes = watcher.changes(stop)
    path = folder / "members" / "dupont.toml"

    waiting = asyncio.ensure_future(until(changes, "Un"))
    edit.change_member(folder, "dupont", {"name": "Un"})  # replaced in one step
    assert (await waiting).members["dupont"].name == "Un"

    waiting = asyncio.ensure_future(until(changes, "Deux"))
    path.write_text(path.read_text().replace('"Un"', '"Deux"'))  # written in place
    assert await waiting is watcher.current

    waiting = asyncio.ensure_future(until(changes, "Neuf"))
    edit.add_member(folder, {"slug": "neuf", "name": "Neuf", "place": {"commune": "Hatten"}})
    await waiting

    waiting = asyncio.ensure_future(until(changes, "Trois"))
    draft = folder / "elsewhere"
    draft.write_text(path.read_text().replace('"Deux"', '"Trois"'))
    draft.replace(path)  # moved over it, as editors do
    assert (await waiting).members["dupont"].name == "Trois"

    stop.set()
    assert [registry async for registry in changes] == []


async def test_a_bad_file_is_said_and_the_last_good_one_stays(folder: Path) -> None:
    watcher, stop = Watcher(folder), asyncio.Event()
    changes = watcher.changes(stop)
    waiting = asyncio.ensure_future(anext(changes))
    await asyncio.sleep(0)
    (folder / "members" / "ulm.toml").write_text("slug = ")
    broken = await waiting
    assert broken.members["ulm"].name == "Ulm GmbH"
    assert broken.problems[0].file == "members/ulm.toml"
    waiting = asyncio.ensure_future(until(changes, "Ulm AG"))
    (folder / "members" / "ulm.toml").write_text('slug = "ulm"\nname = "Ulm AG"\nplace = { commune = "Hatten" }\n')
    assert (await waiting).problems == ()
    stop.set()
    await changes.aclose()


async def test_a_change_before_the_watch_began_is_not_missed(folder: Path) -> None:
    watcher = Watcher(folder)
    edit.add_machine(folder, "ulm", {"id": "fraise", "name": "Fraise"})
    stop = asyncio.Event()
    async for registry in watcher.changes(stop):
        assert registry.machine(MachineKey("ulm", "fraise")) is not None
        stop.set()


async def test_comments_are_no_change_and_members_may_come_later(folder: Path) -> None:
    shutil.rmtree(folder / "members")
    watcher, stop = Watcher(folder), asyncio.Event()
    assert watcher.current.members == {}
    seen: list[list[str]] = []

    async def follow() -> None:
        async for registry in watcher.changes(stop):
            seen.append(list(registry.members))
            if len(seen) == 1:
                path = folder / "members" / "neuf.toml"
                path.write_text("# a comment alone\n" + path.read_text())
                edit.add_member(folder, {"slug": "vieux", "name": "Vieux", "place": {"commune": "Hatten"}})
            else:
                stop.set()

    following = asyncio.create_task(follow())
    await asyncio.sleep(0)
    edit.add_member(folder, {"slug": "neuf", "name": "Neuf", "place": {"commune": "Hatten"}})
    await following
    assert seen == [["neuf"], ["neuf", "vieux"]]


async def test_stopping_ends_it_and_cancelling_does_not_stop_the_program(folder: Path) -> None:
    watcher, stop = Watcher(folder), asyncio.Event()

    async def follow() -> list[Registry]:
        return [registry async for registry in watcher.changes(stop)]

    cancelled = asyncio.create_task(follow())
    await asyncio.sleep(0)
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    assert not stop.is_set()
    stopped = asyncio.create_task(follow())
    stop.set()
    assert await stopped == []


def test_without_a_network_there_is_nothing_to_watch(tmp_path: Path) -> None:
    with pytest.raises(RegistryMissing):
        Watcher(tmp_path)
