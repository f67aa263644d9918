"""The ground floor: pure rules of spend. No I/O, no clock, no asyncio, no SQL."""
