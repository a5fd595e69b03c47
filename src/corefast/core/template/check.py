"""What a template may be when a business hands it in. Each complaint names the field as the API calls it."""

import re
from urllib.parse import urlsplit

import msgspec

from corefast.address import canonical_number
from corefast.core.template.text import BLANKS, CONTROLS, format_of, variables_of
from corefast.errors import (
    NumberInvalid,
    ParameterInvalid,
    ParameterMissing,
    TemplatePhoneInvalid,
    TemplateUrlInvalid,
)
from corefast.limits import (
    MAX_BODY_CHARACTERS,
    MAX_CODE_CHARACTERS,
    MAX_FOOTER_CHARACTERS,
    MAX_HEADER_CHARACTERS,
    MAX_TEMPLATE_BUTTON_CHARACTERS,
    MAX_TEMPLATE_BUTTONS,
    MAX_TEMPLATE_BYTES,
    MAX_URL_CHARACTERS,
)
from corefast.wire.body import ButtonKind
from corefast.wire.template import Button, Definition, Example, Header, HeaderFormat, ParameterFormat

COPY_TEXT = "Copy code"
"""On a button that copies a code, where the business gave no text."""

URL_VARIABLE = "{{1}}"

_NAME = re.compile(r"[a-z0-9_]{1,512}")
_NAMESPACE = re.compile(r"[A-Za-z0-9_.:-]{0,128}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:_(?:[A-Z]{2}|[0-9]{3}|[A-Z][a-z]{3}(?:_[A-Z]{2})?))?")
_CATEGORY = re.compile(r"[A-Z_]{0,64}")
_UNFIT_FOR_URL = re.compile(r'[\s\x00-\x20\x7f-\x9f"<>\\^`{|}\u202a-\u202e\u2066-\u2069]')

_encode = msgspec.msgpack.Encoder().encode


def check_definition(given: Definition) -> Definition:
    """Return the template as it is kept: with its format, and numbers and texts that were left open put in.

    Raises `ParameterMissing`, `ParameterInvalid`, `TemplateUrlInvalid` or `TemplatePhoneInvalid`.
    """
    _check_names(given)
    names = {"header.text": _check_header(given.header), "body.text": _check_body(given)}
    if given.footer:
        _check_words("footer.text", given.footer, MAX_FOOTER_CHARACTERS)
        if variables_of("footer.text", given.footer):
            raise ParameterInvalid("`footer.text` has no variables")
    if len(given.buttons) > MAX_TEMPLATE_BUTTONS:
        raise ParameterInvalid(f"`buttons` has at most {MAX_TEMPLATE_BUTTONS} entries")
    buttons = [_check_button(f"buttons[{at}]", button) for at, button in enumerate(given.buttons)]
    kept = msgspec.structs.replace(given, buttons=buttons, format=_format(given, names))
    if len(_encode(kept)) > MAX_TEMPLATE_BYTES:
        raise ParameterInvalid(f"a template has at most {MAX_TEMPLATE_BYTES} bytes in all, examples included")
    return kept


def _check_names(given: Definition) -> None:
    if not given.name:
        raise ParameterMissing("`name` is missing or empty")
    if not _NAME.fullmatch(given.name):
        raise ParameterInvalid("`name` has 1 to 512 small letters, digits and _")
    if not _NAMESPACE.fullmatch(given.namespace):
        raise ParameterInvalid("`namespace` has at most 128 letters, digits or characters of _ . : -")
    if not given.language:
        raise ParameterMissing("`language` is missing or empty")
    if not _LANGUAGE.fullmatch(given.language):
        raise ParameterInvalid("`language` has to be a code such as en, en_US or es_419")
    if not _CATEGORY.fullmatch(given.category):
        raise ParameterInvalid("`category` has to be in capitals, such as MARKETING, UTILITY or AUTHENTICATION")


def _check_header(header: Header | None) -> list[str]:
    """Return the names of its variables."""
    if header is None:
        return []
    if header.format is not HeaderFormat.TEXT:
        if header.text:
            raise ParameterInvalid("`header.text` goes with format TEXT only")
        return []
    _check_words("header.text", header.text, MAX_HEADER_CHARACTERS, is_line=True)
    names = variables_of("header.text", header.text)
    if len(names) > 1:
        raise ParameterInvalid("`header.text` has at most one variable")
    _check_examples("header.example", header.examples, names)
    return names


def _check_body(given: Definition) -> list[str]:
    _check_words("body.text", given.body, MAX_BODY_CHARACTERS)
    names = variables_of("body.text", given.body)
    _check_examples("body.example", given.examples, names)
    return names


def _check_examples(field: str, examples: list[Example], names: list[str]) -> None:
    if examples and sorted(each.name for each in examples) != sorted(names):
        raise ParameterInvalid(f"`{field}` has to have one value for each variable of the text, or none at all")


def _format(given: Definition, names: dict[str, list[str]]) -> ParameterFormat:
    found = [way for field, listed in names.items() if (way := format_of(field, listed)) is not None]
    if len(set(found)) > 1:
        raise ParameterInvalid("`header.text` and `body.text` have to call their variables in the same way")
    kept = found[0] if found else given.format or ParameterFormat.POSITIONAL
    if given.format not in (None, kept):
        raise ParameterInvalid(f"`parameter_format`: the variables of the texts are {kept}")
    return kept


def _check_words(field: str, text: str, most: int, *, is_line: bool = False) -> None:
    if not text.strip():
        raise ParameterMissing(f"`{field}` is missing or empty")
    if len(text) > most:
        raise ParameterInvalid(f"`{field}` has {len(text)} characters; the limit is {most}")
    if CONTROLS.search(text):
        raise ParameterInvalid(f"`{field}` holds control characters")
    if is_line and BLANKS.search(text):
        raise ParameterInvalid(f"`{field}` is one line, without tabs or more than 4 blanks in a row")


# ── buttons ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _check_button(field: str, button: Button) -> Button:
    text = button.text or (COPY_TEXT if button.kind is ButtonKind.COPY_CODE else "")
    _check_words(f"{field}.text", text, MAX_TEMPLATE_BUTTON_CHARACTERS, is_line=True)
    if variables_of(f"{field}.text", text):
        raise ParameterInvalid(f"`{field}.text` has no variables")
    value, most = "", MAX_URL_CHARACTERS
    if button.kind is ButtonKind.URL:
        value = _check_url(f"{field}.url", button.value)
    elif button.kind is ButtonKind.PHONE:
        value = _check_phone(f"{field}.phone_number", button.value)
    elif button.kind is ButtonKind.COPY_CODE:
        most = MAX_CODE_CHARACTERS
    if len(button.example) > most:
        raise ParameterInvalid(f"`{field}.example` has {len(button.example)} characters; the limit is {most}")
    return msgspec.structs.replace(button, text=text, value=value)


def _check_url(field: str, url: str) -> str:
    """Return *url*, fixed or with one variable at its end, where it cannot change the host."""
    if not url:
        raise ParameterMissing(f"`{field}` is missing or empty")
    fixed = url.removesuffix(URL_VARIABLE)
    if not (is_fit_for_url(fixed) and _has_host(fixed)):
        raise TemplateUrlInvalid(
            f"`{field}` has to begin with https:// or http://, with {{{{1}}}} at its end or nowhere"
        )
    parts = urlsplit(fixed)
    if fixed != url and not (parts.path or parts.query or parts.fragment):
        raise TemplateUrlInvalid(f"`{field}`: {{{{1}}}} has to stand behind the host and a /")
    return url


def is_fit_for_url(text: str) -> bool:
    """Tell whether *text* has the characters, and no more of them, that a URL may have."""
    return len(text) <= MAX_URL_CHARACTERS and not _UNFIT_FOR_URL.search(text)


def _has_host(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("https", "http") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _check_phone(field: str, number: str) -> str:
    """Return *number* in international form, with its plus."""
    if not number:
        raise ParameterMissing(f"`{field}` is missing or empty")
    try:
        return f"+{canonical_number(number)}"
    except NumberInvalid as error:
        raise TemplatePhoneInvalid(f"`{field}`: {error}") from None
