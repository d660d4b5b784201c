"""What keeps the system going: the webhooks' inbox and the events' outbox."""
