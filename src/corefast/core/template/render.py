"""From a template and a call of it to what the customer gets. Pure; each complaint names the field of the request."""

import re
from typing import NamedTuple

from corefast.core.send.check import check_filename
from corefast.core.template.check import URL_VARIABLE, is_fit_for_url
from corefast.core.template.text import BLANKS, CONTROLS, fill, names_in
from corefast.errors import (
    ParameterInvalid,
    ParameterMissing,
    TemplateButtonsUnsupported,
    TemplateCharacters,
    TemplateComponentMissing,
    TemplateMediaUnsupported,
    TemplateParameterCount,
    TemplateParameterFormat,
    TemplateParameterTooLong,
    TemplateTextTooLong,
    TemplateUrlInvalid,
    TemplateWhitespace,
)
from corefast.limits import (
    MAX_BODY_CHARACTERS,
    MAX_CODE_CHARACTERS,
    MAX_HEADER_CHARACTERS,
    MAX_PAYLOAD_CHARACTERS,
    MAX_URL_CHARACTERS,
)
from corefast.wire.body import ButtonKind, Location, Template, TemplateButton
from corefast.wire.template import (
    Button,
    CallComponent,
    CallParameter,
    Definition,
    HeaderFormat,
    ParameterFormat,
    TemplateCall,
)

_CURRENCY = re.compile(r"[A-Z]{3}")
_WORDS = ("text", "currency", "date_time")
_MEDIA = ("image", "video", "document")


class Given(NamedTuple):
    """What a call gives for one component, and where it stands in the request."""

    field: str
    parameters: list[CallParameter]
    sub_type: str = ""


NOTHING = Given("template.components", [])


class Components(NamedTuple):
    header: Given
    body: Given
    buttons: dict[int, Given]


def render(definition: Definition, call: TemplateCall) -> Template:
    """Return the template filled in; raise a `TemplateError`, `ParameterMissing` or `ParameterInvalid`."""
    given = _sort(definition, call.components)
    header = _render_header(definition, given.header)
    return Template(
        definition.name,
        definition.language,
        _render_text(definition, "body", definition.body, given.body, MAX_BODY_CHARACTERS),
        header.text,
        definition.footer,
        [_render_button(button, at, given.buttons.get(at, NOTHING)) for at, button in enumerate(definition.buttons)],
        header.location,
        header.filename,
    )


def _sort(definition: Definition, components: list[CallComponent]) -> Components:
    header = body = NOTHING
    buttons: dict[int, Given] = {}
    for at, component in enumerate(components):
        given = Given(f"template.components[{at}]", component.parameters, component.sub_type)
        match component.type:
            case "header" if header is NOTHING:
                header = given
            case "body" if body is NOTHING:
                body = given
            case "button" if component.index not in buttons:
                if not 0 <= component.index < len(definition.buttons):
                    have = len(definition.buttons)
                    raise TemplateParameterFormat(f"`{given.field}.index`: the template has {have} buttons, from 0 on")
                buttons[component.index] = given
            case "header" | "body" | "button":
                raise ParameterInvalid(f"`{given.field}` comes a second time")
            case _:
                raise ParameterInvalid(f"`{given.field}.type` has to be header, body or button")
    return Components(header, body, buttons)


# ── texts ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _render_text(definition: Definition, name: str, text: str, given: Given, most: int) -> str:
    values = _values(definition, name, names_in(text), given, most)
    filled = fill(text, values)
    if len(filled) > most:
        raise TemplateTextTooLong(f"the {name} has {len(filled)} characters with its parameters; the limit is {most}")
    return filled


def _values(definition: Definition, name: str, variables: list[str], given: Given, most: int) -> dict[str, str]:
    """Return the value of each variable."""
    count = len(given.parameters)
    if count != len(variables):
        raise TemplateParameterCount(f"the {name} of the template has {len(variables)} variables, not {count}")
    values = {}
    for at, parameter in enumerate(given.parameters):
        field = f"{given.field}.parameters[{at}]"
        variable = str(at + 1)
        if definition.format is ParameterFormat.NAMED:
            variable = parameter.name
            if not variable:
                raise TemplateParameterFormat(
                    f"`{field}.parameter_name` is missing: the variables of the {name} have names"
                )
            if variable not in variables or variable in values:
                raise TemplateParameterCount(f"`{field}.parameter_name`: {_listed(variables)} have one parameter each")
        values[variable] = _words(field, parameter, most)
    return values


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown} …"


def _words(field: str, parameter: CallParameter, most: int) -> str:
    """Return what a parameter of a text says. Of amounts and times that is the fallback, the same for everybody."""
    if parameter.type not in _WORDS:
        raise TemplateParameterFormat(f"`{field}.type` has to be text, currency or date_time here")
    if parameter.type == "currency" and not _CURRENCY.fullmatch(parameter.currency):
        raise TemplateParameterFormat(f"`{field}.currency.code` has to be three capital letters (ISO 4217)")
    name = "text" if parameter.type == "text" else f"{parameter.type}.fallback_value"
    return _checked(f"{field}.{name}", parameter.text, most)


def _checked(field: str, text: str, most: int) -> str:
    if not text:
        raise ParameterMissing(f"`{field}` is missing or empty")
    if len(text) > most:
        raise TemplateParameterTooLong(f"`{field}` has {len(text)} characters; the limit is {most}")
    if BLANKS.search(text):
        raise TemplateWhitespace(f"`{field}` holds a new line, a tab, or more than 4 blanks in a row")
    if CONTROLS.search(text):
        raise TemplateCharacters(f"`{field}` holds control characters, or such that turn the direction of the text")
    return text


# ── the header ─────────────────────────────────────────────────────────────────────────────────────────────────────


class Filled(NamedTuple):
    """A header; of one with a medium at most its name is here."""

    text: str = ""
    location: Location | None = None
    filename: str = ""


def _render_header(definition: Definition, given: Given) -> Filled:
    header = definition.header
    if header is None:
        if given.parameters:
            raise TemplateParameterFormat(f"`{given.field}`: the template has no header")
        return Filled()
    if header.format is HeaderFormat.TEXT:
        return Filled(_render_text(definition, "header", header.text, given, MAX_HEADER_CHARACTERS))
    parameter = _only(given, f"the template has a header with {_a(header.format)}")
    if header.format is HeaderFormat.LOCATION:
        return Filled(location=_location(given.field, parameter))
    if parameter.type not in _MEDIA:
        raise TemplateMediaUnsupported(f"`{given.field}.parameters[0].type` has to be {header.format}")
    if parameter.type != header.format:
        raise TemplateParameterFormat(f"`{given.field}.parameters[0].type` has to be {header.format}")
    check_filename(f"{given.field}.parameters[0].{header.format}", parameter.text, header.format)
    return Filled(filename=parameter.text)


def _a(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def _only(given: Given, reason: str) -> CallParameter:
    """Return the one parameter of a component that is needed."""
    if not given.parameters:
        raise TemplateComponentMissing(f"`{given.field}`: {reason}, which needs a parameter")
    if len(given.parameters) > 1:
        raise TemplateParameterCount(f"`{given.field}.parameters` has to have one entry")
    return given.parameters[0]


def _location(field: str, parameter: CallParameter) -> Location:
    location = parameter.location
    if parameter.type != "location":
        raise TemplateParameterFormat(f"`{field}.parameters[0].type` has to be location")
    if location is None:
        raise ParameterMissing(f"`{field}.parameters[0].location` is missing")
    if not (-90 <= location.latitude <= 90 and -180 <= location.longitude <= 180):  # so is NaN refused
        raise ParameterInvalid(
            f"`{field}.parameters[0].location`: the latitude is from -90 to 90, the longitude to 180"
        )
    if max(len(location.name), len(location.address)) > MAX_BODY_CHARACTERS:
        raise TemplateParameterTooLong(f"`{field}.parameters[0].location`: name and address have {MAX_BODY_CHARACTERS}")
    return location


# ── buttons ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _render_button(button: Button, index: int, given: Given) -> TemplateButton:
    if given is not NOTHING:
        _check_sub_type(button, given)
    match button.kind:
        case ButtonKind.QUICK_REPLY:
            value = _payload(given) or button.text
        case ButtonKind.URL:
            value = _url(button, index, given)
        case ButtonKind.PHONE:
            value = button.value
            if given.parameters:
                raise TemplateParameterFormat(f"`{given.field}`: a phone_number button has no parameters")
        case ButtonKind.COPY_CODE:
            value = _code(index, given)
    return TemplateButton(button.kind, button.text, value)


def _check_sub_type(button: Button, given: Given) -> None:
    if not given.sub_type:
        raise ParameterMissing(f"`{given.field}.sub_type` is missing or empty")
    if given.sub_type not in [kind.value for kind in ButtonKind]:
        raise TemplateButtonsUnsupported(
            f"`{given.field}.sub_type` has to be quick_reply, url, phone_number or copy_code; others are not served"
        )
    allowed = (ButtonKind.URL, ButtonKind.COPY_CODE) if button.is_otp else (button.kind,)
    if given.sub_type not in allowed:
        raise TemplateParameterFormat(f"`{given.field}.sub_type` has to be {allowed[0]}: the template has it there")


def _payload(given: Given) -> str:
    """Return what a quick reply sends back; empty where the call does not say."""
    if not given.parameters:
        return ""
    parameter = _only(given, "")
    field = f"{given.field}.parameters[0]"
    if parameter.type != "payload":
        raise TemplateParameterFormat(f"`{field}.type` has to be payload")
    if not parameter.text:
        raise ParameterMissing(f"`{field}.payload` is missing or empty")
    if len(parameter.text) > MAX_PAYLOAD_CHARACTERS:
        raise TemplateParameterTooLong(f"`{field}.payload` has more than {MAX_PAYLOAD_CHARACTERS} characters")
    return parameter.text


def _url(button: Button, index: int, given: Given) -> str:
    if not button.value.endswith(URL_VARIABLE):
        if given.parameters:
            raise TemplateParameterCount(f"`{given.field}.parameters`: the URL of button {index} has no variable")
        return button.value
    parameter = _only(given, f"button {index} has a URL with a variable")
    field = f"{given.field}.parameters[0]"
    if parameter.type != "text":
        raise TemplateParameterFormat(f"`{field}.type` has to be text")
    url = button.value.removesuffix(URL_VARIABLE) + _checked(f"{field}.text", parameter.text, MAX_URL_CHARACTERS)
    if not is_fit_for_url(url):  # its host stands before the variable, and was checked
        raise TemplateUrlInvalid(f"`{field}.text`: the URL of button {index} is none with it; encode it with %")
    return url


def _code(index: int, given: Given) -> str:
    parameter = _only(given, f"button {index} copies a code")
    field = f"{given.field}.parameters[0]"
    if parameter.type not in ("coupon_code", "text"):
        raise TemplateParameterFormat(f"`{field}.type` has to be coupon_code or text")
    return _checked(f"{field}.{parameter.type}", parameter.text, MAX_CODE_CHARACTERS)
