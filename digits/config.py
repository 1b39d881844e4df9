"""Paths and constants that two or more files share."""

import os
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
DATA_DIR = PROJECT / "data"
MODELS_DIR = PROJECT / "models"
OUTPUTS_DIR = PROJECT / "outputs"
CUSTOM_DIGITS_DIR = PROJECT / "custom_digits"

MODEL_NAME = "digit_recognition_model"
BUNDLED_MODEL_NAME = "bundled_digits_model"  # learned without MNIST; never stands in for the model above

IMAGE_SIZE = 28  # pixels: MNIST's frame
DIGIT_SIZE = 20  # pixels: the box inside the frame into which MNIST fits a digit (LeCun et al. 1998)
NUM_CLASSES = 10
# The processor's cores that this program may use.
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
MOST_LOST = 0.001  # share of the validation pictures that a changed model may read fewer of: 0.1 points. chosen


class UserError(Exception):
    """Something the user can put right. Its text says what happened, what was expected and what helps."""
