"""``resilian device``: logins of devices at the broker, and what to type into each family of them."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from accelerator import jobs, output
from accelerator.commands.options import Data, Fleet, Json
from accelerator.connecting_relay import Relay, configuration
from accelerator.places import broker_beside, folder_of
from accelerator.problems import Found, Missing, Usage
from bus import certificates, logins
from bus.address import BrokerAddress
from fleet.families import CERTIFIED, FAMILIES, Device, sheet, sheet_with_certificate

device_app = typer.Typer(name="device", help="Logins of devices at the broker.", no_args_is_help=True)

MemberName = Annotated[str, typer.Argument(metavar="MEMBER", help="Slug of the member.")]
DeviceName = Annotated[str, typer.Argument(metavar="DEVICE", help="Name of the device, a-z, 0-9 and hyphens.")]
Logins = Annotated[
    Path | None,
    typer.Option("--logins", help="Folder of the broker's passwd and acl; default mosquitto/secrets beside the fleet."),
]
_SHOWS = {False: "password", True: "certificate"}
_RELOAD = "the broker of docker-compose.yml knows it within seconds; any other one reads its files at SIGHUP"


def logins_folder(given: Path | None, fleet: Path | None, data: Path | None) -> Path:
    """The folder of the broker's password file and rules.

    Raises:
        Missing: it is not there.
    """
    folder = given or broker_beside(folder_of(fleet, data)) / "secrets"
    if not folder.is_dir():
        raise Missing(f"{folder}: no broker's logins are kept there; run deploy/secrets, or name the folder: --logins")
    return folder


def new_login(folder: Path, member: str, device: str) -> tuple[str, str]:
    """Make a login: its name and password.

    Raises:
        Usage: a name that cannot be one.
        Found: it exists, or the files cannot be written.
    """
    try:
        logins.login_of(member, device)
    except logins.LoginRefused as error:
        raise Usage(str(error)) from None
    try:
        return logins.add_device(folder, member, device)
    except logins.LoginRefused as error:
        raise Found(str(error)) from None
    except OSError as error:
        raise Found(f"{error.filename or folder}: cannot be written: {error.strerror}") from None


def new_certificate(folder: Path, member: str, device: str, target: Path) -> tuple[str, tuple[str, str]]:
    """Make a login that shows a certificate, and write it and its key into ``target``: the login, the two paths.

    Raises:
        Usage: a name that cannot be one, or a folder that cannot take the files.
        Found: the login exists, or the files cannot be written.
        Missing: openssl is not there, or fails.
    """
    try:
        certificates.free(target, logins.login_of(member, device))
    except (logins.LoginRefused, OSError) as error:
        raise Usage(_in_words(error)) from None
    try:
        made = certificates.add_device(folder, member, device)
        paths = certificates.write(made, target)
    except (logins.LoginRefused, OSError) as error:
        raise Found(_in_words(error)) from None
    except certificates.ToolMissing as error:
        raise Missing(str(error)) from None
    return made.login, (str(paths[0]), str(paths[1]))


def _in_words(error: Exception) -> str:
    return f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else str(error)


@device_app.command("add")
def device_add(
    member: MemberName,
    device: DeviceName,
    broker: Annotated[str, typer.Option("--broker", help="Where the device connects to: mqtts://HOST:8883.")],
    family: Annotated[str, typer.Option("--family", help=f"One of {', '.join(FAMILIES)}.")] = "canonical",
    certificate: Annotated[
        Path | None,
        typer.Option("--certificate", metavar="FOLDER", help="No password: write a certificate and its key there."),
    ] = None,
    folder: Logins = None,
    fleet: Fleet = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Make a device's login, and say what to type into it.

    Field by field, for its family. Password or key are given this once.

    Example: resilian device add zorn cabine-1 --family tasmota --broker mqtts://mqtt.example.org
    """
    from accelerator.opening import broker_address

    if family not in FAMILIES:
        raise Usage(f"--family {family}: one of {', '.join(FAMILIES)}")
    address = broker_address(broker, "--broker")
    if member not in jobs.loaded(folder_of(fleet, data)).members:
        raise Usage(f"{member}: no such member; see `resilian member list`")
    place = logins_folder(folder, fleet, data)
    if certificate is None:
        login, password = new_login(place, member, device)
        found = sheet(family, Device(member, device, login, password, address.host, address.port, address.tls))
        once, secret = "The password is shown this once.", {"password": password}
    else:
        if family not in CERTIFIED:
            raise Usage(f"--certificate: a {family} device shows none; leave it out for a password")
        if not address.tls:
            raise Usage(f"--certificate: {address} has no TLS; say mqtts://HOST:8884")
        login, paths = new_certificate(place, member, device, certificate)
        bare = Device(member, device, "", "", address.host, address.port, True)
        found = sheet_with_certificate(family, bare, *paths)
        once, secret = f"{paths[1]} is kept nowhere else.", {"certificate": paths[0], "key": paths[1]}
    if as_json:
        fields = [{"field": name, "type": value} for name, value in found.fields]
        output.emit_json({"login": login, **secret, "family": family, **asdict(found), "fields": fields})
        return
    typer.echo(f"login {login} made; {_RELOAD}\n")
    rows = [{"field": name, "type": value} for name, value in found.fields]
    output.emit_table(rows, {"field": f"field of a {family} device", "type": "what to type"}, empty="")
    typer.echo("\n" + "\n".join(found.notes))
    typer.echo(f"{once} The machine's feed: topic {found.topic}, format {found.format}")


@device_app.command("list")
def device_list(
    member: Annotated[str | None, typer.Option("--member", help="Only this member's.")] = None,
    folder: Logins = None,
    fleet: Fleet = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """List the logins of devices; no password is kept anywhere.

    Example: resilian device list --member zorn
    """
    place = logins_folder(folder, fleet, data)
    certified = set(logins.certified(place))
    pairs = (name.split(".", 1) for name in logins.devices(place))
    rows = [
        {"login": (name := f"{m}.{d}"), "member": m, "device": d, "shows": _SHOWS[name in certified]}
        for m, d in pairs
        if member in (None, m)
    ]
    if as_json:
        output.emit_json(rows)
        return
    columns = {name: name for name in ("login", "member", "device", "shows")}
    output.emit_table(rows, columns, empty="no device has a login")


@device_app.command("remove")
def device_remove(
    member: MemberName, device: DeviceName, folder: Logins = None, fleet: Fleet = None, data: Data = None
) -> None:
    """Take a device's login away.

    Example: resilian device remove zorn cabine-1
    """
    place = logins_folder(folder, fleet, data)
    try:
        name = certificates.remove_device(place, member, device)
    except logins.LoginRefused as error:
        raise Found(str(error)) from None
    except certificates.ToolMissing as error:
        raise Missing(str(error)) from None
    except OSError as error:
        raise Found(f"{error.filename or place}: cannot be written: {error.strerror}") from None
    typer.echo(f"login {name} removed; {_RELOAD}")


def member_relay(
    member: MemberName,
    broker: Annotated[str, typer.Option("--broker", help="The network's: mqtts://[USER:PASSWORD@]HOST[:8883].")],
    listen: Annotated[
        str, typer.Option("--listen", metavar="PORT [ADDRESS]", help="For the plant's devices.")
    ] = "1883",
    keep: Annotated[str, typer.Option("--folder", help="Where the relay keeps what waits.")] = "/var/lib/mosquitto/",
    passwords: Annotated[
        str, typer.Option("--passwords", help="Password file of the plant's devices; '' lets anybody send.")
    ] = "/etc/mosquitto/resilian-devices",
    certificate: Annotated[
        Path | None,
        typer.Option("--certificate", metavar="FOLDER", help="No password: write its certificate and key there."),
    ] = None,
    folder: Logins = None,
    fleet: Fleet = None,
    data: Data = None,
) -> None:
    """Write the Mosquitto file of a relay in a member's plant.

    The relay keeps what the plant's devices send through an outage. Without a login in the broker's address the relay
    gets its own, MEMBER.relay; its password is in that file alone. With --certificate it shows a certificate instead,
    at the broker's listener for these (8884); a certificate that exists is named in the address:
    mqtts://HOST:8884?cert=FILE&key=FILE.

    Example: resilian member relay zorn --broker mqtts://mqtt.example.org > relay.conf
    """
    from accelerator.opening import broker_address

    address = broker_address(broker, "--broker")
    if member not in jobs.loaded(folder_of(fleet, data)).members:
        raise Usage(f"{member}: no such member; see `resilian member list`")
    folders = keep if keep.endswith("/") else f"{keep}/"
    makes = not (address.user or address.cert_file)
    try:
        # Whatever is wrong is found before a login is made.
        drafted = replace(address, user=f"{member}.relay", password="-", cert_file=certificate) if makes else address  # noqa: S106 - a place holder
        draft = Relay(member, drafted, listen, folders, passwords)
        if makes:
            own = _relays_own(address, logins_folder(folder, fleet, data), member, certificate)
            draft = replace(draft, address=own)
    except ValueError as error:
        raise Usage(str(error)) from None
    typer.echo(configuration(draft), nl=False)


def _relays_own(address: BrokerAddress, folder: Path, member: str, certificate: Path | None) -> BrokerAddress:
    """The address with a login that was made for the relay: a password, or a certificate in the folder given."""
    if certificate is None:
        login, password = new_login(folder, member, "relay")
        typer.echo(f"login {login} made; {_RELOAD}", err=True)
        return replace(address, user=login, password=password)
    login, (shown, key) = new_certificate(folder, member, "relay", certificate)
    typer.echo(f"login {login} made, {key} is kept nowhere else; {_RELOAD}", err=True)
    return replace(address, cert_file=Path(shown).absolute(), key_file=Path(key).absolute())


def register(root: typer.Typer, members: typer.Typer) -> None:
    """Add the commands of this family; ``members`` is the family ``member``."""
    root.add_typer(device_app)
    members.command("relay")(member_relay)
