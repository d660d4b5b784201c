"""Providers that sessions meet outside: Zoom's meetings."""
