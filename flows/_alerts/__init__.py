"""What alerting is made of: causes, what is remembered of them, channels, and what each is told."""
