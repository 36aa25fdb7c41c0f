"""The parts of the collector of git registers."""
