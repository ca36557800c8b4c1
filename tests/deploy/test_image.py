"""The Dockerfile, read line by line: there is no engine to build it in every place this runs."""

import re
import shlex
import tomllib

from tests.deploy.conftest import ROOT

TEXT = (ROOT / "Dockerfile").read_text()
STEPS = [
    (line.split(" ", 1)[0], line.split(" ", 1)[1])
    for line in re.sub(r"\\\n\s*", "", TEXT).splitlines()
    if line and not line.startswith("#")
]
STAGES = "".join(f"{name} {rest}\n" for name, rest in STEPS).split("FROM ")[1:]


def test_it_has_two_stages_of_one_pinned_image() -> None:
    assert len(STAGES) == 2
    (image,) = re.findall(r"ARG PYTHON_IMAGE=(\S+)", TEXT)
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", image)
    assert all(stage.startswith("${PYTHON_IMAGE}") for stage in STAGES)
    minor = int(image.split(".")[1])
    classifiers = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["classifiers"]
    assert f"Programming Language :: Python :: 3.{minor}" in classifiers


def test_what_is_installed_is_pinned_by_hash_and_the_last_stage_installs_nothing() -> None:
    installs = re.findall(r"pip install ([^&\n]*)", STAGES[0])
    assert len(installs) == 2
    assert "--require-hashes -r requirements/runtime.txt" in installs[0]
    assert {"--no-deps", "--no-build-isolation"} <= set(shlex.split(installs[1]))
    assert "pip install" not in STAGES[1]
    assert "apt" not in TEXT
    pinned = (ROOT / "requirements" / "runtime.txt").read_text()
    backend = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    assert all(re.search(rf"^{name}==", pinned, re.MULTILINE) for name in backend)  # --no-build-isolation needs it


def test_it_runs_as_nobody_special() -> None:
    users = re.findall(r"^USER (.*)", STAGES[1], re.MULTILINE)
    assert users == ["10001:10001"]
    assert STAGES[1].index("USER") < STAGES[1].index("ENTRYPOINT")


def test_everything_copied_is_there_and_let_through_by_dockerignore() -> None:
    let = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = set()
    for name, rest in STEPS:
        words = [word for word in rest.split() if not word.startswith("--")]
        if name == "COPY" and "--from=build" not in rest:
            copied |= set(words[:-1])
    assert copied == let
    for path in copied:
        assert (ROOT / path).exists(), path
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"][
        "packages"
    ]
    assert set(packages) <= copied


def test_scripts_of_the_image_can_be_executed() -> None:
    for path in ("deploy/health", "deploy/influxdb/setup", "deploy/secrets", "deploy/devices"):
        assert (ROOT / path).stat().st_mode & 0o111, path
        assert (ROOT / path).read_text().startswith("#!/usr/bin/env python3\n")
