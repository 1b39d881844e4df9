"""Learning one person's hand: a short training at a low rate on their pictures among MNIST's, and the guard over its result.

What a network learns last pushes out what it learned before (catastrophic interference, McCloskey and Cohen 1989). So most
of the pictures are those that it has learned already (rehearsal, Robins 1995); and of the way from the earlier weights to
the new ones, as much is kept as the guard allows (weight-space ensembles, Wortsman et al. 2022).
"""

import itertools

import keras
import numpy as np

from digits.config import MOST_LOST
from digits.muon import Muon
from digits.training import NOT_DIGITS, DigitAccuracy, StopBetweenBatches, batches, made_ahead, pictures_of_epoch, take_steps

ROUNDS = 4  # after each, a line is printed. chosen
STEPS = 75  # batches in each round. chosen
BATCH_SIZE = 128  # pictures. chosen
# The person's share of the pictures of digits. Chosen on an odd seven: learning it lost about 20 of 5,999 validation
# pictures with 0.25, and 11 with 0.06.
OWN_SHARE = 0.06
LEARNING_RATE = 0.001  # the highest; it falls to zero. chosen
WARM_UP = 0.1  # share of the steps in which it rises. chosen
SHARES = (1.0, 0.75, 0.5)  # of the weights' way, tried in this order until one passes the guard; less teaches little. chosen


def pictures_of_round(training, own, settings, number):
    """Return what a round learns from: an iterator as training.pictures_of_epoch, for STEPS batches.

    training, own: (pictures (N, 28, 28) uint8, labels (N,) uint8) of MNIST and of the person, N at least 1. settings: those
    that the model was trained with. number: the round's, from 0. With AUGMENT, all come as new variants, and with pictures
    of no digit on top, as in the second phase of training.
    """
    rng = np.random.default_rng([settings["SEED"], number])
    total = STEPS * BATCH_SIZE
    digits = round(total / (1 + NOT_DIGITS)) if settings["AUGMENT"] else total
    count = round(OWN_SHARE * digits)
    chosen = _so_many(rng, len(training[0]), digits - count)
    chosen_own = _so_many(rng, len(own[0]), count)
    images = np.concatenate([training[0][chosen], own[0][chosen_own]])
    labels = np.concatenate([training[1][chosen], own[1][chosen_own]])
    return pictures_of_epoch(images, labels, settings, settings["EPOCHS"] + number)  # a number that no epoch had


def _so_many(rng, there, wanted):
    """Return as many random indices below there as wanted, (wanted,) int: each as often as any other, give or take one."""
    return np.concatenate([rng.permutation(there) for _ in range(-(-wanted // there))])[:wanted]


def learn(model, training, own, settings):
    """Train the model in place and print a line for each round. training, own, settings: as in pictures_of_round.

    Raises KeyboardInterrupt after Ctrl-C, between two batches.
    """
    steps = ROUNDS * STEPS
    warm_up = round(WARM_UP * steps)
    rate = keras.optimizers.schedules.CosineDecay(0.0, steps - warm_up, warmup_target=LEARNING_RATE, warmup_steps=warm_up)
    model.compile(Muon(rate), "categorical_crossentropy", metrics=[DigitAccuracy(name="accuracy")])
    rounds = (batches(pictures_of_round(training, own, settings, number), BATCH_SIZE) for number in range(ROUNDS))
    with StopBetweenBatches() as stop, made_ahead(itertools.chain.from_iterable(rounds), STEPS, stop) as upcoming:
        for number in range(ROUNDS):
            figures = take_steps(model, itertools.islice(upcoming, STEPS), stop)
            print(f"step {(number + 1) * STEPS} / {steps}   accuracy {100 * figures['accuracy']:5.2f} %", flush=True)


def shares_of_the_way(model, before):
    """Yield each of SHARES in turn; meanwhile the model's weights lie that share of the way from before to what they were.

    before: what model.get_weights() returned before learning. The statistics of the normalisations are interpolated, too.
    """
    after = model.get_weights()
    for share in SHARES:
        model.set_weights([old + share * (new - old) for old, new in zip(before, after, strict=True)])
        yield share


def objections(before, after):
    """Return what speaks against replacing the model, a list of clauses, empty where nothing does.

    before, after: {"held_out": score, "validation": score}, each as training.score returns it.
    """
    found = []
    if after["held_out"]["correct"] < before["held_out"]["correct"]:
        found.append("fewer of your pictures that were held out are read right than before")
    lost = before["validation"]["correct"] - after["validation"]["correct"]
    if lost > MOST_LOST * before["validation"]["n"]:
        found.append(f"{lost} of the validation pictures are forgotten, more than {100 * MOST_LOST:.1f} % of them")
    return found
