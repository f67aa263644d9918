"""`spendtop import`: files of requests and older systems' databases, into the store."""
