"""The providers that the system talks to, as far as it talks to them: their protocols, states, webhooks and faults."""
