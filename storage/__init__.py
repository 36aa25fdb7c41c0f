"""The lake: one true table of evidence, the tables that follow it, and the ledger that seals it."""
