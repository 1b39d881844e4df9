"""What goes into the card beside the settings."""

import json

from digits import augmentation, config, disturbances
from digits.settings import constants_of


def test_the_constants_of_modules_are_named_by_their_module():
    constants = constants_of(augmentation, disturbances)
    assert constants["augmentation.ROTATION"] == augmentation.ROTATION
    assert constants["disturbances.BLUR"] == disturbances.BLUR
    assert constants["disturbances.DISTURBANCES"]["blur"] == disturbances.DISTURBANCES[disturbances.blur]
    assert json.loads(json.dumps(constants)).keys() == constants.keys()


def test_constants_that_are_no_choice_are_left_out():
    assert hasattr(augmentation, "IMAGE_SIZE") and hasattr(config, "IMAGE_SIZE")
    assert "augmentation.IMAGE_SIZE" not in constants_of(augmentation)
