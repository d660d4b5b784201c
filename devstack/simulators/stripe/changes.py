"""What a change of a subscription charges, credits and leaves behind. Nothing is kept here, so a preview is alike."""

import stripe

from devstack.simulators.stripe.account import Account, merged_metadata
from devstack.simulators.stripe.periods import Line, full_line, period_end, remaining, unused
from devstack.simulators.stripe.shapes import Row, StripeError, blank


class Changes:
    def __init__(self, account: Account) -> None:
        self._account = account

    def change(self, row: Row, given: Row, at: int) -> tuple[list[Line], Row]:
        """The lines that a change charges and credits at an instant, and the subscription after it. Nothing is kept."""
        changed = row | self.cancel_members(row, given)
        changed["metadata"] = merged_metadata(row["metadata"], given.get("metadata"))
        if "default_payment_method" in given:
            changed["default_payment_method"] = given["default_payment_method"] or None
        if "pause_collection" in given:
            paused = given["pause_collection"]
            changed["pause_collection"] = {"resumes_at": None, **paused} if paused else None
        if "trial_settings" in given:
            changed["trial_settings"] = given["trial_settings"]
        lines: list[Line] = []
        old = row["items"]["data"]
        if given.get("trial_end") == "now" and row["status"] == "trialing":
            changed |= {"trial_end": at, "status": "active", "billing_cycle_anchor": at}
            return self.restart(changed, old, at)
        if given.get("items"):
            anchor = given.get("billing_cycle_anchor") or {}
            new = [self._replacement(old, each) for each in given["items"]]
            kept = [item for item in old if item["id"] not in {each["id"] for each in new}]
            credit = row["status"] != "trialing" and given.get("proration_behavior") != "none"
            ended = [item for item in old if item["id"] in {each["id"] for each in new}]
            same_interval = all(_interval(a) == _interval(b) for a in new for b in old)
            if same_interval and anchor.get("type") != "now":
                changed["items"] = {**row["items"], "data": kept + new}
                if credit:
                    lines = [unused(item, at) for item in ended] + [remaining(item, at) for item in new]
                return lines, changed
            if row["status"] == "trialing":
                changed["items"] = {**row["items"], "data": kept + new}
                return [], changed
            lines, changed = self.restart(changed | {"billing_cycle_anchor": at}, kept + new, at)
            return ([unused(item, at) for item in ended] if credit else []) + lines, changed
        return lines, changed

    def restart(self, row: Row, items: list[Row], at: int) -> tuple[list[Line], Row]:
        """A new period that begins now, charged in full."""
        end = period_end(at, at, items[0]["price"]["recurring"])
        items = [item | {"current_period_start": at, "current_period_end": end} for item in items]
        return [full_line(item, at, end) for item in items], row | {"items": {**row["items"], "data": items}}

    def _replacement(self, old: list[Row], given: Row) -> Row:
        """An item as a change wants it; its currency is the subscription's, for as long as that lives."""
        current = next((item for item in old if item["id"] == given.get("id")), None)
        if current is None:
            raise StripeError("No such subscription item.", code="resource_missing", param="items[0][id]")
        price = given.get("price") or current["price"]["id"]
        quantity = given.get("quantity", current["quantity"])
        item = self.item({"id": current["id"], "price": price, "quantity": quantity})
        if item["price"]["currency"] != current["price"]["currency"]:
            raise StripeError("The price's currency must be that of the subscription.", param="items[0][price]")
        periods = ("current_period_start", "current_period_end", "subscription", "created")
        return item | {name: current[name] for name in periods}

    def item(self, given: Row) -> Row:
        price = self._account.get("price", given.get("price", ""), "items[0][price]")
        if not price["active"]:
            raise StripeError(
                "The price specified is inactive. This field only accepts active prices.", param="items[0][price]"
            )
        if price["type"] != "recurring":
            raise StripeError("This field only accepts prices with `type=recurring`.", param="items[0][price]")
        row = self._account.new(
            stripe.SubscriptionItem,
            "subscription_item",
            id=given.get("id"),
            price=price,
            quantity=given.get("quantity", 1),
            metadata={},
        )
        recurring = price["recurring"]
        plan = {
            name: price[name] for name in ("id", "active", "currency", "livemode", "metadata", "product", "created")
        }
        plan |= {"amount": price["unit_amount"], "interval": recurring["interval"]}  # the older form of the price
        row["plan"] |= plan | {"interval_count": recurring["interval_count"], "object": "plan"}
        return row

    def cancel_members(self, row: Row, given: Row) -> Row:
        at_end = given.get("cancel_at_period_end")
        if at_end is None:
            return {}
        if not at_end:
            return {"cancel_at_period_end": False, "cancel_at": None, "canceled_at": None, "cancellation_details": None}
        end = min(item["current_period_end"] for item in row["items"]["data"])
        details = blank(stripe.Subscription.CancellationDetails, reason="cancellation_requested")
        return {
            "cancel_at_period_end": True,
            "cancel_at": end,
            "canceled_at": self._account.now,
            "cancellation_details": details,
        }


def _interval(item: Row) -> tuple[str, int]:
    return item["price"]["recurring"]["interval"], item["price"]["recurring"]["interval_count"]
