"""Make a saved model small: its numbers in 8 bits, in a file of its own, if it reads as well."""

import os
import shlex

from digits import command_line, model_files, report, saving
from digits.command_line import count_and_rate
from digits.config import MOST_LOST, UserError
from digits.recognizer import Recognizer

EXAMPLES = 1000  # training pictures by which the ranges of the network's numbers are measured. chosen


def quantize(model_path, data_path):
    """Save the model in 8-bit numbers beside it, with a card of its own, and compare the two; returns an exit code.

    model_path: of the .h5 in place. data_path: of what it learned from. Raises UserError where it would read many fewer pictures.
    """
    model_files.resolve(model_path)
    lock = model_files.lock(model_path)
    card = saving.whole_set(model_path)
    data, splits = saving.data_of(card, data_path)

    os.environ["KERAS_BACKEND"] = "tensorflow"  # which alone converts; nothing is trained here
    from digits import network

    small_path = model_path.with_name(f"{model_path.stem}{model_files.EIGHT_BITS}.tflite")
    with model_files.staged(small_path) as staging:
        network.save_quantized(network.load(model_path), staging / small_path.name, splits["training"][0][:EXAMPLES])
        paths = {"float": model_path.with_suffix(".tflite"), "int8": staging / small_path.name}
        scores = {name: {} for name in paths}
        for name, path in paths.items():
            recognizer = Recognizer(path, card)
            for split in ("validation", "test"):
                images, labels = splits[split]
                scores[name][split] = report.rate(recognizer.classify(images)[0].argmax(axis=1) == labels)
        print(f"\ndata: {data.name}")
        rows = [
            (
                name,
                *(count_and_rate(scores[name][split]) for split in ("validation", "test")),
                f"{path.stat().st_size / 1000:,.0f} kB",
            )
            for name, path in paths.items()
        ]
        command_line.print_table([("", "validation", "test", "size"), *rows])
        lost = scores["float"]["validation"]["correct"] - scores["int8"]["validation"]["correct"]
        if lost > MOST_LOST * len(splits["validation"][1]):
            raise UserError(
                f"The 8-bit model reads {lost} validation pictures fewer than the float one, so it was not saved.\n"
                f"Expected at most {100 * MOST_LOST:.1f} % of them. "
                f"The float one is small, too: {model_path.with_suffix('.tflite')}"
            )
        of_use = ("labels", "input", "output", "calibration", "score", "temperature", "threshold")
        same = ("data", "settings", "recipe", "parameters", *of_use)
        small_card = {name: card[name] for name in same if name in card}
        small_card |= {"quantized_from": card["sha256"][model_path.name], **scores["int8"]}
        model_files.put_in_place(staging, small_path, small_card)
    print(f"\nsaved: {small_path}\nTo read with it: python predict_custom.py --model {shlex.quote(str(small_path))}")
    lock.release()
    return command_line.DONE
