"""Member data after RESO's Data Dictionary: the rule table and all that is read from it, history, duplicates, report."""
