"""Which store is whose: known, held, begun anew."""
