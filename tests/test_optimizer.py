"""Muon: convolutions move by orthogonal updates, everything else by Adam."""

import numpy as np
import pytest


@pytest.fixture(scope="module")
def network_and_optimizer():
    """A network with Muon, built but not trained."""
    from digits.model import network
    from digits.training.optimizer import Muon

    model = network.build(4, 12, 5, 0.0, seed=1)
    optimizer = Muon(0.01)
    optimizer.build(model.trainable_variables)
    return model, optimizer


def test_kernels_move_by_orthogonal_updates_and_everything_else_by_adam(network_and_optimizer):
    model, optimizer = network_and_optimizer
    rng = np.random.default_rng(0)
    before = [variable.numpy() for variable in model.trainable_variables]
    optimizer.apply([rng.normal(0, 1, variable.shape).astype(np.float32) for variable in model.trainable_variables])
    for variable, old in zip(model.trainable_variables, before, strict=True):
        update = (variable.numpy() - old) / 0.01  # the learning rate
        if len(variable.shape) == 4:
            matrix = update.reshape(-1, variable.shape[-1])
            singular_values = np.linalg.svd(matrix, compute_uv=False)
            assert singular_values.max() < 2 * singular_values.min(), "directions are learned at different rates"
            assert np.sqrt(np.mean(matrix**2)) == pytest.approx(0.2, rel=0.3)
        else:
            assert np.allclose(np.abs(update), 1, atol=0.02), "Adam's first step is the learning rate, up or down"


def test_the_state_has_the_order_that_checkpoints_rely_on(network_and_optimizer):
    """Checkpoints hold the variables by number. Other variables, or another order, would make those of others unusable."""
    model, optimizer = network_and_optimizer
    expected = [(), ()]  # steps so far, learning rate
    for variable in model.trainable_variables:
        expected += [tuple(variable.shape)] * (1 if len(variable.shape) == 4 else 2)  # momentum; Adam's velocity
    assert [tuple(variable.shape) for variable in optimizer.variables] == expected


def test_keras_still_looks_up_a_variables_state_as_we_do(network_and_optimizer):
    """Muon calls one private method of Keras, as each of Keras' own optimizers does; this tells when it has changed."""
    model, optimizer = network_and_optimizer
    indices = [optimizer._get_variable_index(variable) for variable in model.trainable_variables]
    assert indices == list(range(len(model.trainable_variables)))
