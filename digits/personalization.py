"""Teach a saved model somebody's hand: from their pictures to a new model in place, or to a reason why not."""

import sys
import time

import numpy as np

from digits import command_line, model_files, own_pictures, saving
from digits.command_line import count_and_rate
from digits.config import NUM_CLASSES
from digits.recognizer import Recognizer
from digits.settings import constants_of


def fine_tune(model_path, pictures_path, data_path):
    """Learn the pictures beside those of the data set; replace the model if it reads them better and forgot nothing.

    model_path: of the .h5 in place. pictures_path: a labelled folder, or data. data_path: of what the model learned from. Prints
    what happens and returns an exit code. Raises UserError where one of the three is not what it should be.
    """
    model_files.resolve(model_path)
    lock = model_files.lock(model_path)
    earlier_card = saving.whole_set(model_path)
    settings = earlier_card["settings"]
    data, splits = saving.data_of(earlier_card, data_path)
    own = own_pictures.load(pictures_path, Recognizer(model_path.with_suffix(".tflite")))
    for reason, count in own.left_out.items():
        print(f"left out: {command_line.counted(count, 'picture')} {reason}", file=sys.stderr)
    learned, held_out = own_pictures.split(own.crops)
    print(f"\nyour pictures: {own.name}")
    rows = [("", *range(NUM_CLASSES), "pictures")]
    for name, chosen in (("to learn from", learned), ("held out", held_out)):
        counts = np.bincount(own.arrays(chosen)[1], minlength=NUM_CLASSES)
        rows.append((name, *(f"{count:,}" for count in counts), f"{len(chosen):,}"))
    command_line.print_table(rows)
    print()

    from digits import network  # here: Keras takes seconds, and mistakes need none of it
    from digits import fine_tuning, training  # after it, which keeps TensorFlow quiet as it starts

    started = time.monotonic()
    model = network.load(model_path, settings["SEED"])
    weights = model.get_weights()
    scored = {"held_out": own.arrays(held_out), "validation": splits["validation"]}
    before = {name: training.score(model, *arrays) for name, arrays in scored.items()}
    try:
        fine_tuning.learn(model, splits["training"], own.arrays(learned), settings)
        rows = [("", "yours, held out", f"{data.name}, validation"), ("before", *map(count_and_rate, before.values()))]
        for share in fine_tuning.shares_of_the_way(model, weights):
            after = {name: training.score(model, *arrays) for name, arrays in scored.items()}
            rows.append((f"{100 * share:.0f} % of what was learned", *map(count_and_rate, after.values())))
            objections = fine_tuning.objections(before, after)
            if not objections:
                break
        print()
        command_line.print_table(rows)
        if objections:
            print(
                f"\nThe model stays as it was: {'; '.join(objections)}.\n"
                "More pictures help, ten or more of each digit that is misread."
            )
            lock.release()
            return command_line.DONE
        facts = {
            "fine_tuned_from": earlier_card["sha256"][model_path.name],
            "recipe": earlier_card.get("recipe"),  # that of the training, not of the code as it is now
            "fine_tuning": {
                "data": own.name,
                "pictures": {"learned": len(learned), "held_out": len(held_out), "left_out": sum(own.left_out.values())},
                **{name: {"before": before[name], "after": after[name]} for name in scored},
                "share": share,
                "recipe": constants_of(fine_tuning),
                "seconds": round(time.monotonic() - started, 1),
            },
        }
        saving.save(model, model_path, data, splits, settings, earlier_card["history"], facts)
    except KeyboardInterrupt:
        print("\nInterrupted. The model is as it was.", file=sys.stderr)
        return command_line.INTERRUPTED
    print(
        f"\nsaved: {model_path} and its .tflite and .json\n"
        f"The model before is kept. To bring it back:\n  {model_files.command_to_bring_back(model_path)}"
    )
    lock.release()
    return command_line.DONE
