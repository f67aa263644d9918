"""What Helicone tells of the requests that passed it."""
