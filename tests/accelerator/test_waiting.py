"""A report waits for a worker that gets on, and not for one that does not."""

from accelerator import waiting


async def test_it_returns_when_nothing_is_left_or_nothing_moves() -> None:
    answers = iter([3, 2, 0])

    async def falling() -> waiting.Pending:
        return {"hours": next(answers), "sign": ""}

    async def stuck() -> waiting.Pending:
        return {"hours": 7, "sign": "still"}

    assert await waiting.until_derived(falling, 60) == 0
    assert await waiting.until_derived(stuck, 0) == 7
