"""Which texts are labels, which of them may name a folder, and when a text that was read equals one."""

import pytest

from digits.data.labels import digits_of, is_folder_label, is_label, matches

FOLDER_LABELS = "7 007 42 -7 12.50 1,234 12,5 -1,234.50 1.234.567 1.234,50 1,00,000 4|2 1.5|-2".split()
OTHER_LABELS = "12/05/2024 12:45 8/10 2024-11-25 25.11.2024 1-2 .5 -.5 5. 12,- 12.-- 500/- 1/2|3".split()
NO_LABELS = [
    "", "seven", "7a", "7 ", " 7", "4 2", "+7", "$7", "7\n", "-", ".", "/", ":", "|", "--", "7|", "|7", "7||7", "7|-", "..", "./",
    "../7", "7/..", "7/../8", "./7", "/7", "//7", "..7", "7..", "--7", "-/7", ":7", "C:/7", "7\\8", "7\0",
    "\N{SUPERSCRIPT TWO}", "\N{ARABIC-INDIC DIGIT TWO}", "1\N{DIVISION SLASH}2", "\N{MINUS SIGN}7", "\N{FULLWIDTH DIGIT SEVEN}",
]  # fmt: skip


@pytest.mark.parametrize("text", FOLDER_LABELS + OTHER_LABELS)
def test_digits_and_marks_are_a_label(text):
    assert is_label(text)


@pytest.mark.parametrize("text", NO_LABELS)
def test_other_text_and_what_looks_like_a_path_are_no_label(text):
    assert not is_label(text)


@pytest.mark.parametrize("text", FOLDER_LABELS)
def test_a_number_with_points_or_commas_or_a_leading_minus_may_name_a_folder(text):
    assert is_folder_label(text)


@pytest.mark.parametrize("text", OTHER_LABELS + NO_LABELS)
def test_dates_times_and_what_is_no_label_give_no_folder_its_label(text):
    assert not is_folder_label(text)


@pytest.mark.parametrize(
    ("text", "digits"),
    [("", ""), ("42", "42"), ("-1,234.50", "123450"), ("12/05|12:45", "1205|1245"), ("7|-|8", "7|8"), ("-", ""), ("-|-", "")],
)
def test_marks_and_lines_without_a_digit_are_left_out_of_the_digits(text, digits):
    assert digits_of(text) == digits


@pytest.mark.parametrize(
    ("text", "label", "expected"),
    [
        ("1250", "1250", True),
        ("12.50", "1250", True),
        ("-12,50", "1250", True),
        ("12|-|50", "12|50", True),
        ("12.50", "12.50", True),
        ("1250", "12.50", False),
        ("12,50", "12.50", False),
        ("125.0", "12.50", False),
        ("12.51", "1250", False),
        ("12|50", "1250", False),
        ("1250", "12|50", False),
        ("1.250", "12.50|7", False),
        ("", "7", False),
        ("-", "7", False),
    ],
)
def test_marks_count_only_where_the_label_has_some(text, label, expected):
    assert matches(text, label) == expected
