"""What people pay, and how Stripe's truth becomes ours."""
