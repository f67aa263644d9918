"""What is stored, by the prices of now."""
