"""The Stripe simulator behind a real port, asked by Stripe's own SDK, on a clock of its own."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import stripe
from aiohttp import web

from devstack.clock import Clock
from devstack.simulators.stripe import Stripe
from devstack.simulators.stripe.shapes import Row, faults
from tests.unit.devstack.simulated import keys

START = datetime(2027, 1, 31, 12, tzinfo=UTC)


class Simulated:
    """What a test holds: the SDK's client, the simulator, its clock."""

    def __init__(self, simulator: Stripe, clock: Clock, url: str, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.simulator = simulator
        self.clock = clock
        self.url = url
        self.client = stripe.StripeClient(keys().stripe_api_key, base_addresses={"api": url}, max_network_retries=0)
        self._seen: set[str] = set()

    def move(self, **by: float) -> None:
        """Let time pass."""
        self.to(self.clock.now() + timedelta(**by))

    def to(self, at: datetime) -> None:
        asyncio.run_coroutine_threadsafe(self.clock.pin(at), self._loop).result(30)

    def control(self, **options: Any) -> None:
        """What /_control does."""
        asyncio.run_coroutine_threadsafe(self.simulator.control(options), self._loop).result(30)

    def keep(self, rows: list[tuple[str, Row]]) -> None:
        """Put objects there as they are, by kind, past every rule."""

        async def keep() -> None:
            for kind, row in rows:
                self.simulator.store.put(kind, row["id"], row)

        asyncio.run_coroutine_threadsafe(keep(), self._loop).result(120)

    def calls(self) -> int:
        """How often it has been asked anything."""
        return self.simulator.calls

    def events(self) -> list[str]:
        """The types of the events since this was asked last, in their order."""
        rows = [row for row in self.simulator.store.all("event") if row["id"] not in self._seen]
        self._seen.update(row["id"] for row in rows)
        return [row["type"] for row in rows]

    def faults(self) -> list[str]:
        """Where any object or event is not what the SDK's typed classes declare."""
        kinds = {
            "product": stripe.Product,
            "price": stripe.Price,
            "customer": stripe.Customer,
            "payment_method": stripe.PaymentMethod,
            "setup_intent": stripe.SetupIntent,
            "payment_intent": stripe.PaymentIntent,
            "charge": stripe.Charge,
            "account": stripe.Account,
            "application_fee": stripe.ApplicationFee,
            "balance_transaction": stripe.BalanceTransaction,
            "transfer": stripe.Transfer,
            "subscription": stripe.Subscription,
            "invoice": stripe.Invoice,
            "invoiceitem": stripe.InvoiceItem,
            "invoice_payment": stripe.InvoicePayment,
            "mandate": stripe.Mandate,
            "refund": stripe.Refund,
            "dispute": stripe.Dispute,
            "transfer_reversal": stripe.TransferReversal,
            "fee_refund": stripe.ApplicationFeeRefund,
            "event": stripe.Event,
        }
        rows: list[tuple[str, type, Row]] = [
            (f"{kind} {row['id']}", declared, row)
            for kind, declared in kinds.items()
            for row in self.simulator.store.all(kind)
        ]
        for event in self.simulator.store.all("event"):
            subject = event["data"]["object"]
            rows.append((f"{event['type']} {subject['id']}", kinds[subject["object"]], subject))
        return [fault for place, declared, row in rows for fault in faults(declared, row, place)]

    # ---- What most stories begin with

    def price(self, amount: int = 5000, interval: str = "month", currency: str = "usd") -> str:
        product = self.client.v1.products.create({"name": "Plan"})
        recurring: Any = {"interval": interval}
        price = {"product": product.id, "currency": currency, "unit_amount": amount, "recurring": recurring}
        return self.client.v1.prices.create(price).id  # type: ignore[arg-type]  # a plain dictionary of literals

    def customer(self, method: str | None = "pm_card_visa") -> str:
        customer = self.client.v1.customers.create({"email": "mentee@example.com"})
        if method:
            attached = self.client.v1.payment_methods.attach(method, {"customer": customer.id})
            settings: Any = {"default_payment_method": attached.id}
            self.client.v1.customers.update(customer.id, {"invoice_settings": settings})
        return customer.id

    def coach(self, *, ready: bool = True) -> str:
        """A connected account, onboarded."""
        asked: Any = {"type": "express", "capabilities": {"transfers": {"requested": True}}}
        account = self.client.v1.accounts.create(asked).id
        if ready:
            self.control(onboard={"id": account, "ready": True})
        return account

    def subscribe(self, customer: str, price: str, **more: Any) -> stripe.Subscription:
        asked: Any = {"customer": customer, "items": [{"price": price}], **more}
        return self.client.v1.subscriptions.create(asked)


@contextlib.contextmanager
def simulated(directory: Path) -> Iterator[Simulated]:
    clock = Clock()
    clock.pinned = START
    loop, ready = asyncio.new_event_loop(), threading.Event()
    held: dict[str, Any] = {}

    async def serve() -> None:
        held["simulator"] = simulator = Stripe(directory, clock, keys(), receiver="http://127.0.0.1:9/webhooks")
        simulator.webhooks.send = lambda *_: None  # type: ignore[method-assign]  # nobody listens in these tests
        runner = web.AppRunner(simulator.app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        held["url"] = f"http://127.0.0.1:{runner.addresses[0][1]}"
        held["runner"] = runner
        ready.set()

    async def stop() -> None:
        await held["runner"].cleanup()
        held["simulator"].store.close()

    def run() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(serve())
        loop.run_forever()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    ready.wait(10)
    try:
        yield Simulated(held["simulator"], clock, held["url"], loop)
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()
