"""Providers that sessions meet outside: Zoom's meetings, Calendly's bookings and busy times."""
