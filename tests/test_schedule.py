"""The learning rate: it rises, falls to zero, restarts lower and falls to zero again."""

import pytest


def test_the_learning_rate_rises_falls_to_zero_and_restarts_lower():
    from digits.training.schedule import CosineWithRestart

    schedule = CosineWithRestart(100, 40, 0.01)
    rates = [float(schedule(step)) for step in (0, 10, 20, 60, 99, 100, 120, 139)]
    assert rates[0] == pytest.approx(0.0005) and rates[2] == pytest.approx(0.01), "a twentieth at first, the peak after a fifth"
    assert rates[0] < rates[1] < rates[2] > rates[3] > rates[4] and rates[4] < 1e-5
    assert rates[5] == pytest.approx(0.004) and rates[5] > rates[6] > rates[7] and rates[7] < 1e-4


def test_two_sevenths_of_the_epochs_make_up_the_second_phase():
    from digits.training.schedule import second_phase_epochs

    assert [second_phase_epochs(epochs) for epochs in (1, 2, 3, 12, 28, 56)] == [0, 1, 1, 3, 8, 16]
