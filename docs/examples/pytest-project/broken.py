"""What a failure looks like: `pytest broken.py`. Its name keeps it out of `pytest` alone."""

import pytest


@pytest.mark.pushlab(phones=6)
def test_every_phone_gets_its_page(pushlab_lab, broken_pager):
    assert pushlab_lab.run(broken_pager)
