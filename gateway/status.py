"""What is late or away, said at the top of every page instead of showing old values as new."""

from collections.abc import Container
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from gateway import collectors
from gateway.live import Live
from gateway.messages import Health
from gateway.picture import Picture
from gateway.words import Words

OTHERS: Final = ("analytics", "gateway")
"""The programs beside the collectors."""
LATE_AFTER: Final = timedelta(seconds=60)
LAG_AFTER_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class Banner:
    """One line above the page."""

    level: Literal["warn", "bad", "info"]
    text: str
    progress: float | None = None


def banners(picture: Picture, live: Live, connected: bool, words: Words) -> list[Banner]:
    """The lines that hold for every page, worst first."""
    found: list[Banner] = []
    if picture.error is not None:
        since = words.clock(picture.since) if picture.since else ""
        found.append(
            Banner(
                "bad",
                words.say(
                    "La base de données ne répond pas depuis %(since)s. "
                    "Cette page montre ce qui était connu avant ; rien n'est perdu.",
                    since=since,
                ),
            )
        )
    if not connected:
        found.append(
            Banner("bad", words.say("Sans liaison avec le courtier de messages : cette page n'est pas en direct."))
        )
    else:
        found += _programs(picture, live, words)
    arriving = progress(live)
    if arriving is not None and arriving < 1:
        text = words.say("L'historique est en cours d'arrivée : %(share)s.", share=words.percent(arriving))
        found.append(Banner("info", text, arriving))
    return found


def alive(health: Health | None, now: datetime) -> bool:
    """Whether the program said so within the last minute, and no will said otherwise."""
    return health is not None and health.alive and now - datetime.fromtimestamp(health.at / 1000, UTC) <= LATE_AFTER


def progress(live: Live) -> float | None:
    """Part of the machines that analytics has caught up with, 0 to 1; None when it is not catching up."""
    health = live.health.get("analytics")
    said = (health.model_extra or {}).get("progress") if health else None
    if isinstance(said, dict):
        done, waiting = said.get("done"), said.get("waiting")
        if isinstance(done, int) and isinstance(waiting, int) and done + waiting > 0:
            return done / (done + waiting)
    return float(said) if isinstance(said, int | float) and 0 <= said <= 1 else None


def reports(ingest: Health | None, words: Words, known: Container[str] = ()) -> list[tuple[int, str, str]]:
    """What the collector says was attempted or damaged, but for the errors in ``known``: cost, text, what to do."""
    if ingest is None or not ingest.alive:
        return []
    found = [
        (
            85,
            words.say("La collecte signale : %(error)s", error=error),
            words.say("Ce qui était lisible est gardé ; lisez le journal de la collecte."),
        )
        for error in ingest.errors
        if error not in known
    ]
    if count := round(ingest.figure("claims") or 0):
        text = words.count(
            "Sécurité : %(num)s message nomme un autre membre ou une autre machine que son sujet.",
            "Sécurité : %(num)s messages nomment un autre membre ou une autre machine que leur sujet.",
            count,
        )
        found.append((65, text, _contradicted(ingest, words)))
    return found


def _contradicted(ingest: Health, words: Words) -> str:
    todo = words.say("Le sujet fait foi : rien n'est compté pour autrui. Vérifiez l'appareil et son mot de passe.")
    if not ingest.contradictions:
        return todo
    newest = ingest.contradictions[-1]
    latest = words.say("Le dernier : %(topic)s nomme « %(name)s ».", topic=newest.topic, name=newest.name)
    return f"{latest} {todo}"


def _programs(picture: Picture, live: Live, words: Words) -> list[Banner]:
    now = picture.now()
    found = []
    heard = collectors.all_health(live)
    gone = [health for health in heard if not alive(health, now)]
    if gone:
        when = words.moment(datetime.fromtimestamp(min(health.at for health in gone) / 1000, UTC))
        text = words.say(
            "La collecte est arrêtée (dernier signe : %(when)s) : les états ne sont plus à jour.", when=when
        )
        found.append(Banner("bad", text))
    elif (lag := collectors.figure(live, "lag_ms", max)) is not None and lag > LAG_AFTER_MS:
        text = words.say("Les relevés arrivent avec %(lag)s de retard.", lag=words.duration(lag / 1000))
        found.append(Banner("warn", text))
    analytics = live.health.get("analytics")
    if analytics is not None and not alive(analytics, now):
        when = words.moment(datetime.fromtimestamp(analytics.at / 1000, UTC))
        text = words.say(
            "L'analyse est arrêtée (dernier signe : %(when)s) : heures et offres datent d'avant.", when=when
        )
        found.append(Banner("warn", text))
    return found
