"""The words of refunds and disputes, for `texts`."""

from coachline.notifications.text import Text

TEXTS = {
    "refund_made": Text(
        "Refund for your session with {coach}",
        "A payment for your session with {coach} was given back to you.",
        ("Banks take 5 to 10 days to show money where you paid from. Account credit is there at once.",),
        (("Money", "{amount}"), ("Account credit", "{credit}"), ("Your plan", "{plan}")),
        ("Open the session", "/sessions/{sessionId}"),
    ),
    "refund_failed": Text(
        "Your refund did not arrive",
        "We gave back a payment for your session with {coach}, and your bank did not take it.",
        ("It happens when a card has expired or an account is closed. Reply to this e-mail: we find another way.",),
        (("Amount", "{amount}"),),
        ("Open the session", "/sessions/{sessionId}"),
    ),
    "refund_to_check": Text(
        "A refund failed",
        "A refund did not reach its payer, who is owed the money.",
        ("Give it back once more from the payment's page, or in another way.",),
        (("Payer", "{payer}"), ("Amount", "{amount}"), ("Reason", "{failureReason}")),
        ("Open the payment", "/admin/payments/{paymentId}"),
    ),
    "dispute_opened": Text(
        "A payment is disputed: {amount}",
        "A payer has asked the bank for a payment back. The bank calls it: {disputeKind}, {disputeReason}.",
        ("Write down what speaks for the session; an administrator sends it to the bank.",),
        (("Payer", "{payer}"), ("Amount", "{amount}"), ("Answer until", "{dueBy}")),
        ("Open the dispute", "/disputes/{disputeId}"),
    ),
    "dispute_due": Text(
        "A dispute is not answered yet: {amount}",
        "The time to answer a dispute is nearly over. Without an answer it is lost.",
        (),
        (("Payer", "{payer}"), ("Amount", "{amount}"), ("Answer until", "{dueBy}")),
        ("Open the dispute", "/disputes/{disputeId}"),
    ),
    "dispute_closed": Text(
        "A dispute is decided: {disputeStatus}",
        "The bank has closed a dispute: {disputeStatus}.",
        ("What is lost may be taken from the coach's share, as the terms say; what is won changes nothing.",),
        (("Payer", "{payer}"), ("Amount", "{amount}")),
        ("Open the dispute", "/disputes/{disputeId}"),
    ),
}
