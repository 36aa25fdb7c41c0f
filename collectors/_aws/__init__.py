"""What the collectors of AWS share and are made of."""
