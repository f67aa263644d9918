"""The published price list as it is fetched: kept on disk, judged before it is used, and put into force."""
