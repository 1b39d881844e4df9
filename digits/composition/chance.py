"""Random draws from the tables of this package."""

import math
from collections.abc import Iterator, Mapping
from typing import TypeVar

import numpy as np

Key = TypeVar("Key")
Item = TypeVar("Item")


def pick(rng: np.random.Generator, probabilities: Mapping[Key, float]) -> Key:
    """Return one of the keys, each with its probability. The probabilities add up to 1."""
    keys = list(probabilities)
    return keys[rng.choice(len(keys), p=list(probabilities.values()))]


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Return a number whose logarithm is drawn evenly from that of low to that of high; both above 0."""
    return math.exp(rng.uniform(math.log(low), math.log(high)))


def shown_twice(items: Iterator[Item], kept: int, probability: float, rng: np.random.Generator) -> Iterator[Item]:
    """Yield the items. As soon as more than `kept` wait, one of those is yielded with this probability, for the last time.

    items: without end.
    """
    waiting: list[Item] = []
    while True:
        if len(waiting) > kept and rng.random() < probability:
            yield waiting.pop(rng.integers(len(waiting)))
        else:
            item = next(items)
            waiting.append(item)
            yield item
