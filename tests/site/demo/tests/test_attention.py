"""Named by a formula of the planted pages."""


def test_softmax() -> None:
    """Never run: a page only links it."""
