"""What applications load into their own process. Needs nothing of spendtop's, so that it stays light."""
