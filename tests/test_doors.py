"""The front door: what is public exists, is documented and is listed once."""

import pytest

import metagrove as mg


def test_public_names_are_sorted_and_unique():
    assert list(mg.__all__) == sorted(set(mg.__all__))


@pytest.mark.parametrize("name", mg.__all__)
def test_public_names_exist_and_are_documented(name):
    assert (getattr(mg, name).__doc__ or "").strip()


def test_unknown_attribute_is_refused():
    with pytest.raises(AttributeError, match="no attribute 'metaporp'"):
        mg.metaporp  # noqa: B018
