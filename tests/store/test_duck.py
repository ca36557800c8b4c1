"""What only the embedded store can meet: locks, files of others and of later versions, a full disk, kill -9."""

import asyncio
import resource
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import duckdb
import numpy as np
import pytest

from fleet.batch import MachineKey
from store import Store, StoreLost, StoreRefused, StoreUnavailable, connect
from tests.store.conftest import HOUR, MS, NOW, A, B, C, batch, bucket, document, powers

ALL = (0, 4_000_000_000_000)
HOLDER = """
import asyncio, sys
from store import connect
async def hold():
    store = connect(sys.argv[1])
    await store.open()
    print("open", flush=True)
    sys.stdin.read()
asyncio.run(hold())
"""
WRITER = """
import asyncio, itertools, sys
from tests.store.conftest import MS, A, C, batch
from store import connect
async def write():
    store = connect(sys.argv[1])
    await store.open()
    for number in itertools.count():
        await store.write_readings(batch([A, C], range(MS + number * 50, MS + number * 50 + 50), power_w=float(number)))
        print(number, flush=True)
asyncio.run(write())
"""


def url(path: Path) -> str:
    return f"duckdb://{path}"


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[Store]:
    store = connect(url(path))
    await store.open()
    try:
        yield store
    finally:
        await store.close()


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """As a full disk does, the next block is refused; the interpreter ignores the signal."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def run(code: str, path: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, url(path)]
    root = Path(__file__).parents[2]
    return subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


async def test_a_file_that_another_process_holds_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.duckdb"
    with run(HOLDER, path) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        store = connect(url(path))
        with pytest.raises(StoreRefused, match=rf"PID {holder.pid}.*`resilian up`"):
            await store.open()
        await store.close()
        holder.kill()
    async with opened(path) as store:
        assert await store.known_machines() == []


async def test_a_file_of_a_later_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "store.duckdb"
    async with opened(path) as store:
        await store.write_readings(batch([A], [MS], power_w=1.0))
    with duckdb.connect(str(path)) as file:
        file.execute("UPDATE schema_version SET version = 99")
    store = connect(url(path))
    with pytest.raises(StoreRefused, match=r"newer version.*schema 99"):
        await store.open()
    await store.close()
    with duckdb.connect(str(path)) as file:
        assert file.execute("SELECT count(*) FROM readings").fetchone() == (1,)


async def test_a_file_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.duckdb"
    with duckdb.connect(str(path)) as file:
        file.execute("CREATE TABLE machines (name VARCHAR)")
    store = connect(url(path))
    with pytest.raises(StoreRefused, match="of another program"):
        await store.open()
    await store.close()


@pytest.mark.parametrize("kind", ["no database", "a folder", "below a file", "cut off"])
async def test_what_is_no_database_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "store.duckdb"
    if kind == "no database":
        path.write_bytes(b"machine,at,power_w\n" * 10_000)
    elif kind == "a folder":
        path.mkdir()
    elif kind == "below a file":
        path.write_bytes(b"")
        path = path / "store.duckdb"
    else:
        async with opened(path) as store:
            await store.write_readings(batch([A], range(MS, MS + 10_000), power_w=1.0))
        path.write_bytes(path.read_bytes()[:5000])
    store = connect(url(path))
    with pytest.raises(StoreRefused, match=r"store\.duckdb"):
        await store.open()
    await store.close()


async def test_folders_are_made(tmp_path: Path) -> None:
    async with opened(tmp_path / "a" / "b" / "store.duckdb") as store:
        assert await store.known_machines() == []


async def test_a_full_disk_is_unavailable_loses_nothing_and_recovers(tmp_path: Path) -> None:
    path = tmp_path / "store.duckdb"
    rng = np.random.default_rng(3)
    written = 0

    async def write_next() -> None:
        nonlocal written
        start = MS + written
        await store.write_readings(batch([A, C], range(start, start + 10_000), power_w=rng.random(10_000)))
        written += 10_000

    async def write_until_full() -> None:
        while True:
            await write_next()

    async with opened(path) as store:
        with no_file_larger_than(2_000_000), pytest.raises(StoreUnavailable, match=r"store\.duckdb"):
            await write_until_full()
        assert written > 0
        assert sum((await store.count_readings()).values()) in (written, written + 10_000)
        await write_next()
        await store.write_hours([bucket(A, HOUR)])
        assert sum((await store.count_readings()).values()) == written
    async with opened(path) as store:
        assert sum((await store.count_readings()).values()) == written


async def test_a_full_disk_at_opening_is_unavailable(tmp_path: Path) -> None:
    store = connect(url(tmp_path / "store.duckdb"))
    with no_file_larger_than(1000), pytest.raises(StoreUnavailable):
        await store.open()
    await store.open()
    assert await store.known_machines() == []
    await store.close()


@pytest.mark.faults
@pytest.mark.parametrize("life", range(5))
async def test_what_was_said_durable_survives_kill_9(tmp_path: Path, life: int) -> None:
    path = tmp_path / "store.duckdb"
    with run(WRITER, path) as writer:
        assert writer.stdout is not None
        said = [int(writer.stdout.readline()) for _ in range(5 + 17 * life)]
        writer.send_signal(signal.SIGKILL)
        said += [int(line) for line in writer.stdout.read().split()]
    async with opened(path) as store:
        found = await store.read_readings([A, C], *ALL)
        batches, sizes = np.unique(found.rows["power_w"], return_counts=True)
        assert set(said) <= set(batches.tolist())
        assert set(sizes.tolist()) == {50}  # a batch is there whole or not at all
        assert {(dirty.machine, dirty.hour) for dirty in await store.read_dirty(0)} == {(A, HOUR), (C, HOUR)}
        await store.write_readings(batch([A, B], [MS - 1, MS - 1], power_w=-1.0))


async def test_many_writers_and_readers_at_once(tmp_path: Path) -> None:
    async with opened(tmp_path / "store.duckdb") as store:
        machines = [MachineKey("alpha", f"m{i}") for i in range(20)]

        async def write(number: int) -> None:
            await store.write_readings(batch(machines, range(MS + number, MS + number + 40), power_w=1.0))
            await store.write_hours([bucket(key, HOUR) for key in machines])
            await store.write_documents([document(key, "outlook", number, "{}") for key in machines])
            await store.read_readings(machines, *ALL)
            await store.read_hours(None, 0, 2**40)

        await asyncio.gather(*(write(number) for number in range(20)))
        assert len(await store.read_hours(None, 0, 2**40)) == 20
        assert [found.at for found in await store.read_documents("outlook")] == [19] * 20
        assert len(await store.read_readings(machines, *ALL)) == len(
            {(n + i, i % 20) for n in range(20) for i in range(40)}
        )


async def test_arrivals_never_step_back_even_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "store.duckdb"
    async with opened(path) as store:
        await store.write_readings(batch([A], [MS], power_w=1.0))
    ahead = ALL[1]
    with duckdb.connect(str(path)) as file:
        file.execute("UPDATE dirty SET arrived_ms = ?", [ahead])  # as of a clock that was set back since
    async with opened(path) as store:
        await store.write_readings(batch([C], [MS], power_w=1.0))
        assert {dirty.machine for dirty in await store.read_dirty(ahead)} == {A, C}


async def test_a_store_that_is_not_open_says_so(tmp_path: Path) -> None:
    store = connect(url(tmp_path / "store.duckdb"))
    with pytest.raises(RuntimeError, match="not open"):
        await store.known_machines()


@pytest.mark.parametrize("replaced", [False, True])
async def test_a_file_removed_while_it_is_open_is_said_and_begun_anew(tmp_path: Path, replaced: bool) -> None:
    path = tmp_path / "store.duckdb"
    store = connect(f"duckdb://{path}")
    await store.open()
    await store.write_readings(batch([A], [NOW], power_w=[1.0]))
    other = tmp_path / "other.duckdb"
    if replaced:
        elsewhere = connect(f"duckdb://{other}")
        await elsewhere.open()
        await elsewhere.write_readings(batch([A], [NOW + 5], power_w=[5.0]))
        await elsewhere.close()
        other.replace(path)
    else:
        path.unlink()
    with pytest.raises(StoreLost, match="removed or replaced"):
        await store.write_readings(batch([A], [NOW + 1], power_w=[2.0]))
    await store.write_readings(batch([A], [NOW + 1], power_w=[2.0]))
    await store.close()
    await store.open()
    assert await powers(store, A) == ([2.0, 5.0] if replaced else [2.0])
    await store.close()
