"""Studies and data sets are found by their files."""

import pytest

from descent import claims
from descent.pipeline.discovery import load, load_entry, module_names


def test_modules_are_found_by_name_and_in_order():
    for package in ("data", "studies"):
        names = module_names(package)
        assert names == sorted(names)
        assert [name for name in names if name.startswith("_")] == []
        for name in names:
            assert load(package, name).__name__ == f"descent.{package}.{name}"


def test_there_is_no_module_of_another_name():
    with pytest.raises(KeyError, match="no_such"):
        load("studies", "no_such")
    with pytest.raises(KeyError):
        load("studies", "../claims")


def test_an_entry_is_a_function_of_the_library():
    assert load_entry("descent.claims:defects") is claims.defects


@pytest.mark.parametrize("entry", [
    "os:system", "descent.claims:none", "descent.none:f", "descent.claims", "", "descent:x",
])
def test_what_is_no_entry_is_named(entry):
    with pytest.raises(ValueError, match="entry '"):
        load_entry(entry)
