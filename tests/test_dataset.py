"""Data sets are recognised by their values, checked, split reproducibly, and the bundled digits have MNIST's format."""

import hashlib
import shutil

import numpy as np
import pytest
from arrays import read_mnist, small_arrays, write_idx

from digits.common.errors import UserError
from digits.data import dataset
from digits.data.array_files import IDX_FILES


def refusal(path, parts=("train", "test")):
    """Return the text with which the path is refused."""
    with pytest.raises(UserError) as refused:
        dataset.load(path, parts)
    return str(refused.value)


# ---- MNIST ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mnist_arrays(mnist_folder):
    return read_mnist(mnist_folder)


def assert_is_mnist(data, arrays):
    assert data.name == "MNIST"
    assert data.is_mnist
    for name, array in arrays.items():
        assert np.array_equal(getattr(data, name), array), name


def test_gzipped_idx_files_of_mnist_are_recognised(mnist_folder, mnist_arrays):
    assert_is_mnist(dataset.load(mnist_folder), mnist_arrays)


def test_plain_idx_files_of_mnist_are_recognised(mnist_arrays, tmp_path):
    assert_is_mnist(dataset.load(write_idx(tmp_path / "idx", mnist_arrays)), mnist_arrays)


def test_an_npz_of_mnists_arrays_is_recognised(mnist_arrays, tmp_path):
    # Labels as int64, as other programs save them: the hashes are of the values.
    arrays = mnist_arrays | {name: mnist_arrays[name].astype(np.int64) for name in ("y_train", "y_test")}
    np.savez(tmp_path / "any_name.npz", **arrays)
    data = dataset.load(tmp_path / "any_name.npz")
    assert_is_mnist(data, mnist_arrays)
    assert data.y_test.dtype == np.uint8
    assert_is_mnist(dataset.load(tmp_path), mnist_arrays)  # the folder that holds it


def test_mnist_with_one_changed_pixel_is_not_mnist(mnist_arrays, tmp_path):
    images = mnist_arrays["x_test"].copy()
    images[9999, 27, 27] += 1
    np.savez(tmp_path / "changed.npz", x_test=images, y_test=mnist_arrays["y_test"])
    data = dataset.load(tmp_path / "changed.npz", parts=("test",))
    assert data.name == f"not MNIST ({tmp_path / 'changed.npz'})"
    assert not data.is_mnist


def test_the_test_part_needs_only_its_two_files(mnist_folder, mnist_arrays, tmp_path):
    for name in ("x_test", "y_test"):
        shutil.copy(mnist_folder / f"{IDX_FILES[name]}.gz", tmp_path)
    data = dataset.load(tmp_path, parts=("test",))
    assert_is_mnist(data, {name: mnist_arrays[name] for name in ("x_test", "y_test")})
    assert data.x_train.shape == (0, 28, 28)
    assert data.y_train.shape == (0,)
    text = refusal(tmp_path)
    assert "train-images-idx3-ubyte, train-labels-idx1-ubyte" in text
    assert "t10k" not in text


# ---- other data sets ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["idx", "idx.gz", "npz"])
def test_other_arrays_are_read_and_named_not_mnist(form, tmp_path):
    arrays = small_arrays()
    path = tmp_path / "own.npz"
    if form == "npz":
        np.savez(path, **arrays)
    else:
        path = write_idx(tmp_path / "own", arrays, gzipped=form == "idx.gz")
    data = dataset.load(path)
    assert data.name == f"not MNIST ({path})"
    for name, array in arrays.items():
        assert np.array_equal(getattr(data, name), array)
        assert getattr(data, name).dtype == np.uint8


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y_test": np.array([1, 2, 3, 10], np.uint8)}, "labels from 1 to 10"),
        ({"y_test": np.array([-1, 2, 3, 4])}, "labels from -1 to 4"),
        ({"y_test": np.array([1, 2, 3, 300])}, "labels from 1 to 300"),  # 300 is 44 in 8 bits
        ({"y_test": np.array([1, 2, 3, 256])}, "labels from 1 to 256"),  # and 256 is 0
        ({"y_test": np.array([1, 2, 3], np.uint8)}, "4 images and 3 labels"),
        ({"x_test": np.zeros((0, 28, 28), np.uint8), "y_test": np.zeros(0, np.uint8)}, "0 images and 0 labels"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_labels_that_are_no_digits_or_do_not_match_the_images_are_refused(changes, message, tmp_path):
    np.savez(tmp_path / "own.npz", **(small_arrays() | changes))
    text = refusal(tmp_path / "own.npz")
    assert message in text
    assert "Expected" in text


def test_the_fingerprint_is_of_images_and_then_labels_in_c_order(tmp_path):
    np.savez(tmp_path / "own.npz", **(small_arrays() | {"x_train": np.asfortranarray(small_arrays()["x_train"])}))
    expected = hashlib.sha256(small_arrays()["x_train"].tobytes() + small_arrays()["y_train"].tobytes()).hexdigest()
    assert dataset.load(tmp_path / "own.npz").fingerprint() == expected


# ---- splits and the bundled digits ----------------------------------------------------------------------------


def test_a_split_is_complete_disjoint_and_stratified():
    labels = np.repeat(np.arange(10), np.arange(10, 200, 20)).astype(np.uint8)  # 10 of 0, 30 of 1, ... 190 of 9
    training, validation = dataset.split_validation(labels, 0.1, seed=3)
    assert sorted([*training, *validation]) == list(range(len(labels)))
    assert np.bincount(labels[validation]).tolist() == [1, 3, 5, 7, 9, 11, 13, 15, 17, 19]
    for part in (training, validation):
        assert (np.diff(labels[part].astype(int)) < 0).any(), "the part is sorted by digit"


def test_a_split_depends_on_the_seed_alone():
    labels = np.arange(1000) % 10
    first, again, other = [dataset.split_validation(labels, 0.2, seed) for seed in (1, 1, 2)]
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert set(first[1]) != set(other[1])


def test_the_splits_of_a_data_set_keep_each_image_with_its_label():
    arrays = small_arrays(train=40)
    splits = dataset.split(dataset.Dataset("own", **arrays), validation_fraction=0.25, seed=0)
    assert [len(split.labels) for split in splits] == [30, 10, 4]
    labels = {image.tobytes(): label for image, label in zip(arrays["x_train"], arrays["y_train"], strict=True)}
    for split in (splits.training, splits.validation):
        assert [labels[image.tobytes()] for image in split.images] == split.labels.tolist()
    assert np.array_equal(splits.test.images, arrays["x_test"])


def test_a_data_set_too_small_to_split_is_refused():
    with pytest.raises(UserError, match="6 training images can't be split: 6 to learn from, 0 to validate on"):
        dataset.split(dataset.Dataset("own", **small_arrays()), validation_fraction=0.1, seed=0)


def test_the_bundled_digits_have_mnists_format():
    data = dataset.bundled_digits()
    assert (len(data.x_train), len(data.x_test)) == (1438, 359)
    assert data.name == dataset.BUNDLED
    assert not data.is_mnist
    images = np.concatenate([data.x_train, data.x_test])
    assert images.shape == (1797, 28, 28)
    assert images.dtype == np.uint8
    assert images.max() == 255
    mass = images.sum(axis=(1, 2))
    centre_y = images.sum(axis=2) @ np.arange(28) / mass
    centre_x = images.sum(axis=1) @ np.arange(28) / mass
    assert abs(centre_y - 14).max() <= 0.5
    assert abs(centre_x - 14).max() <= 0.5


def test_the_bundled_digits_keep_their_labels():
    from sklearn.neighbors import KNeighborsClassifier

    data = dataset.bundled_digits()
    neighbour = KNeighborsClassifier(1).fit(data.x_train.reshape(-1, 784), data.y_train)
    assert neighbour.score(data.x_test.reshape(-1, 784), data.y_test) > 0.95  # 0.98 when written; chance is 0.1
    counts = np.bincount(np.concatenate([data.y_train, data.y_test]))
    assert counts.tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
