"""Phone numbers: E.164 inside, RESO's way outside."""


def parse(text: str) -> str | None:
    """The number as E.164; None when no such number is possible. Without a + it is a North American one."""
    # 15 ms to import, and only for members who have a phone: most functions that load this module never do.
    import phonenumbers  # noqa: PLC0415 - heavy, and few need it

    try:
        number = phonenumbers.parse(text, "US")
    except phonenumbers.NumberParseException:
        return None
    if number.extension or not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def shown(e164: str) -> str:
    """###-###-#### in North America, E.164 elsewhere, as RESO's Data Dictionary asks of its phone fields."""
    if e164.startswith("+1") and len(e164) == 12:
        return f"{e164[2:5]}-{e164[5:8]}-{e164[8:]}"
    return e164
