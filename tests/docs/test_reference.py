"""The reference pages say what the code does: they are rendered from it."""

from __future__ import annotations

import pytest

from tests.docs import reference


@pytest.mark.parametrize("name", sorted(reference.PAGES))
def test_a_reference_page_is_what_the_code_renders(name):
    """Part 10. When this fails: make reference, and read the difference."""
    page = (reference.FOLDER / name).read_text(encoding="utf-8")

    assert page == reference.PAGES[name]()


def test_the_fail_modes_in_the_readme_are_what_the_code_renders():
    """D4. When this fails: make reference, and read the difference."""
    assert reference.README.read_text(encoding="utf-8") == reference.readme()
