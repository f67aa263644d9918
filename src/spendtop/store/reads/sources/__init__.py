"""How the ways stand by which requests come."""
