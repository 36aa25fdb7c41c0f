"""Code review, whatever the code host."""
