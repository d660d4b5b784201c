"""SES (v2), and a letter as a MIME message. docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html"""

from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from functools import cache
from typing import Any

from coachline.notifications.rendering import Letter

# What says nothing about this one message: the account's limits, its state, and our own configuration.
_NOT_THE_MESSAGE = {
    *("TooManyRequestsException", "LimitExceededException", "ThrottlingException", "Throttling", "InternalFailure"),
    *("SendingPausedException", "AccountSuspendedException", "MailFromDomainNotVerifiedException"),
    *("AccessDeniedException", "NotFoundException", "ExpiredTokenException", "UnrecognizedClientException"),
}


# A long address in a header that has to be folded is written as an encoded word, which no mail program reads as an
# address: RFC 5322 allows 998 characters. Bodies are folded before, at 76.
_WIRE = SMTP.clone(max_line_length=998)


class NotSent(Exception):  # noqa: N818 - says what is, as RetryLater does
    """The message was not taken, as far as we know. `code` is SES's word; its text may hold an address: not kept."""

    def __init__(self, code: str, *, final: bool) -> None:
        super().__init__(code)
        self.code = code
        self.final = final


@dataclass(frozen=True)
class Invite:
    """A calendar's message (RFC 5546): its method, and the iCalendar text."""

    method: str
    text: str


class Mailer:
    """Sends from one address. `client` is a boto3 `sesv2` client."""

    def __init__(self, client: Any, sender: str) -> None:
        self._client = client
        self._sender = sender

    def send(self, address: str, message: EmailMessage) -> str:
        """Hand a message to SES: its id there. NotSent when it did not take it, or did not answer in time."""
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - heavy, and few need it - loaded with boto3 by now

        message["From"], message["To"] = self._sender, address
        try:
            answer = self._client.send_email(
                FromEmailAddress=self._sender,
                Destination={"ToAddresses": [address]},
                Content={"Raw": {"Data": message.as_bytes(policy=_WIRE)}},
            )
        except ClientError as error:
            code, status = error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
            raise NotSent(code, final=status < 500 and code not in _NOT_THE_MESSAGE) from None
        except BotoCoreError as error:
            raise NotSent(type(error).__name__, final=False) from None
        return str(answer["MessageId"])


@cache
def ses() -> Any:
    """The client. Without retries of its own: a timed-out call may have been carried out, so the queue decides."""
    import boto3  # noqa: PLC0415 - heavy, and few need it - a third of a second, for the one consumer that sends
    from botocore.config import Config  # noqa: PLC0415 - heavy, and few need it

    patience = Config(connect_timeout=3, read_timeout=8, retries={"total_max_attempts": 1})
    return boto3.client("sesv2", config=patience)


def message(letter: Letter, *, delivery_id: str, unsubscribe: str | None, invite: Invite | None) -> EmailMessage:
    """The letter as MIME, without sender and recipient; with the calendar's message as an alternative and as a file."""
    made = EmailMessage(policy=SMTP)
    made["Subject"] = letter.subject
    made["X-Coachline-Delivery"] = delivery_id
    made["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's holiday reply
    if unsubscribe:
        made["List-Unsubscribe"] = f"<{unsubscribe}>"
        made["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"  # RFC 8058
    made.set_content(letter.text, cte="quoted-printable")
    made.add_alternative(letter.html, subtype="html", cte="quoted-printable")
    if invite:
        made.add_alternative(invite.text, subtype="calendar", params={"method": invite.method}, cte="base64")
        made.add_attachment(invite.text.encode(), "application", "ics", filename="invite.ics")
    return made
