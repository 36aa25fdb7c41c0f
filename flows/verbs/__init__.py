"""The verbs, by who asks; each brings its own imports, so that help comes at once."""
