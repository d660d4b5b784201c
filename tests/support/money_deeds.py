"""What ADMINs, people, Stripe's Dashboard and banks do with a payment that was made."""

from typing import Any
from uuid import UUID

from coachline.payments import disputes, refunds
from coachline.scheduling import sessions
from tests.support.stack import SignedIn
from tests.support.stripe_world import World

Row = dict[str, Any]


class Deeds:
    """Of one world, with an ADMIN of its own. Refusals are the caller's to suppress."""

    def __init__(self, w: World) -> None:
        self.world, self.admin = w, w.stack.user("ADMIN")

    def of_charge(self, kind: str, charge: str | None) -> list[Row]:
        return [row for row in self.world.objects(kind) if charge and row.get("charge") == charge]

    def give_back(self, payment_id: Any, amount: int | None) -> Any:
        """An ADMIN's refund: so much, or all that is left."""
        body: Row = {"reason": "GOODWILL", "note": "A gift"}
        body |= {"amount": {"amount": amount, "currency": "USD"}} if amount else {}
        caller = self.world.caller(self.admin, "refund:create")
        return refunds.refund(caller, UUID(str(payment_id)), refunds.RefundInput.model_validate(body))

    def give_back_in_the_dashboard(self, charge: str, amount: int, *, reverse: bool) -> None:
        asked: Any = {"charge": charge, "amount": amount} | ({"reverse_transfer": True} if reverse else {})
        self.world.stripe.client.v1.refunds.create(asked)

    def cancel(self, session_id: Any, who: SignedIn, **more: Any) -> None:
        body = sessions.Cancellation.model_validate({"reason": "Ill", **more})
        sessions.cancel_session(self.world.caller(who, "session:cancel"), UUID(str(session_id)), body)

    def dispute(self, charge: str, *, inquiry: bool) -> None:
        """At most one of a charge."""
        if not self.of_charge("dispute", charge):
            self.world.stripe.control(dispute={"charge": charge, "inquiry": inquiry})

    def decide(self, charge: str | None, outcome: str) -> None:
        for row in self.of_charge("dispute", charge):
            self.world.stripe.control(decide={"id": row["id"], "outcome": outcome})

    def answer(self, payment_id: Any, words: str) -> None:
        for row in self.world.rows("select * from private.dispute where payment_id = %s", payment_id):
            sent: Any = {"evidence": {"uncategorizedText": words}, "submit": True, "version": row["version"]}
            caller = self.world.caller(self.admin, "dispute:respond")
            disputes.answer(caller, UUID(str(row["id"])), disputes.EvidenceInput.model_validate(sent))

    def bank(self, charge: str | None, *, fails: bool) -> None:
        """What was refunded arrives, or comes back."""
        for row in self.of_charge("refund", charge):
            self.world.stripe.control(refund={"id": row["id"], "fails": fails})
