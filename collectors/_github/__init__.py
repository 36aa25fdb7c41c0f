"""What is GitHub's own in its collector."""
