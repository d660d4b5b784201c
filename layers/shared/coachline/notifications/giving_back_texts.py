"""The words of refunds and disputes, for `texts`."""

from coachline.notifications.text import Text

TEXTS = {
    "refund_made": Text(
        "You get money back",
        "A payment for a session was given back to you.",
        ("Banks take 5 to 10 days until you see it where you paid from. Account credit is there at once.",),
        (("Amount", "{amount}"), ("Account credit", "{credit}")),
        ("Open the session", "/sessions/{sessionId}"),
    ),
    "refund_failed": Text(
        "Your refund did not arrive",
        "We have given back a payment, and your bank did not take it.",
        ("This happens when a card has expired or an account is closed. Please write to us: we find another way.",),
        (("Amount", "{amount}"),),
        ("Open the session", "/sessions/{sessionId}"),
    ),
    "refund_to_check": Text(
        "A refund failed",
        "A refund did not reach its payer, who is owed the money.",
        ("Give it back once more from the payment's page, or in another way.",),
        (("Amount", "{amount}"), ("Reason", "{failureReason}")),
        ("Open the payment", "/admin/payments/{paymentId}"),
    ),
    "dispute_opened": Text(
        "A payment is disputed: {amount}",
        "A payer has gone to his bank about a payment. What the bank calls it: {disputeKind}, {disputeReason}.",
        ("Write down what speaks for the session; an administrator sends it to the bank.",),
        (("Amount", "{amount}"), ("Answer until", "{dueBy}")),
        ("Open the dispute", "/disputes/{disputeId}"),
    ),
    "dispute_due": Text(
        "A dispute is not answered yet: {amount}",
        "The time to answer a dispute is nearly over. Without an answer it is lost.",
        (),
        (("Amount", "{amount}"), ("Answer until", "{dueBy}")),
        ("Open the dispute", "/disputes/{disputeId}"),
    ),
    "dispute_closed": Text(
        "A dispute is decided: {disputeStatus}",
        "The bank has closed a dispute: {disputeStatus}.",
        ("What is lost comes from the coach, who gets the fee of it back; what is won stays as it was.",),
        (("Amount", "{amount}"),),
        ("Open the dispute", "/disputes/{disputeId}"),
    ),
}
