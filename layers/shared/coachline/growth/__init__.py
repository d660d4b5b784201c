"""What people set out to do and what they achieve: goals, achievements."""
