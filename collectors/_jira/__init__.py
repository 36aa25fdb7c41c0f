"""The parts of the Jira collector."""
