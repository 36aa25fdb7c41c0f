"""The checks of a life cycle, by what they begin at."""
