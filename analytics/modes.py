"""A sticky hidden Markov model with Gaussian emissions on one column: levels between which a machine's power moves.

Baum-Welch with the forward-backward recursion of Rabiner (Proc. IEEE 77, 1989), scaled. A missing sample (NaN) says
nothing, so gaps need no special case. The column is cut into stretches that are walked through side by side; each
begins and ends with what its neighbours knew in the round before, so that in the end nothing is lost at the cuts. A
level that holds nothing keeps its place: no parameter ever becomes NaN. Each level tolerates strays, samples of any
value that its neighbours in time place there: they neither move nor widen it (a contaminated normal distribution).
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

STRETCH: Final = 64
ROUNDS: Final = 60
_STILL: Final = 1e-3
_ROOT_TWO_PI: Final = float(np.sqrt(2 * np.pi))
_LEAST_WEIGHT: Final = 1e-6
STRAY: Final = 0.004
"""Density of strays in every level, per unit of the column: two percent, over a range of five."""


class Modes(NamedTuple):
    """Levels in rising order: mean and standard deviation (k,), chance of going from one to another (k, k), share (k,).

    ``share`` is the part of the samples that belong to each.
    """

    mean: Floats
    sigma: Floats
    change: Floats
    share: Floats


class Belonging(NamedTuple):
    """How much each sample belongs to each level, shape (n, k), and how often one level follows another, (k, k)."""

    weight: Floats
    follows: Floats


class _Edges(NamedTuple):
    """What each stretch knows of those before and after it, shape (stretches, k)."""

    before: Floats
    after: Floats


def begin(groups: list[Floats], stay: float) -> Modes:
    """The modes from which a fit starts: one a group of samples, none empty; ``stay`` is the least stickiness."""
    count = len(groups)
    sizes = np.array([len(group) for group in groups], dtype=np.float64)
    mean = np.array([group.mean() for group in groups])
    sigma = np.array([max(float(group.std()), 0.05) for group in groups])
    change = np.full((count, count), (1.0 - stay) / max(count - 1, 1))
    np.fill_diagonal(change, stay if count > 1 else 1.0)
    return Modes(mean, sigma, change, sizes / sizes.sum())


def fit(x: Floats, start: Modes, least_sigma: Floats, stay: float, rounds: int = ROUNDS) -> tuple[Modes, Floats]:
    """The most likely modes near ``start``, in rising order, and how much each sample belongs to each, (n, k).

    Args:
        x: samples at equal distances, shape (n,), NaN where there is none.
        least_sigma: standard deviations are at least this, shape (k,): what the meter cannot resolve.
        stay: no level lasts fewer than 1 / (1 - stay) samples on average.
    """
    modes, edges = start, None
    known = np.flatnonzero(~np.isnan(x))
    for _ in range(rounds):
        belonging, edges = _walk(x, modes, edges)
        weight = belonging.weight[known] * _own(x[known], modes)
        found = _maximised(x[known], weight, belonging.follows, modes, least_sigma, stay)
        moved = float(np.abs(found.mean - modes.mean).max())
        modes = found
        if moved < _STILL:
            break
    belonging, _ = _walk(x, modes, edges)
    order = np.argsort(modes.mean)
    sorted_ = Modes(modes.mean[order], modes.sigma[order], modes.change[np.ix_(order, order)], modes.share[order])
    return sorted_, belonging.weight[:, order]


def belonging(x: Floats, modes: Modes, rounds: int = 3) -> Belonging:
    """How much each sample belongs to each level, all samples considered; exact after enough rounds."""
    found, edges = _walk(x, modes, None)
    for _ in range(rounds - 1):
        found, edges = _walk(x, modes, edges)
    return found


def _maximised(x: Floats, weight: Floats, follows: Floats, modes: Modes, least_sigma: Floats, stay: float) -> Modes:
    held = weight.sum(axis=0)
    if not held.sum() > _LEAST_WEIGHT:
        return modes
    safe = np.maximum(held, _LEAST_WEIGHT)
    some = held > _LEAST_WEIGHT
    mean = np.where(some, weight.T @ x / safe, modes.mean)
    spread = np.einsum("nk,nk->k", weight, (x[:, None] - mean) ** 2) / safe
    sigma = np.maximum(np.where(some, np.sqrt(spread), modes.sigma), least_sigma)
    return Modes(mean, sigma, _sticky(follows, modes.change, stay), held / held.sum())


def _sticky(follows: Floats, change: Floats, stay: float) -> Floats:
    """Chances of change from the counts; the least stickiness is what makes quick flicker one level."""
    rows = follows.sum(axis=1, keepdims=True)
    found = np.where(rows > _LEAST_WEIGHT, follows / np.maximum(rows, _LEAST_WEIGHT), change)
    own = np.maximum(np.diag(found), stay)
    others = found - np.diag(np.diag(found))
    total = others.sum(axis=1)
    share = np.where(total[:, None] > 0, others / np.maximum(total, 1e-300)[:, None], 0.0)
    empty = total <= 0
    if empty.any() and len(found) > 1:
        share[empty] = (1.0 - np.eye(len(found))[empty]) / (len(found) - 1)
    sticky: Floats = share * (1.0 - own)[:, None] + np.diag(own)
    return sticky


def _walk(x: Floats, modes: Modes, edges: _Edges | None) -> tuple[Belonging, _Edges]:
    """One forward-backward pass over all stretches at once."""
    count, levels = len(x), len(modes.mean)
    stretches = -(-count // STRETCH)
    padded = np.ones((stretches * STRETCH, levels))
    padded[:count] = likelihood(x, modes)
    likely = padded.reshape(stretches, STRETCH, levels).transpose(1, 0, 2)
    edges = edges or _Edges(np.tile(modes.share, (stretches, 1)), np.ones((stretches, levels)))
    forward, backward = np.empty_like(likely), np.empty_like(likely)
    now = edges.before
    for step in range(STRETCH):
        now = (now @ modes.change) * likely[step]
        now /= now.sum(axis=1, keepdims=True)
        forward[step] = now
    later = edges.after
    for step in range(STRETCH - 1, -1, -1):
        backward[step] = later
        later = (later * likely[step]) @ modes.change.T
        later /= later.sum(axis=1, keepdims=True)
    before = np.vstack([modes.share[None], now[:-1]])
    after = np.vstack([later[1:], np.ones((1, levels))])
    ahead, behind = (one.transpose(1, 0, 2).reshape(-1, levels)[:count] for one in (forward, backward))
    return _belonging(ahead, behind, padded[:count], modes.change), _Edges(before, after)


def _belonging(forward: Floats, backward: Floats, likely: Floats, change: Floats) -> Belonging:
    weight = forward * backward
    weight /= weight.sum(axis=1, keepdims=True)
    ahead = likely[1:] * backward[1:]
    scale = np.einsum("ni,ij,nj->n", forward[:-1], change, ahead)
    follows = change * ((forward[:-1] / scale[:, None]).T @ ahead)
    return Belonging(weight, follows)


def likelihood(x: Floats, modes: Modes) -> Floats:
    """Density of each sample in each level, strays included, shape (n, k); 1 where there is no sample."""
    likely = _normal(x, modes) + STRAY
    likely[np.isnan(x)] = 1.0
    return likely


def _own(x: Floats, modes: Modes) -> Floats:
    """Chance that a sample of a level is no stray, shape (n, k)."""
    density = _normal(x, modes)
    own: Floats = density / (density + STRAY)
    return own


def _normal(x: Floats, modes: Modes) -> Floats:
    density: Floats = np.exp(-0.5 * ((x[:, None] - modes.mean) / modes.sigma) ** 2) / (modes.sigma * _ROOT_TWO_PI)
    return density
