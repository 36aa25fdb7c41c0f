"""The parts of the rest_api collector."""
