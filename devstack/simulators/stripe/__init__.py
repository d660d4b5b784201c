"""Stripe at /_sim/stripe: the calls that we make and transitions that we handle, as of version 2026-10-28.endive."""

from devstack.simulators.stripe.server import STRIPE_SECRETS_ID, Stripe

__all__ = ["STRIPE_SECRETS_ID", "Stripe"]
