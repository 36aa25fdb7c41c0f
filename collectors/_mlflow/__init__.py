"""What the collectors of MLflow share and are made of."""
