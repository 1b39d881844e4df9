"""What a card says of the libraries that made a model."""

from importlib.metadata import version

from digits.training import environment


def test_a_package_that_is_installed_under_another_name_is_left_out(monkeypatch):
    monkeypatch.setattr(environment, "PACKAGES", ("numpy", "opencv-of-another-name"))
    assert environment.environment()["versions"].keys() == {"python", "numpy"}
    assert environment.environment()["versions"]["numpy"] == version("numpy")
