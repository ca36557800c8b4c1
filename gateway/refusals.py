"""Refused messages in words: what was wrong, and what the plant engineer does about it."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from fleet.network import Machine
from fleet.topics import canonical_machine
from gateway.catalog import later
from gateway.live import Now
from gateway.messages import Reject, Rejects
from gateway.words import Words

CLOCK: Final = frozenset({"time", "future"})
"""Reasons that a device's clock, or the way it writes the time, gives."""
_STILL: Final = timedelta(seconds=60)

REASONS: Final = {
    "json": later("pas du JSON"),
    "shape": later("structure inattendue"),
    "type": later("type de valeur inattendu"),
    "number": later("pas un nombre fini"),
    "range": later("hors des bornes"),
    "time": later("heure illisible"),
    "future": later("heure dans le futur"),
    "state": later("état inconnu du vocabulaire"),
    "channel": later("voie inconnue"),
    "empty": later("aucune grandeur"),
    "too_large": later("message trop long"),
    "too_many": later("trop d'éléments refusés dans un même tableau"),
    "topic": later("sujet inattendu"),
    "format": later("format inconnu"),
    "sparkplug": later("Sparkplug illisible"),
    "alias": later("alias Sparkplug inconnu"),
    "decoder": later("message que le décodeur n'a pas su lire"),
}
_UNITS: Final = {
    "seconds": later("secondes"),
    "microseconds": later("microsecondes"),
    "nanoseconds": later("nanosecondes"),
}
_RULES: Final = tuple(
    (re.compile(pattern), said)
    for pattern, said in (
        (
            r"RFC 3339 needs an offset.*",
            later("l'heure n'a pas de décalage horaire : il faut Z ou +01:00 à la fin"),
        ),
        (
            r"epoch milliseconds; this looks like (?P<unit>\w+)",
            later("l'heure est en %(unit)s : il faut des millisecondes depuis 1970"),
        ),
        (
            r"RFC 3339 with an offset, or epoch milliseconds",
            later("il faut une heure comme 2026-03-03T13:05:00+01:00, ou des millisecondes depuis 1970"),
        ),
        (r"whole epoch milliseconds", later("il faut des millisecondes entières depuis 1970")),
        (r"not before 2000.*", later("l'horloge de l'appareil n'est pas réglée : elle dit une date d'avant 2000")),
        (
            r"at most 5 minutes in the future: the device's clock is (?P<ahead>\d{1,5}) s ahead",
            later("l'horloge de l'appareil est en avance de %(ahead)s"),
        ),
        (r"at most 5 minutes in the future.*", later("l'horloge de l'appareil avance de plus d'un jour")),
        (
            r"a time that exists in (?P<zone>\S+): .*",
            later("cette heure n'existe pas (%(zone)s) : l'heure d'été l'a sautée, l'appareil ne la connaît pas"),
        ),
        (r"a date and time that exist", later("cette date ou cette heure n'existe pas")),
        (r"a time in the form (?P<form>\S+)", later("il faut une heure de la forme %(form)s, celle de son profil")),
        (r"a number or text of digits", later("il faut un nombre, ou un texte fait de chiffres")),
        (r"a number, not text", later("il faut un nombre, sans guillemets")),
        (
            r"a number with one of (?P<units>.+?)(?:, or alone)?",
            later("il faut un nombre suivi de son unité (%(units)s)"),
        ),
        (
            r"between 0 and (?P<limit>[\d.e+]+)(?:; a clamp turned round counts backwards)?",
            later("il faut entre 0 et %(limit)s : une pince montée à l'envers compte à rebours"),
        ),
        (
            r"a whole number, at least 0, of 64 bits",
            later("il faut un nombre entier, zéro ou plus, de 64 bits au plus"),
        ),
        (
            r"the feed says which channel the machine is on|the feed's channel says which \w+ the machine is",
            later("le message en porte plusieurs : la voie de la machine doit dire laquelle est la sienne"),
        ),
        (
            r"the feed says (?:a )?channel.*",
            later("la voie inscrite pour la machine n'est pas dans ce message"),
        ),
        (r"one source; a profile.*", later("plusieurs sources disent cette grandeur : un profil doit choisir")),
        (r"the device's time stands here", later("il manque l'heure de l'appareil, que ce format exige")),
        (r"a timestamp of its own.*", later("une mesure ancienne doit porter sa propre heure")),
        (
            r"a topic that ends as profile (?P<form>\S+) says",
            later("la fin du sujet n'est pas de celles que le format %(form)s connaît"),
        ),
        (r"text in UTF-8", later("il faut du texte en UTF-8")),
        (r"timestamp\|key\|value.*", later("il faut des lignes SHDR : heure|clé|valeur")),
        (r"a(?:n MTConnect| document).*", later("il faut un document MTConnect")),
        (r"a NetworkMessage .*|an object of fields", later("il faut un message OPC UA PubSub en JSON")),
        (
            r"an object with values, tags or vals.*|a tag with .*",
            later("il faut une liste de variables nommées, ou un objet de leurs valeurs"),
        ),
        (r"a status code of 32 bits.*", later("il faut un code d'état OPC UA de 32 bits, ou son nom")),
        (
            r"a metric that a birth has named.*",
            later("aucune naissance n'a encore nommé cette mesure : le nœud doit renvoyer ses naissances"),
        ),
        (
            r"\d+ bytes at least.*|fields of Protocol Buffers.*",
            later("ces octets ne sont pas un message Sparkplug entier"),
        ),
        (
            r"a folder of metrics.*|a metric named .*",
            later("la voie inscrite pour la machine doit dire quelles mesures sont les siennes"),
        ),
        (r"a number, boolean or text|a birth that tells.*", later("il faut un nombre, un booléen ou un texte")),
        (r"a number, not text, true or false", later("il faut un nombre, sans guillemets, ni true ni false")),
        (r"a whole number, not text, true or false", later("il faut un nombre entier, sans guillemets")),
        (r"text", later("il faut du texte, entre guillemets")),
        (r"an object(?:, or an array of objects)?", later("il faut un objet JSON, ou un tableau d'objets")),
        (r"finite: NaN.*", later("il faut un nombre fini : NaN et Infinity ne sont pas des relevés")),
        (r"at most 64 bits|within 64 bits", later("il faut un entier de 64 bits au plus")),
        (r"at least (?P<limit>-?[\d.e+]+)", later("il faut au moins %(limit)s")),
        (r"more than (?P<limit>-?[\d.e+]+)", later("il faut plus de %(limit)s")),
        (r"at most (?P<limit>-?[\d.e+]+)", later("il faut au plus %(limit)s")),
        (r"less than (?P<limit>-?[\d.e+]+)", later("il faut moins de %(limit)s")),
        (r"at most (?P<limit>\d+) bytes", later("il faut au plus %(limit)s octets")),
        (r"at most (?P<limit>\d+) characters", later("il faut au plus %(limit)s caractères")),
        (
            r"at most (?P<limit>\d+) (?:readings )?in (?:an array|one message)",
            later("il faut au plus %(limit)s relevés par tableau"),
        ),
        (r"at least one of .*", later("il faut au moins une grandeur : état, puissance, énergie ou compteur")),
        (r"JSON in UTF-8.*", later("il faut du JSON en UTF-8, entier et bien fermé")),
        (r"plain JSON; compressed.*", later("il faut du JSON sans compression")),
        (
            r"one of PRODUCING,.*",
            later("il faut un état connu : PRODUCING, SETUP, STANDBY, OFF, FAULT, MAINTENANCE ou UNKNOWN"),
        ),
        (r"one of (?P<names>.+)", later("il faut l'un de : %(names)s")),
        (
            r"a topic below m/<member>/.*",
            later("le sujet doit commencer par m/ et le nom d'un membre inscrit"),
        ),
    )
)
_TODO: Final = {
    "json": later("Cet appareil n'envoie pas de JSON : détachez la machine et rattachez-la en choisissant son format."),
    "shape": later("Le format de la machine n'est pas celui de l'appareil : détachez-la et rattachez-la avec le bon."),
    "type": later("Corrigez dans l'appareil la façon d'écrire ce champ ; s'il ne le permet pas, changez de format."),
    "number": later("L'appareil n'a pas de mesure : vérifiez sa pince ou sa sonde, et qu'il se taise plutôt."),
    "range": later("Vérifiez l'unité et le réglage de l'appareil : cette valeur ne peut pas être vraie."),
    "time": later("Réglez la façon d'écrire l'heure, ou n'envoyez pas d'heure : celle de l'arrivée la remplace."),
    "future": later("Réglez l'horloge de l'appareil, son fuseau et son serveur de temps (NTP)."),
    "state": later("Faites envoyer un état de cette liste ; vos propres noms demandent un profil, à l'exploitant."),
    "channel": later("Détachez la machine et rattachez-la en choisissant sa voie."),
    "empty": later("Faites envoyer une grandeur : dans l'appareil, activez l'envoi de la puissance ou de l'état."),
    "format": later("Détachez la machine et rattachez-la en choisissant un format de la liste."),
    "topic": later("Corrigez le sujet dans l'appareil : m/membre/machine/reading."),
    "too_large": later("Envoyez de plus petits messages."),
    "too_many": later("Envoyez moins de relevés à la fois, et corrigez le premier refusé : les autres suivront."),
    "sparkplug": later("Vérifiez que le nœud parle bien Sparkplug B, et non du JSON, sur ce sujet."),
    "alias": later("Redémarrez le nœud, pour qu'il renvoie ses naissances ; la collecte les a demandées."),
    "decoder": later("La faute est ici : le message est gardé ; donnez son sujet et son heure à l'exploitant."),
}
_TODO_ELSE: Final = later("Corrigez ce que l'appareil envoie, ou son format.")
_TODO_BY_RULE: Final = (
    ("not before 2000", later("Réglez l'horloge de l'appareil et son serveur de temps (NTP).")),
    ("a number, not text", later("Faites envoyer le nombre nu, 3120 sans guillemets, ou choisissez un autre format.")),
    ("a whole number", later("Faites envoyer un nombre entier, jamais négatif.")),
    ("a clamp turned round", later("Retournez la pince sur le câble, la flèche vers la machine.")),
    ("at least 0", later("Rien ici ne peut être négatif ; pour une puissance, retournez la pince sur le câble.")),
    ("text in UTF-8", later("Réglez l'appareil sur du texte en UTF-8, sans compression.")),
    ("a number with one of", later("Faites envoyer cette unité, ou demandez un profil à l'exploitant.")),
)
"""Remedies that a rule says more exactly than its reason, by words of the rule; the first that fits."""


def reason_in_words(reason: str, words: Words) -> str:
    """The one word of the collector in the page's language."""
    return words.say(REASONS[reason]) if reason in REASONS else reason


def rule_in_words(rule: str | None, words: Words) -> str:
    """What should have stood there; a rule this program does not know as the collector says it."""
    for pattern, said in _RULES:
        if rule and (found := pattern.fullmatch(rule)):
            values = found.groupdict()
            if "unit" in values:
                values["unit"] = words.say(_UNITS.get(values["unit"], values["unit"]))
            if "ahead" in values:
                values["ahead"] = words.duration(float(values["ahead"]))
            return words.say(said, **values) if values else words.say(said)
    return rule or ""


def todo(reject: Reject, words: Words) -> str:
    """What to do about it, at the device."""
    rule = reject.rule or ""
    said = next((said for part, said in _TODO_BY_RULE if part in rule), _TODO.get(reject.reason, _TODO_ELSE))
    return words.say(said)


def told(reject: Reject, words: Words) -> dict[str, Any]:
    """For the owner: reason, rule, field, value, what to do, and when it came."""
    return {
        "at": datetime.fromtimestamp(reject.at / 1000, UTC),
        "topic": reject.topic,
        "reason": reason_in_words(reject.reason, words),
        "rule": rule_in_words(reject.rule, words),
        "field": reject.field or "",
        "value": "" if reject.value is None else str(reject.value),
        "todo": todo(reject, words),
    }


def refused_now(
    member: str, machine: Machine, rejects: Rejects | None, heard: Now | None, last: datetime | None
) -> Reject | None:
    """The newest refused message of the machine, unless a good one has come since; None when there is none.

    ``last`` is the newest reading known of, for when nothing was heard since the start. A good message within a minute
    of the refused one does not hide it: devices send several, and one may be refused in part.
    """
    arrived = datetime.fromtimestamp(heard.arrived / 1000, UTC) if heard else last
    for reject in sorted(rejects.newest if rejects else (), key=lambda one: -one.at):
        if _is_of(reject, member, machine):
            at = datetime.fromtimestamp(reject.at / 1000, UTC)
            return reject if arrived is None or at > arrived - _STILL else None
    return None


def counted(every: Iterable[Rejects]) -> int:
    """Refused messages of all members and of nobody, those that became readings after all not counted."""
    return sum(rejects.total for rejects in every)


def _is_of(reject: Reject, member: str, machine: Machine) -> bool:
    if reject.machine:
        return reject.machine == machine.id
    return reject.topic.startswith(f"m/{member}/") and canonical_machine(reject.topic) == machine.id
