"""One module a method: pure functions of the operators of a model."""
