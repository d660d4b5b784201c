"""The languages that people name: ISO 639-1 codes."""

from typing import Annotated

from pydantic import AfterValidator, Field

# https://www.loc.gov/standards/iso639-2/php/code_list.php, the column of two letters.
_CODES = """
aa ab ae af ak am an ar as av ay az ba be bg bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en eo es et
eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv ka kg ki kj kk
kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny
oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti tk
tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu
"""
CODES = frozenset(_CODES.split())


def _known(code: str) -> str:
    if code not in CODES:
        raise ValueError("Not a language: send its two letters of ISO 639-1, such as en or es")
    return code


Language = Annotated[str, Field(max_length=2, examples=["en"]), AfterValidator(_known)]
"""A language as two small letters."""
