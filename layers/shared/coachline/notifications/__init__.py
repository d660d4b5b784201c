"""What people are told of what happened: in the app, by e-mail, as far as they want it."""
