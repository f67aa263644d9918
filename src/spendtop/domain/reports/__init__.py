"""What several sources report of one request, made into one."""
