from __future__ import annotations

import inspect

import pytest

from superres import errors


def public_errors() -> list[type[BaseException]]:
    return [value for _, value in inspect.getmembers(errors, inspect.isclass) if issubclass(value, BaseException)]


def test_every_error_has_the_one_root() -> None:
    assert all(issubclass(error, errors.SuperresError) for error in public_errors())


def test_the_tree_in_the_docstring_is_complete() -> None:
    assert errors.__doc__ is not None
    for error in public_errors():
        assert error.__name__ in errors.__doc__
        assert error.__name__ in errors.__all__


def test_a_missing_extra_says_the_pip_command() -> None:
    assert "pip install 'superres[video]'" in str(errors.MissingExtraError("av", "video"))


@pytest.mark.parametrize(("value", "hint"), [("standart", "; did you mean 'standard'?"), ("qqqq", "")])
def test_near_match(value: str, hint: str) -> None:
    assert errors.near_match(value, ["standard", "realtime"]) == hint
