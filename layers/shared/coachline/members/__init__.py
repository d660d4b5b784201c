"""Member data after RESO's Data Dictionary: the rule table and all that reads it, history, duplicates, report."""
