"""From what a source hands over to what is committed: each request once, with its totals."""
