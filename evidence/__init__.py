"""The vocabulary that every room speaks: items, times, pulls, freshness. No clock, no file, no network."""
