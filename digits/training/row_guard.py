"""A guard for fine-tuning: whether numbers are still read, on rows that are composed of validation digits.

Fine-tuning changes the digit network, which judges the crops that the number reader finds. So the rows are searched once, and
only their crops are judged again, by the network before and after.
"""

from dataclasses import dataclass

import numpy as np

from digits.common.config import IMAGE_SIZE, NUM_CLASSES
from digits.common.score import Score
from digits.composition.rows import GAP_INK_LEVEL, MAX_ROW_LENGTH, ROW_GAPS, random_rows
from digits.data.dataset import Split
from digits.evaluation import metrics
from digits.model.classifier import Classifier
from digits.reading.image import load_image
from digits.reading.number_reader import NumberReader
from digits.reading.numbers import combine, read_numbers

ROW_COUNT = 1000  # the 0.5 % that may be lost are 5 of them; finding their digits takes 50 s on one core
ROW_SEED = 0  # the rows are the same ones each time
# Of the rows; a quarter of the sampling error of such a score: 2.1 points for 867 of 1,000.
MAX_ROW_DROP = 0.005


@dataclass(frozen=True)
class FoundRows:
    """R rows of digits in which the number reader found M digits, one text line in each row.

    labels: of each row. found: (R,) bool, whether as many digits were found in the row as are in it; of other rows no digit is
    kept. crops: (M, 28, 28) uint8, white on black. probabilities: (M, 10) float32, the number reader's.
    """

    labels: list[str]
    found: np.ndarray
    crops: np.ndarray
    probabilities: np.ndarray

    def score(self, judged: np.ndarray) -> Score:
        """Return how many rows are read right. judged: (M, 10) float32, the digit network's probabilities of the crops.

        A row counts where both networks together give its digits, which are its text then.
        """
        right = self.found.copy()
        answers = combine(self.probabilities, judged).argmax(axis=1)
        start = 0
        for row in np.flatnonzero(self.found):
            end = start + len(self.labels[row])
            right[row] = "".join(map(str, answers[start:end])) == self.labels[row]
            start = end
        return metrics.score_answers(right)


def find_rows(digits: Split, number_reader: NumberReader, classifier: Classifier) -> FoundRows | None:
    """Return ROW_COUNT rows of these digits, equally many with each gap, with what the number reader finds in them.

    None where fewer than MAX_ROW_LENGTH of the digits have ink. Raises UserError where a damaged network answers with no
    probability.
    """
    inked = digits.images.max(axis=(1, 2)) > GAP_INK_LEVEL
    if inked.sum() < MAX_ROW_LENGTH:
        return None
    digits = Split(digits.images[inked], digits.labels[inked])
    labels, found = [], []
    crops, probabilities = [np.zeros((0, IMAGE_SIZE, IMAGE_SIZE), np.uint8)], [np.zeros((0, NUM_CLASSES), np.float32)]
    for number, gap in enumerate(ROW_GAPS):
        rng = np.random.default_rng([ROW_SEED, number])
        for image, label in random_rows(digits, gap, ROW_COUNT // len(ROW_GAPS), rng):
            numbers = read_numbers(load_image(image), number_reader, classifier)
            lines = [] if numbers.detections is None else numbers.detections.lines
            labels.append(label)
            found.append(len(lines) == 1 and len(lines[0]) == len(label) and not numbers.marks)
            if found[-1]:
                crops.append(np.stack([digit.crop for digit in numbers.digits]))
                probabilities.append(np.stack([detection.probabilities[:NUM_CLASSES] for detection in lines[0]]))
    return FoundRows(labels, np.array(found), np.concatenate(crops), np.concatenate(probabilities))
