"""``/network``: what is wrong now, in order of what it costs. Plumbing only."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from fastapi.responses import Response

from fleet.registry import Registry
from gateway import collectors, counts, feeds, missing, refusals, status
from gateway.access import Audience, Scope
from gateway.live import Live
from gateway.messages import Health, Reject
from gateway.web import Page, page_of
from gateway.words import Words

router = APIRouter(include_in_schema=False)
_NEWEST: Final = 12
_SILENT_SHOWN: Final = 30
_DEVICES_SHOWN: Final = 50
_REASONS_SHOWN: Final = 20
_FILES_SHOWN: Final = 20
_RULES_SHOWN: Final = 3
_LONGEST: Final = 120


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something wrong: the higher ``cost``, the more it loses."""

    cost: int
    text: str
    todo: str


@router.get("/network")
async def network(page: Annotated[Page, Depends(page_of)]) -> Response:
    """The operator's page."""
    scope = page.scope(Audience.OPERATOR)
    words, live = page.words, page.site.live
    unseen = feeds.never_seen(scope)
    return page.render(
        "network.html",
        troubles=troubles(scope, page.site.connected, words),
        programs=[_program(name, live.health.get(name), page) for name in (*collectors.names(live), *status.OTHERS)],
        figures=ingest_figures(live, words),
        reasons=_reasons(live, words),
        newest=_newest_rejects(live, words),
        devices=_devices(live),
        silent=counts.silent_feeds(scope)[:_SILENT_SHOWN],
        silent_total=counts.silent(scope),
        unseen=unseen[:_SILENT_SHOWN],
        unseen_total=len(unseen),
        connected=counts.connected(scope),
        losses=[(cut(loss.program), cut(loss.reason)) for loss in list(live.losses)[:10]],
        progress=status.progress(live),
        problems=scope.picture.registry.problems,
        machines=sum(1 for _ in scope.picture.registry.machines()),
    )


def troubles(scope: Scope, connected: bool, words: Words) -> list[Trouble]:
    """What is wrong now, dearest first: data that are being lost, then late, then unread."""
    picture, live = scope.picture, scope.live
    found: list[Trouble] = []
    if not connected:
        found.append(
            Trouble(
                100,
                words.say("Le courtier de messages ne répond pas à cette passerelle."),
                words.say("Vérifiez que le courtier tourne et que l'adresse et le mot de passe sont justes."),
            )
        )
    if picture.error:
        found.append(
            Trouble(
                95,
                words.say("La base de données ne répond pas : %(error)s", error=cut(picture.error)),
                words.say("La collecte garde tout sur disque en attendant ; rétablissez la base."),
            )
        )
    for name in (*collectors.names(live), "analytics"):
        found += _program_troubles(name, live.health.get(name), connected, scope, words)
    said_below = {f"registry: {problem}" for problem in picture.registry.problems}
    said_below.update(*map(collectors.why_full, collectors.all_health(live)))
    if connected:
        for health in collectors.all_health(live):
            found += [Trouble(*one) for one in status.reports(health, words, said_below)]
            found += [Trouble(*one) for one in missing.reports(health, words)]
        found += [Trouble(*one) for one in collectors.filling(live, words) + collectors.floods(live, words)]
    found += [
        Trouble(
            40,
            words.say("Fichier %(file)s : %(rule)s", file=cut(problem.file), rule=cut(problem.rule)),
            words.say("La dernière version juste de ce fichier reste en vigueur ; corrigez le fichier."),
        )
        for problem in picture.registry.problems[:_FILES_SHOWN]
    ]
    rejected = refusals.counted(live.rejects.values())
    if rejected:
        text = words.count("%(num)s message refusé.", "%(num)s messages refusés.", rejected)
        found.append(
            Trouble(30, text, words.say("Les motifs sont plus bas ; le contenu est gardé et peut être repris."))
        )
    unclaimed = sum(len(unclaimed.devices) for unclaimed in live.unclaimed.values())
    if unclaimed:
        text = words.count("%(num)s appareil à identifier.", "%(num)s appareils à identifier.", unclaimed)
        found.append(Trouble(25, text, _whose(unclaimed, words)))
    found += _silence_troubles(scope, words)
    return sorted(found, key=lambda trouble: -trouble.cost)


def _whose(unclaimed: int, words: Words) -> str:
    return words.count(
        "Son membre doit dire à quelle machine il appartient.",
        "Leurs membres doivent dire à quelle machine chacun appartient.",
        unclaimed,
    )


def _silence_troubles(scope: Scope, words: Words) -> list[Trouble]:
    found, silent = [], counts.silent(scope)
    clocks, unseen = feeds.wrong_clocks(scope), len(feeds.never_seen(scope))
    if clocks:
        text = words.count(
            "%(num)s liaison tenue pour muette : ses messages arrivent, mais leur heure est passée ou refusée.",
            "%(num)s liaisons tenues pour muettes : leurs messages arrivent, mais leur heure est passée ou refusée.",
            clocks,
        )
        todo = words.say(
            "Réglez l'horloge de l'appareil, son fuseau et son serveur de temps ; un appareil qui renvoie "
            "ce qu'il avait gardé se remet de lui-même."
        )
        found.append(Trouble(28, text, todo))
    if silent > clocks:
        text = words.count("%(num)s liaison muette.", "%(num)s liaisons muettes.", silent - clocks)
        found.append(Trouble(20, text, words.say("Vérifiez alimentation, réseau et mot de passe de l'appareil.")))
    if unseen:
        text = words.count("%(num)s machine jamais vue.", "%(num)s machines jamais vues.", unseen)
        todo = words.say("Raccordez son appareil ; s'il envoie déjà, voyez plus bas ce qui est refusé ou à identifier.")
        found.append(Trouble(22, text, todo))
    return found


def _program_troubles(name: str, health: Health | None, connected: bool, scope: Scope, words: Words) -> list[Trouble]:
    if not connected:
        return []
    if not status.alive(health, scope.picture.now()):
        text = words.say("Le programme %(name)s ne donne pas signe de vie.", name=name)
        return [Trouble(60 if name == "analytics" else 90, text, words.say("Relancez-le et lisez son journal."))]
    found = []
    if health is not None and not health.store.ok:
        text = words.say("%(name)s n'atteint pas la base : %(error)s", name=name, error=cut(health.store.error or "?"))
        found.append(
            Trouble(80, text, words.say("La collecte garde tout sur disque en attendant ; rétablissez la base."))
        )
    if health is not None and (lag := health.figure("lag_ms")) is not None and lag > status.LAG_AFTER_MS:
        text = words.say("%(name)s a %(lag)s de retard.", name=name, lag=words.duration(lag / 1000))
        found.append(Trouble(50, text, words.say("Il rattrape de lui-même si rien d'autre n'est signalé.")))
    if health is not None and health.broker.session_losses:
        text = words.count(
            "%(name)s : %(num)s session perdue au courtier.",
            "%(name)s : %(num)s sessions perdues au courtier.",
            health.broker.session_losses,
            name=name,
        )
        todo = words.say("Des messages ont pu être perdus ; activez la persistance du courtier.")
        found.append(Trouble(70, text, todo))
    return found


def _program(name: str, health: Health | None, page: Page) -> dict[str, Any]:
    return {
        "name": name,
        "alive": status.alive(health, page.now),
        "at": datetime.fromtimestamp(health.at / 1000, UTC) if health and health.at else None,
        "version": cut(health.version) if health and health.version else None,
        "store": health.store.ok if health else None,
        "broker": health.broker.connected if health else None,
        "stale_registry": _stale(health, page.site.picture.registry),
        "losses": health.broker.session_losses if health else 0,
    }


def _stale(health: Health | None, registry: Registry) -> bool:
    return health is not None and health.registry_digest not in (None, "", registry.digest)


def ingest_figures(live: Live, words: Words) -> list[tuple[str, str, str]]:
    """Name, value and definition of the collector's figures."""
    lag = collectors.figure(live, "lag_ms", max)
    size = collectors.figure(live, "spool_bytes")
    return [
        (
            words.say("Messages par seconde"),
            words.number(collectors.figure(live, "rate"), 1),
            words.say("Reçus des appareils, moyenne récente."),
        ),
        (
            words.say("Retard"),
            words.unit(lag / 1000, "s", 1) if lag is not None else "—",
            words.say("Âge du plus ancien relevé qui attend encore la base."),
        ),
        (
            words.say("En attente sur disque"),
            words.unit(size / 1e6, words.say("Mo"), 1) if size is not None else "—",
            words.say("Relevés gardés sur disque jusqu'à la confirmation de la base."),
        ),
        (
            words.say("Relevés en base"),
            words.number(collectors.figure(live, "stored")),
            words.say("Relevés confirmés par la base depuis le démarrage de la collecte."),
        ),
        (
            words.say("Messages refusés"),
            words.number(refusals.counted(live.rejects.values())),
            words.say("Messages refusés et gardés avec leur motif ; ceux qui ont été repris ne comptent plus."),
        ),
    ]


def _reasons(live: Live, words: Words) -> list[tuple[str, str, str]]:
    """Reason, what broke it lately, and how often; the rules are those of the newest messages."""
    totals: dict[str, int] = {}
    rules: dict[str, dict[str, None]] = {}
    for rejects in live.rejects.values():
        for reason, count in rejects.by_reason.items():
            totals[reason] = totals.get(reason, 0) + count
        for reject in rejects.newest:
            if said := _rule(reject, words):
                rules.setdefault(reject.reason, {})[said] = None
    return [
        (
            cut(refusals.reason_in_words(reason, words)),
            " ; ".join(list(rules.get(reason, ()))[:_RULES_SHOWN]),
            words.number(count),
        )
        for reason, count in sorted(totals.items(), key=lambda item: -item[1])[:_REASONS_SHOWN]
    ]


def _newest_rejects(live: Live, words: Words) -> list[dict[str, Any]]:
    """Topic, reason, field and rule; the payload itself is its member's alone."""
    entries = [(member, reject) for member, rejects in live.rejects.items() for reject in rejects.newest]
    entries.sort(key=lambda entry: -entry[1].at)
    return [
        {
            "member": cut(member),
            "at": datetime.fromtimestamp(reject.at / 1000, UTC),
            "topic": cut(reject.topic),
            "reason": cut(refusals.reason_in_words(reject.reason, words)),
            "rule": _rule(reject, words),
            "field": cut(reject.field) if reject.field else None,
        }
        for member, reject in entries[:_NEWEST]
    ]


def _devices(live: Live) -> list[dict[str, Any]]:
    return [
        {
            "member": cut(member),
            "topic": cut(device.topic),
            "messages": device.messages,
            "last": datetime.fromtimestamp(device.last / 1000, UTC),
            "guess": cut(device.guess.format) if device.guess else None,
        }
        for member, unclaimed in sorted(live.unclaimed.items())
        for device in unclaimed.devices
    ][:_DEVICES_SHOWN]


def _rule(reject: Reject, words: Words) -> str:
    return cut(refusals.rule_in_words(reject.rule, words))


def cut(text: str) -> str:
    """What a device or another program wrote, at most 120 characters of it: a page is no place for a whole topic."""
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
