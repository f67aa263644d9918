"""Asking the providers: what is to be polled, the loop of each poller, its steps, and what follows from them."""
