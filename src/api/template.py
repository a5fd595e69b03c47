"""Between templates in JSON, as the Cloud API defines them, and the gateway's words for them, both ways."""

from api.decode import number_of
from api.shapes import messages
from api.shapes import templates as shapes
from api.shapes.media import Medium
from corefast.errors import ParameterInvalid, ParameterMissing, TemplateButtonsUnsupported
from corefast.wire.body import ButtonKind, Location
from corefast.wire.template import (
    Button,
    CallComponent,
    CallParameter,
    Definition,
    Example,
    Header,
    HeaderFormat,
    ParameterFormat,
    TemplateCall,
    TemplateView,
)

_OTP_URL = "https://www.whatsapp.com/otp/code/"
"""How the Cloud API tells a button that copies a one-time password, once the template is approved."""

_KINDS = {
    "QUICK_REPLY": ButtonKind.QUICK_REPLY,
    "URL": ButtonKind.URL,
    "PHONE_NUMBER": ButtonKind.PHONE,
    "COPY_CODE": ButtonKind.COPY_CODE,
}

# ── from JSON ──────────────────────────────────────────────────────────────────────────────────────────────────────


def definition_of(wanted: shapes.TemplateRequest) -> Definition:
    """Return the template; raise where it is made of other parts than a template has."""
    parts: dict[str, shapes.TemplateComponent] = {}
    for at, component in enumerate(wanted.components):
        kind = component.type.upper()
        if kind not in ("HEADER", "BODY", "FOOTER", "BUTTONS"):
            raise ParameterInvalid(f"`components[{at}].type` has to be HEADER, BODY, FOOTER or BUTTONS")
        if kind in parts:
            raise ParameterInvalid(f"`components[{at}]`: there is a {kind} already")
        parts[kind] = component
    if "BODY" not in parts:
        raise ParameterMissing("`components` needs one of type BODY")
    body, footer, buttons = parts["BODY"], parts.get("FOOTER"), parts.get("BUTTONS")
    example = body.example or shapes.TemplateExample()
    return Definition(
        wanted.name,
        wanted.language,
        body.text,
        wanted.namespace,
        wanted.category,
        _format(wanted.parameter_format),
        _header(parts["HEADER"]) if "HEADER" in parts else None,
        footer.text if footer else "",
        [_button(f"buttons[{at}]", each) for at, each in enumerate(buttons.buttons)] if buttons else [],
        _examples(example.body_text, example.body_text_named_params),
    )


def _format(text: str) -> ParameterFormat | None:
    if not text:
        return None
    try:
        return ParameterFormat(text.upper())
    except ValueError:
        raise ParameterInvalid("`parameter_format` has to be POSITIONAL or NAMED") from None


def _header(component: shapes.TemplateComponent) -> Header:
    try:
        kind = HeaderFormat(component.format.lower() or "text")
    except ValueError:
        raise ParameterInvalid("`header.format` has to be TEXT, IMAGE, VIDEO, DOCUMENT or LOCATION") from None
    example = component.example or shapes.TemplateExample()
    if kind is not HeaderFormat.TEXT:
        return Header(kind, component.text)
    return Header(kind, component.text, _examples(example.header_text, example.header_text_named_params))


def _examples(listed: list[str | list[str]], named: list[shapes.NamedExample]) -> list[Example]:
    """Return the examples; a list in the list is a whole set of them, and the first one counts."""
    if named:
        return [Example(each.param_name, each.example) for each in named]
    first = listed[0] if listed and isinstance(listed[0], list) else listed
    return [Example(str(at), each) for at, each in enumerate(first, 1) if isinstance(each, str)]


def _button(field: str, button: shapes.TemplateButton) -> Button:
    kind, example = button.type.upper(), button.example
    if isinstance(example, list):
        example = example[0] if example else ""
    if kind == "OTP" or button.url.startswith(_OTP_URL):
        if (button.otp_type or "COPY_CODE").upper() != "COPY_CODE":
            raise TemplateButtonsUnsupported(f"`{field}.otp_type`: only COPY_CODE is served")
        return Button(ButtonKind.COPY_CODE, button.text, is_otp=True)
    if kind not in _KINDS:
        raise TemplateButtonsUnsupported(f"`{field}.type` has to be {', '.join(_KINDS)} or OTP; others are not served")
    values = {ButtonKind.URL: button.url, ButtonKind.PHONE: button.phone_number}
    return Button(_KINDS[kind], button.text, values.get(_KINDS[kind], ""), example)


def call_of(wanted: messages.TemplateMessage) -> TemplateCall:
    """Return the call of a template; raise where a field is missing or the policy is none."""
    if wanted.language.policy != "deterministic":
        raise ParameterInvalid("`template.language.policy` has to be deterministic")
    return TemplateCall(
        wanted.name,
        wanted.language.code,
        wanted.namespace,
        [_component(f"template.components[{at}]", each) for at, each in enumerate(wanted.components)],
    )


def place_of(given: messages.Location, field: str) -> Location:
    latitude = number_of(given.latitude, f"{field}.latitude")
    return Location(latitude, number_of(given.longitude, f"{field}.longitude"), given.name, given.address)


def header_medium(wanted: messages.TemplateMessage) -> tuple[str, Medium | None]:
    """Return the kind of the medium in the header, and the medium; an empty kind where there is none."""
    parameters = [
        each for component in wanted.components if component.type.lower() == "header" for each in component.parameters
    ]
    for parameter in parameters:
        if parameter.type in ("image", "video", "document"):
            return parameter.type, getattr(parameter, parameter.type)
    return "", None


def _component(field: str, component: messages.TemplateCallComponent) -> CallComponent:
    index = component.index
    if isinstance(index, str):
        if not (index.isascii() and index.isdecimal() and len(index) < 4):
            raise ParameterInvalid(f"`{field}.index` has to be a number from 0 on")
        index = int(index)
    parameters = [_parameter(f"{field}.parameters[{at}]", each) for at, each in enumerate(component.parameters)]
    return CallComponent(component.type.lower(), parameters, component.sub_type.lower(), index)


def _parameter(field: str, parameter: messages.TemplateParameter) -> CallParameter:
    match parameter.type:
        case "currency":
            if (currency := parameter.currency) is None:
                raise ParameterMissing(f"`{field}.currency` is missing")
            return CallParameter(parameter.type, currency.fallback_value, parameter.parameter_name, currency.code)
        case "date_time":
            if parameter.date_time is None:
                raise ParameterMissing(f"`{field}.date_time` is missing")
            return CallParameter(parameter.type, parameter.date_time.fallback_value, parameter.parameter_name)
        case "location":
            if (place := parameter.location) is None:
                raise ParameterMissing(f"`{field}.location` is missing")
            return CallParameter(parameter.type, location=place_of(place, f"{field}.location"))
        case "image" | "video" | "document":
            medium: Medium | None = getattr(parameter, parameter.type)
            if medium is None:
                raise ParameterMissing(f"`{field}.{parameter.type}` is missing")
            return CallParameter(parameter.type, medium.filename)
    text = {"payload": parameter.payload, "coupon_code": parameter.coupon_code}.get(parameter.type, parameter.text)
    return CallParameter(parameter.type, text, parameter.parameter_name)


# ── to JSON ────────────────────────────────────────────────────────────────────────────────────────────────────────


def item_of(view: TemplateView) -> shapes.TemplateItem:
    kept = view.definition
    is_named = kept.format is ParameterFormat.NAMED
    components = []
    if kept.header is not None:
        example = _header_example(kept.header.examples, is_named)
        components.append(shapes.TemplateComponent("HEADER", kept.header.format.upper(), kept.header.text, example))
    components.append(shapes.TemplateComponent("BODY", text=kept.body, example=_body_example(kept.examples, is_named)))
    if kept.footer:
        components.append(shapes.TemplateComponent("FOOTER", text=kept.footer))
    if kept.buttons:
        components.append(shapes.TemplateComponent("BUTTONS", buttons=[_told_button(each) for each in kept.buttons]))
    return shapes.TemplateItem(
        view.id,
        kept.name,
        kept.language,
        components,
        kept.namespace,
        kept.category,
        kept.format or ParameterFormat.POSITIONAL,
    )


def _header_example(examples: list[Example], is_named: bool) -> shapes.TemplateExample | None:
    if not examples:
        return None
    if is_named:
        return shapes.TemplateExample(header_text_named_params=_named(examples))
    return shapes.TemplateExample(header_text=[each.value for each in examples])


def _body_example(examples: list[Example], is_named: bool) -> shapes.TemplateExample | None:
    if not examples:
        return None
    if is_named:
        return shapes.TemplateExample(body_text_named_params=_named(examples))
    return shapes.TemplateExample(body_text=[[each.value for each in examples]])


def _named(examples: list[Example]) -> list[shapes.NamedExample]:
    return [shapes.NamedExample(each.name, each.value) for each in examples]


def _told_button(button: Button) -> shapes.TemplateButton:
    kind = button.kind
    return shapes.TemplateButton(
        "OTP" if button.is_otp else kind.upper(),
        button.text,
        url=button.value if kind is ButtonKind.URL else "",
        phone_number=button.value if kind is ButtonKind.PHONE else "",
        example=[button.example] if button.example else "",
        otp_type="COPY_CODE" if button.is_otp else "",
    )
