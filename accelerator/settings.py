"""Settings: environment variables, or the same keys in ``resilian.toml`` in the fleet's folder; the environment wins.

The only module of the product that reads the environment.
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from accelerator.problems import Missing, Usage

PREFIX = "RESILIAN_"
FILE = "resilian.toml"


class _Values(BaseSettings):
    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", env_ignore_empty=True)

    broker: str | None = None
    store: str | None = None
    store_token: SecretStr | None = None
    store_token_file: Path | None = None
    fleet: Path | None = None
    data_dir: Path = Field(default_factory=lambda: Path(platformdirs.user_data_dir("resilian")))
    port: int = Field(default=8080, ge=0, le=65535)
    listen: str = "127.0.0.1"
    device_port: int = Field(default=1883, ge=0, le=65534)
    log: str = Field(default="info", pattern="^(debug|info|warning|error)$")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (env_settings, init_settings)


@dataclass(frozen=True)
class Settings:
    """What the programs are started with, and where each value comes from.

    Attributes:
        broker: URL, or None for the embedded broker.
        store: URL, or None for the embedded store.
        device_port: where the embedded broker of `up` listens for devices: MQTT 5 there, 3.1.1 one above; 0 takes free
            ones.
        origin: setting name -> ``environment``, the file's path, ``command line`` or ``default``.
    """

    broker: str | None
    store: str | None
    store_token: SecretStr | None
    fleet: Path
    data_dir: Path
    port: int
    listen: str
    device_port: int
    log: str
    origin: Mapping[str, str]

    @property
    def token(self) -> str | None:
        """The store's token in the clear, or None."""
        return self.store_token.get_secret_value() if self.store_token else None

    @property
    def store_url(self) -> str:
        """The store's URL; the embedded store is a file of the data folder."""
        return self.store or f"duckdb:///{self.data_dir.absolute() / 'store.duckdb'}"

    @property
    def run_file(self) -> Path:
        """Where the owner of the embedded parts says how to reach it."""
        return self.data_dir / "run.json"


def load(*, fleet: Path | None = None, data_dir: Path | None = None, **given: Any) -> Settings:
    """Read the settings; arguments that are not None come from the command line and win.

    Raises:
        Usage: a value breaks its rule; names the setting, the value and the rule.
        Missing: a file that a setting names cannot be read.
    """
    first = _validated({})
    folder = fleet or first.fleet or (data_dir or first.data_dir) / "fleet"
    file = folder / FILE
    values = _validated(_file_values(file))
    chosen: dict[str, Any] = {name: getattr(values, name) for name in _Values.model_fields}
    origin = {name: _origin(name, values, file) for name in _Values.model_fields}
    for name, value in {**given, "data_dir": data_dir, "fleet": fleet}.items():
        if value is not None:
            chosen[name], origin[name] = value, "command line"
    token_file = chosen.pop("store_token_file")
    if chosen["store_token"] is None and token_file is not None:
        chosen["store_token"] = SecretStr(_read_token(token_file))
        origin["store_token"] = str(token_file)
    chosen["fleet"] = fleet or values.fleet or Path(chosen["data_dir"]) / "fleet"
    return Settings(**chosen, origin=origin)


def _validated(values: Mapping[str, Any]) -> _Values:
    try:
        return _Values(**values)
    except ValidationError as error:
        first = error.errors()[0]
        name = PREFIX + "_".join(str(part) for part in first["loc"]).upper()
        shown = "***" if "TOKEN" in name else repr(first["input"])
        raise Usage(f"{name} = {shown}: {first['msg']}") from None


def _file_values(file: Path) -> dict[str, Any]:
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Usage(f"{file}: not valid TOML: {error}") from None
    except OSError as error:
        raise Missing(f"{file}: cannot be read: {error.strerror}") from None
    return {name.removeprefix(PREFIX).lower(): value for name, value in table.items()}


def _origin(name: str, values: _Values, file: Path) -> str:
    if os.environ.get(PREFIX + name.upper()):
        return "environment"
    return str(file) if name in values.model_fields_set else "default"


def _read_token(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise Missing(f"RESILIAN_STORE_TOKEN_FILE = {path}: cannot be read: {error.strerror}") from None


def shown(settings: Settings) -> list[dict[str, str]]:
    """One row a setting: name, value with secrets masked, origin."""
    rows = []
    for name in ("broker", "store", "store_token", "fleet", "data_dir", "port", "listen", "device_port", "log"):
        value = getattr(settings, name)
        text = "embedded" if value is None and name in ("broker", "store") else str(value if value is not None else "")
        rows.append(
            {"name": PREFIX + name.upper(), "value": _mask(text), "origin": settings.origin.get(name, "default")}
        )
    return rows


def _mask(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    if separator and "@" in rest:
        account, _, place = rest.rpartition("@")
        return f"{scheme}://{account.partition(':')[0]}:***@{place}"
    return url
