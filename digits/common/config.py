"""Paths and constants that two or more files share."""

import os
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
DATA_DIR = PROJECT / "data"
MODELS_DIR = PROJECT / "models"
OUTPUTS_DIR = PROJECT / "outputs"
CUSTOM_DIGITS_DIR = PROJECT / "custom_digits"

MODEL_NAME = "digit_recognition_model"
BUNDLED_MODEL_NAME = "bundled_digits_model"  # learned without MNIST; never stands in for the model above
NUMBER_READER_NAME = "number_reader"  # finds the digits and marks of numbers, for whichever digit network judges them
LINE_READER_NAME = "line_reader"  # reads the text lines that the number reader finds a second time

IMAGE_SIZE = 28  # pixels: MNIST's frame
DIGIT_SIZE = 20  # pixels: the box inside the frame into which MNIST fits a digit (LeCun et al. 1998)
NUM_CLASSES = 10
MARKS = ".,-/:"  # the characters besides digits that are read
MAX_TEXT_LENGTH = 60  # characters of a label or of a line: longer than any number, far below the 255 bytes of a folder's name
# The processor's cores that this program may use.
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
# A fine-tuned or quantized model may read this share of the validation images fewer: 5 of 5,999. It is less than the sampling
# error of such a score, 0.16 points (95 % interval of 5,975 of 5,999).
MAX_ACCURACY_DROP = 0.001
TRAIN_COMMAND = "python train_model.py"
TRAIN_NUMBER_READER_COMMAND = f"{TRAIN_COMMAND} --eye"
TRAIN_LINE_READER_COMMAND = f"{TRAIN_COMMAND} --line-reader"
