"""The vocabulary that every room speaks; it knows no clock, no file and no network."""
