"""What drafting is made of, as pure functions: what a model is given, and how it is held to it."""
