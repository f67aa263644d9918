"""Prepaid balances and providers' bills."""
