"""What is GitLab's own in its collector."""
