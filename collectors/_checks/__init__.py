"""What the collectors of data-quality results share and are made of."""
