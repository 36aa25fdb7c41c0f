"""Where the rooms meet, and the only one that knows Prefect."""
