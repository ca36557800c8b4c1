"""Line protocol out of columns: every row once, in blocks of its member."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fleet.batch import NO_INT, MachineKey, ReadingBatch, empty_rows
from fleet.states import NO_STATE, STATES
from store.influx_lines import reading_lines

MACHINES = (MachineKey("b", "x"), MachineKey("a", "y z"), MachineKey("b", "y"))
_ROW = st.fixed_dictionaries(
    {
        "machine": st.integers(0, 2),
        "state": st.sampled_from([NO_STATE, *range(len(STATES))]),
        "power_w": st.floats(0, 1e12) | st.just(np.nan),
        "utilisation": st.floats(0, 1) | st.just(np.nan),
        "counter": st.just(NO_INT) | st.integers(0, 2**63 - 1),
        "seq": st.just(NO_INT) | st.integers(0, 9),
        "metrics": st.sampled_from(["", '{"a":1.0}', '{"50 %":2.0}']),
    }
)


@given(st.lists(_ROW, max_size=12), st.integers(1, 5))
def test_every_row_is_one_line_of_its_member(found: list[dict[str, float]], at_once: int) -> None:
    rows, metrics = empty_rows(len(found)), {}
    for index, row in enumerate(found):
        for name, value in row.items():
            if name != "metrics":
                rows[name][index] = value
        if row["metrics"]:
            metrics[index] = str(row["metrics"])
    rows["at_ns"] = np.arange(len(found)) + 10
    rows["arrived_ms"] = 7
    blocks = reading_lines(ReadingBatch(MACHINES, rows, metrics), at_once)
    lines = {}
    for block in blocks:
        texts = block.text.split("\n")
        assert len(texts) == len(block.rows) <= at_once
        for row, text in zip(block.rows.tolist(), texts, strict=True):
            assert MACHINES[rows["machine"][row]].member == block.member
            assert row not in lines
            lines[row] = text
    assert lines == {index: line(row, index + 10) for index, row in enumerate(found)}


def line(row: dict[str, float], at_ns: int) -> str:
    """One row as the protocol has it, field by field."""
    key = MACHINES[int(row["machine"])]
    fields = ["arrived=7i"]
    if row["state"] != NO_STATE:
        fields.append(f'state="{STATES[int(row["state"])].value}"')
    fields += [f"{name}={row[name]!r}" for name in ("utilisation", "power_w") if row[name] == row[name]]
    fields += [f"{name}={row[name]}i" for name in ("counter", "seq") if row[name] != NO_INT]
    if row["metrics"]:
        escaped = str(row["metrics"]).replace('"', '\\"')
        fields.append(f'metrics="{escaped}"')
    machine = key.machine.replace(" ", "\\ ")
    return f"readings,machine={machine},member={key.member} {','.join(fields)} {at_ns}"
