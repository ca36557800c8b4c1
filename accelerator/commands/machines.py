"""``resilian machine``: machines added, listed, marked; and ``resilian feed``, what they listen to."""

import shlex
from typing import Annotated, Any

import typer

from accelerator import jobs
from accelerator.commands import claim
from accelerator.commands.devices import MemberName
from accelerator.commands.editing import MachineName, Yes, ask, editing, emit, slug_of
from accelerator.commands.options import Data, Fleet, Json
from accelerator.places import folder_of
from accelerator.problems import Usage
from fleet import edit
from fleet.batch import MachineKey
from fleet.claim import claim as make
from fleet.clock import now
from fleet.network import Feed, Trade
from fleet.topics import reading_topic

machine_app = typer.Typer(name="machine", help="Add, list and calibrate machines.", no_args_is_help=True)
feed_app = typer.Typer(name="feed", help="Take away what a machine listens to.", no_args_is_help=True)


@machine_app.command("add")
def machine_add(
    member: MemberName,
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]", help="The machine's name; may be guessed from a device.")
    ] = None,
    from_unclaimed: Annotated[
        bool,
        typer.Option(
            "--from-unclaimed", help="Guess the rest from a device that speaks; its TOPIC after it if several do."
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Take the guess without asking.")] = False,
    machine_id: Annotated[str | None, typer.Option("--id", help="Made from the name when absent.")] = None,
    trade: Annotated[Trade | None, typer.Option("--trade", help="Family of machines; other when absent.")] = None,
    topic: Annotated[str | None, typer.Option("--topic", help="Where the device publishes, below m/MEMBER/.")] = None,
    wire_format: Annotated[
        str | None, typer.Option("--format", help="canonical (the default), or a profile such as tasmota.")
    ] = None,
    channel: Annotated[str | None, typer.Option("--channel", help="Of a device with several channels.")] = None,
    every: Annotated[
        float | None, typer.Option("--every", help="Longest normal distance of two readings, seconds; 300.")
    ] = None,
    fleet: Fleet = None,
    data: Data = None,
) -> None:
    """Add a machine; without --topic it publishes canonical JSON.

    Example: resilian machine add zorn "Cabine 1" --trade paint --topic m/zorn/booth1/tele/SENSOR --format tasmota

    Example: resilian machine add zorn --from-unclaimed m/zorn/booth1/tele/SENSOR
    """
    name, found = _name_and_topic(words or [], from_unclaimed)
    given: dict[str, Any] = {"id": machine_id, "trade": trade and trade.value, "every": every}
    if from_unclaimed:
        feed = {"format": wire_format, "channel": channel}
        fields = claim.claimed(member, topic or found, name, given | feed, fleet, data, yes=yes)
    else:
        fields = {"id": machine_id or slug_of(name or ""), "name": name, "trade": "other", "every": 300.0}
        fields |= {key: value for key, value in given.items() if value is not None}
        if topic:
            feed = {"topic": topic, "format": wire_format or "canonical", "channel": channel}
            fields["feeds"] = [{key: value for key, value in feed.items() if value}]
    with editing():
        make(folder_of(fleet, data), member, fields)
    listens = fields["feeds"][0]["topic"] if "feeds" in fields else reading_topic(member, fields["id"])
    typer.echo(f"machine {member}/{fields['id']} added; listens on {listens}")


def _name_and_topic(words: list[str], from_unclaimed: bool) -> tuple[str | None, str | None]:
    """The words after the member: a name, and after --from-unclaimed a topic, in any order."""
    topics = [word for word in words if from_unclaimed and word.startswith(("m/", "spBv1.0/"))]
    names = [word for word in words if word not in topics]
    if len(names) > 1 or len(topics) > 1:
        raise Usage(f"{' '.join(words)}: one name, in quotes if it has spaces" + " and one topic" * from_unclaimed)
    if not names and not from_unclaimed:
        raise Usage("the machine's name is missing; or give --from-unclaimed, and it is guessed")
    return (names[0] if names else None), (topics[0] if topics else None)


@machine_app.command("list")
def machine_list(fleet: Fleet = None, data: Data = None, as_json: Json = False) -> None:
    """List the machines with their feeds.

    Example: resilian machine list
    """
    rows = [
        {
            "member": m.slug,
            "machine": x.id,
            "name": x.name,
            "trade": x.trade.value,
            "every": x.every,
            "topics": [feed.topic for feed in x.feeds] or [reading_topic(m.slug, x.id)],
        }
        for m, x in jobs.loaded(folder_of(fleet, data)).machines()
    ]
    shown = rows if as_json else [{**row, "topics": ", ".join(row["topics"])} for row in rows]  # type: ignore[arg-type]  # a list of str
    columns = {"member": "member", "machine": "machine", "name": "name", "trade": "trade", "topics": "topics"}
    emit(shown, as_json, columns, "no machine yet")


@machine_app.command("calibrate")
def machine_calibrate(
    member: MemberName,
    machine: MachineName,
    off: Annotated[float | None, typer.Option("--off", min=0, help="Watts while it was off.")] = None,
    standby: Annotated[float | None, typer.Option("--standby", min=0, help="Watts while it stood ready.")] = None,
    working: Annotated[float | None, typer.Option("--working", min=0, help="Watts while it worked.")] = None,
    fleet: Fleet = None,
    data: Data = None,
) -> None:
    """Mark "off", "standby", "working", standing at the machine.

    What is not given stays; a mark that contradicts another one is refused.

    Example: resilian machine calibrate zorn cabine-1 --off 4 --standby 310 --working 4200
    """
    marks = {"off_w": off, "standby_w": standby, "working_w": working}
    given = {name: value for name, value in marks.items() if value is not None}
    if not given:
        raise Usage("give at least one of --off, --standby, --working, in watts")
    with editing():
        edit.calibrate(folder_of(fleet, data), MachineKey(member, machine), {**given, "at": now()})
    typer.echo(
        f"machine {member}/{machine} calibrated: "
        + ", ".join(f"{k.removesuffix('_w')} {v:g} W" for k, v in given.items())
    )


@machine_app.command("confirm")
def machine_confirm(member: MemberName, machine: MachineName, fleet: Fleet = None, data: Data = None) -> None:
    """Say that a machine that seems idle is in working order.

    Holds for 30 days. Without production for three weeks nothing is concluded of a machine: it may be idle, or its
    clamp may have fallen off, and both look the same. Its owner's word, given here, tells the two apart.

    Example: resilian machine confirm zorn cabine-1
    """
    with editing():
        edit.confirm_works(folder_of(fleet, data), MachineKey(member, machine), now())
    typer.echo(f"{member}/{machine} works, by its owner's word of {now().date()}")


@feed_app.command("remove")
def feed_remove(
    member: MemberName,
    machine: MachineName,
    topic: Annotated[str, typer.Argument(metavar="TOPIC", help="As `resilian machine list` says it.")],
    channel: Annotated[str | None, typer.Option("--channel", help="Of a device with several channels.")] = None,
    yes: Yes = False,
    fleet: Fleet = None,
    data: Data = None,
) -> None:
    """Let a machine listen to a topic no longer.

    What is stored stays. Without any feed it listens to canonical JSON on its own topic.

    Example: resilian feed remove zorn cabine-1 m/zorn/booth1/tele/SENSOR
    """
    folder, key = folder_of(fleet, data), MachineKey(member, machine)
    known = jobs.loaded(folder).machine(key)
    if known is None:
        raise Usage(f"{member}/{machine}: no such machine; see `resilian machine list`")
    feeds = [feed for feed in known.feeds if feed.topic == topic and channel in (None, feed.channel)]
    if len(feeds) != 1:
        names = ", ".join(_named(feed) for feed in known.feeds) or "none"
        what = "several feeds of this topic, name one with --channel" if feeds else "no feed of this topic"
        raise Usage(f"{member}/{machine}: {topic}: {what}; it has {names}")
    ask(f"Let {known.name!r} listen to {_named(feeds[0])} no longer?", yes=yes)
    with editing():
        left = edit.remove_feed(folder, key, topic, feeds[0].channel)
    rest = next(one for one in left.machines if one.id == machine).feeds
    listens = ", ".join(map(_named, rest)) or reading_topic(member, machine)
    typer.echo(f"machine {member}/{machine} listens on {listens}")
    typer.echo(f"to put it back: {_put_back(key, feeds[0])}")


def _named(feed: Feed) -> str:
    return feed.topic if feed.channel is None else f"{feed.topic} (channel {feed.channel})"


def _put_back(key: MachineKey, feed: Feed) -> str:
    """The command that makes the feed again, or what to write where none can."""
    if feed.channel is not None:
        told = ", ".join(f"{name} = {value!r}" for name, value in feed.model_dump(exclude_none=True).items())
        return f"write the feed into the member's file: {{ {told} }}"
    words = ["resilian", "machine", "feed", *key, "--topic", feed.topic, "--format", feed.format]
    words += ["--timezone", feed.timezone] if feed.timezone else []
    words += ["--scale-w", f"{feed.scale_w:g}"] if feed.scale_w != 1.0 else []
    words += ["--clock-ahead", f"{feed.clock_ahead_s:g}"] if feed.clock_ahead_s else []
    return shlex.join(words)
