"""The shared layer: what every Coachline function stands on.

Import modules by their full name (``coachline.auth``): a barrel here would make every function load every context.
"""
