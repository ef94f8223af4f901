"""A package of one function, quoted by the planted pages."""
