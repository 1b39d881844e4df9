"""Images are found in a folder and its sub-folders, and get their labels from sub-folders and labels.csv."""

import filelock
import pytest

from digits.common import files
from digits.common.errors import UserError
from digits.data import labelled_folder
from digits.data.labelled_folder import add_label, images_in, labelled_images


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def relative(folder, labelled):
    return [(path.relative_to(folder).as_posix(), label) for path, label in labelled]


def test_images_are_found_in_sub_folders_sorted_and_other_files_counted(tmp_path):
    touch(tmp_path, "b.png", "a/2.JPG", "a/10.heic", "c/d/e.tiff", "notes.txt", "a/.gitkeep", "x.png.bak")
    paths, others = images_in(tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in paths] == ["a/10.heic", "a/2.JPG", "b.png", "c/d/e.tiff"]
    assert others == 3


def test_a_temporary_file_left_by_a_killed_process_is_no_image(tmp_path):
    touch(tmp_path, "7/x.png", "7/.new-abc.png")
    assert images_in(tmp_path) == ([tmp_path / "7" / "x.png"], 0)
    assert relative(tmp_path, labelled_images(tmp_path)[0]) == [("7/x.png", "7")]


def test_a_sub_folder_named_with_digits_is_the_label(tmp_path):
    touch(tmp_path, "7/x.png", "42/y.jpg", "007/z.png", "sketches/s.png", "7a/t.png", "²/u.png", "v.png", "7/n.txt")
    labelled, unlabelled = labelled_images(tmp_path)
    assert relative(tmp_path, labelled) == [("007/z.png", "007"), ("42/y.jpg", "42"), ("7/x.png", "7")]
    assert unlabelled == 4


def test_a_sub_folder_may_be_named_with_points_commas_and_a_minus_but_not_as_a_date(tmp_path):
    touch(tmp_path, "12.50/a.png", "1,234/b.png", "-7/c.png", "4|2/d.png", "2024-11-25/e.png", "25.11.2024/f.png", "1-2/g.png")
    labelled, unlabelled = labelled_images(tmp_path)
    assert {path.parent.name: label for path, label in labelled} == {name: name for name in ("12.50", "1,234", "-7", "4|2")}
    assert unlabelled == 3


def test_labels_csv_may_hold_marks_that_no_folder_may(tmp_path):
    labels = ["12/05/2024", "12:45", "2024-11-25", "-1,234.50", "1/2|3", "7/..", "..", "-", "seven"]
    touch(tmp_path, *(f"2024-11-25/{i}.png" for i in range(9)))
    (tmp_path / "labels.csv").write_text("file,label\n" + "".join(f'2024-11-25/{i}.png,"{labels[i]}"\n' for i in range(9)))
    labelled, unlabelled = labelled_images(tmp_path)
    assert [label for _, label in labelled] == labels[:5]
    assert unlabelled == 4


def test_the_labels_csv_of_the_kept_images_is_read_too_and_the_folders_own_has_precedence(tmp_path):
    touch(tmp_path, "kept/a.png", "kept/b.png", "kept/c.png", "other/d.png")
    (tmp_path / "kept" / "labels.csv").write_text("file,label\na.png,1/2\nb.png,3/4\n")
    (tmp_path / "other" / "labels.csv").write_text("file,label\nd.png,5/6\n")
    (tmp_path / "labels.csv").write_text("file,label\nkept/b.png,9\n")
    labelled, unlabelled = labelled_images(tmp_path)
    assert relative(tmp_path, labelled) == [("kept/a.png", "1/2"), ("kept/b.png", "9")]
    assert unlabelled == 2, "kept/c.png, and what is in another folder"
    assert relative(tmp_path, labelled_images(tmp_path / "kept")[0]) == [("kept/a.png", "1/2"), ("kept/b.png", "3/4")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_labels_csv_has_precedence_over_the_sub_folder(encoding, tmp_path):
    # Excel saves "CSV UTF-8" with a byte order mark, which would otherwise become part of the first column's name.
    touch(tmp_path, "7/x.png", "7/wrong.png", "scans/ä.png", "rows.png", "loose.png")
    rows = ["file,label", "7/wrong.png,1", "scans/ä.png, 42 ", "./rows.png,3|9", "loose.png,"]
    (tmp_path / "labels.csv").write_bytes("\r\n".join(rows).encode(encoding))
    labelled, unlabelled = labelled_images(tmp_path)
    expected = [("7/wrong.png", "1"), ("7/x.png", "7"), ("rows.png", "3|9"), ("scans/ä.png", "42")]
    assert relative(tmp_path, labelled) == expected
    assert unlabelled == 1


def test_an_image_in_labels_csv_that_is_missing_is_still_returned(tmp_path):
    touch(tmp_path, "here.png")
    (tmp_path / "labels.csv").write_text("file,label\nhere.png,1\ngone.png,2\n")
    labelled, unlabelled = labelled_images(tmp_path)
    assert relative(tmp_path, labelled) == [("gone.png", "2"), ("here.png", "1")]
    assert unlabelled == 0


def test_a_folder_without_labelled_images_is_refused_with_their_number(tmp_path):
    assert "holds no labelled image (0 without a label)" in str(refused_folder(tmp_path))
    touch(tmp_path, "a.png", "b/c.png")
    assert "holds no labelled image (2 without a label)" in str(refused_folder(tmp_path))
    assert "There is no folder" in str(refused_folder(tmp_path / "absent"))
    assert "There is no folder" in str(refused_folder(tmp_path / "a.png"))


@pytest.mark.parametrize(
    "content",
    [
        b"name,digit\nx.png,1\n",
        b"file;label\nx.png;1\n",
        b"file,label\nx.png\n",
        b"file,label\n\xe4.png,1\n",
        b"label\n1\n",
        b'file,label\nx.png,"1\ny.png,2\n',
    ],
    ids=["columns", "semicolons", "short row", "not UTF-8", "no file", "a quotation mark that is never closed"],
)
def test_a_damaged_labels_csv_is_refused_with_its_path(content, tmp_path):
    touch(tmp_path, "7/x.png")
    (tmp_path / "labels.csv").write_bytes(content)
    text = str(refused_folder(tmp_path))
    assert str(tmp_path / "labels.csv") in text
    assert "Expected a CSV file with the columns file and label" in text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, b'file,label\nx.png,"1,2/3"\n'),
        (b"file,label\n", b'file,label\nx.png,"1,2/3"\n'),
        (
            b'\xef\xbb\xbflabel,note,file\r\n1/2,"a\r\nb",\xc3\xa4.png',
            b'\xef\xbb\xbflabel,note,file\r\n1/2,"a\r\nb",\xc3\xa4.png\n"1,2/3",,x.png\n',
        ),
    ],
    ids=["no file", "no line", "a table that Excel saved"],
)
def test_a_label_is_added_to_labels_csv_and_its_lines_before_stay_as_they_are(before, after, tmp_path):
    path = tmp_path / "labels.csv"
    if before:
        path.write_bytes(before)
    add_label(tmp_path / "x.png", "1,2/3")
    assert path.read_bytes() == after
    assert (tmp_path / "x.png", "1,2/3") in labelled_images(tmp_path)[0]


def test_no_label_is_added_to_a_damaged_labels_csv(tmp_path):
    damaged = b'file,label\nx.png,"1\n'
    (tmp_path / "labels.csv").write_bytes(damaged)
    with pytest.raises(UserError, match="can't be read"):
        add_label(tmp_path / "y.png", "1/2")
    assert (tmp_path / "labels.csv").read_bytes() == damaged


def test_a_labels_csv_that_can_not_be_replaced_stays_as_it_was(tmp_path, monkeypatch):
    add_label(tmp_path / "x.png", "1/2")
    before = (tmp_path / "labels.csv").read_bytes()

    def full(path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "flush_to_disk", full)
    with pytest.raises(UserError, match="labels.csv can't be written: No space left"):
        add_label(tmp_path / "y.png", "3/4")
    assert (tmp_path / "labels.csv").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["labels.csv", "labels.lock"]


def test_a_lock_that_can_not_be_made_is_the_users_error(tmp_path):
    (tmp_path / "labels.lock").mkdir()
    with pytest.raises(UserError, match="labels.csv can't be written"):
        add_label(tmp_path / "x.png", "1/2")


def test_a_lock_that_another_program_holds_is_waited_for_and_then_reported(tmp_path, monkeypatch):
    monkeypatch.setattr(labelled_folder, "MAX_LOCK_WAIT", 0.1)
    with filelock.FileLock(tmp_path / "labels.lock"), pytest.raises(UserError, match="Another program has held .*labels.lock"):
        add_label(tmp_path / "x.png", "1/2")
    assert not (tmp_path / "labels.csv").exists()
    add_label(tmp_path / "x.png", "1/2")


def refused_folder(folder):
    with pytest.raises(UserError) as refused:
        labelled_images(folder)
    return refused.value
