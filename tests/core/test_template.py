"""Templates without a core: what may be kept, and what becomes of a call."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corefast.core.template.check import check_definition
from corefast.core.template.render import render
from corefast.core.template.text import fill, variables_of
from corefast.errors import (
    CallerError,
    CorefastError,
    ParameterInvalid,
    ParameterMissing,
    ParameterUnneeded,
    TemplateError,
)
from corefast.limits import (
    MAX_BODY_CHARACTERS,
    MAX_CODE_CHARACTERS,
    MAX_HEADER_CHARACTERS,
    MAX_PAYLOAD_CHARACTERS,
    MAX_TEMPLATE_BUTTONS,
    MAX_URL_CHARACTERS,
)
from corefast.wire.body import ButtonKind, Location, Template, TemplateButton
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
)

ORDER = Definition(
    "order",
    "en_US",
    "Hello {{1}}, order {{2}} is ready.",
    header=Header(HeaderFormat.TEXT, "For {{1}}"),
    footer="Thank you",
    buttons=[
        Button(ButtonKind.QUICK_REPLY, "Fine"),
        Button(ButtonKind.URL, "Track", "https://example.com/t/{{1}}"),
        Button(ButtonKind.URL, "Shop", "https://example.com"),
        Button(ButtonKind.PHONE, "Call", "+49 30 23125000"),
        Button(ButtonKind.COPY_CODE, "Copy"),
    ],
)


def changed(**change: Any) -> Definition:
    return msgspec.structs.replace(ORDER, **change)


def texts(*words: str) -> list[CallParameter]:
    return [CallParameter("text", each) for each in words]


def button(index: int, sub_type: str, *parameters: CallParameter) -> CallComponent:
    return CallComponent("button", list(parameters), sub_type, index)


HEADER = CallComponent("header", texts("you"))
BODY = CallComponent("body", texts("Ada", "7"))
TRACK = button(1, "url", CallParameter("text", "7?a=b"))
COPY = button(4, "copy_code", CallParameter("coupon_code", "25OFF"))


def call(*components: CallComponent) -> Template:
    return render(check_definition(ORDER), TemplateCall("order", "en_US", components=list(components)))


def refused(definition: Definition, *components: CallComponent) -> str:
    """Return the code of the error."""
    with pytest.raises(CallerError) as caught:
        render(check_definition(definition), TemplateCall("order", "en_US", components=list(components)))
    assert str(caught.value)
    return caught.value.code


def test_a_call_fills_in_texts_and_buttons() -> None:
    payload = button(0, "quick_reply", CallParameter("payload", "fine-7"))
    assert call(HEADER, BODY, TRACK, COPY, payload) == Template(
        "order",
        "en_US",
        "Hello Ada, order 7 is ready.",
        "For you",
        "Thank you",
        [
            TemplateButton(ButtonKind.QUICK_REPLY, "Fine", "fine-7"),
            TemplateButton(ButtonKind.URL, "Track", "https://example.com/t/7?a=b"),
            TemplateButton(ButtonKind.URL, "Shop", "https://example.com"),
            TemplateButton(ButtonKind.PHONE, "Call", "+493023125000"),
            TemplateButton(ButtonKind.COPY_CODE, "Copy", "25OFF"),
        ],
    )


def test_a_quick_reply_without_a_payload_sends_its_text_back() -> None:
    assert call(HEADER, BODY, TRACK, COPY).buttons[0].value == "Fine"


def test_amounts_and_times_are_shown_by_their_fallback() -> None:
    parameters = [CallParameter("currency", "100,99 €", currency="EUR"), CallParameter("date_time", "25 February")]
    assert (
        call(HEADER, CallComponent("body", parameters), TRACK, COPY).body
        == "Hello 100,99 €, order 25 February is ready."
    )


def test_braces_in_a_parameter_are_plain_characters() -> None:
    assert (
        call(HEADER, CallComponent("body", texts("{{2}}", "{{1}}")), TRACK, COPY).body
        == "Hello {{2}}, order {{1}} is ready."
    )


def test_variables_with_names_take_their_parameters_in_any_order() -> None:
    named = changed(body="{{first}} {{last}}, {{first}}", header=None, buttons=[])
    parameters = [CallParameter("text", "L", "last"), CallParameter("text", "A", "first")]
    filled = render(
        check_definition(named), TemplateCall("order", "en_US", components=[CallComponent("body", parameters)])
    )
    assert filled.body == "A L, A"
    wrong = [
        (texts("A", "L"), "template.parameter_format"),
        ([CallParameter("text", "A", "first")], "template.parameter_count"),
        ([CallParameter("text", "A", "first")] * 2, "template.parameter_count"),
        ([CallParameter("text", "A", "first"), CallParameter("text", "x", "middle")], "template.parameter_count"),
    ]
    for given_parameters, code in wrong:
        assert refused(named, CallComponent("body", given_parameters)) == code


def test_a_location_is_the_header() -> None:
    place = changed(header=Header(HeaderFormat.LOCATION), body="x", buttons=[])
    here = Location(52.5, 13.4, "Shop")
    component = CallComponent("header", [CallParameter("location", location=here)])
    assert render(check_definition(place), TemplateCall("order", "en_US", components=[component])).location == here
    assert refused(place) == "template.component_missing"
    assert refused(place, HEADER) == "template.parameter_format"
    for bad in (Location(91, 0), Location(0, 181), Location(float("nan"), 0)):
        component = CallComponent("header", [CallParameter("location", location=bad)])
        assert refused(place, component) == "parameter.invalid"


def test_the_code_of_a_one_time_password_may_be_given_as_that_of_a_url() -> None:
    otp = changed(body="x", header=None, buttons=[Button(ButtonKind.COPY_CODE, "", is_otp=True)])
    for sub_type in ("url", "copy_code"):
        component = button(0, sub_type, CallParameter("text", "123456"))
        filled = render(check_definition(otp), TemplateCall("order", "en_US", components=[component]))
        assert filled.buttons == [TemplateButton(ButtonKind.COPY_CODE, "Copy code", "123456")]


REST = (HEADER, TRACK, COPY)
IMAGE = Definition("order", "en", "x", header=Header(HeaderFormat.IMAGE))
REFUSED: list[tuple[str, tuple[CallComponent, ...]]] = [
    ("template.parameter_count", REST),
    ("template.parameter_count", (CallComponent("body", texts("a")), *REST)),
    ("template.parameter_count", (CallComponent("body", texts("a", "b", "c")), *REST)),
    ("template.parameter_count", (BODY, TRACK, COPY)),
    ("template.parameter_count", (BODY, HEADER, COPY, button(1, "url", *texts("a", "b")))),
    ("template.parameter_count", (BODY, *REST, button(2, "url", *texts("a")))),
    ("template.parameter_long", (CallComponent("body", texts("a", "b" * 1_025)), *REST)),
    ("template.parameter_long", (BODY, CallComponent("header", texts("a" * 61)), TRACK, COPY)),
    ("template.parameter_long", (BODY, HEADER, TRACK, button(4, "copy_code", CallParameter("coupon_code", "a" * 16)))),
    ("template.parameter_long", (BODY, *REST, button(0, "quick_reply", CallParameter("payload", "a" * 257)))),
    ("template.text_long", (CallComponent("body", texts("a", "b" * 1_024)), *REST)),
    ("template.text_long", (BODY, CallComponent("header", texts("a" * 57)), TRACK, COPY)),
    ("template.whitespace", (CallComponent("body", texts("a\nb", "c")), *REST)),
    ("template.whitespace", (CallComponent("body", texts("a\tb", "c")), *REST)),
    ("template.whitespace", (CallComponent("body", texts("a     b", "c")), *REST)),
    ("template.whitespace", (CallComponent("body", texts("a\u2028b", "c")), *REST)),
    ("template.characters", (CallComponent("body", texts("a\x1bb", "c")), *REST)),
    ("template.characters", (CallComponent("body", texts("a\u202eb", "c")), *REST)),
    ("template.characters", (CallComponent("body", texts("a\u2067b", "c")), *REST)),
    ("template.component_missing", (BODY, HEADER, COPY)),
    ("template.component_missing", (BODY, HEADER, TRACK)),
    ("template.url", (BODY, HEADER, COPY, button(1, "url", *texts("a b")))),
    ("template.url", (BODY, HEADER, COPY, button(1, "url", *texts("a" * 1_990)))),
    ("template.parameter_format", (CallComponent("body", [CallParameter("image"), *texts("a")]), *REST)),
    (
        "template.parameter_format",
        (CallComponent("body", [CallParameter("currency", "1", currency="EURO"), *texts("a")]), *REST),
    ),
    ("template.parameter_format", (BODY, HEADER, COPY, button(1, "copy_code", *texts("a")))),
    ("template.parameter_format", (BODY, HEADER, COPY, button(1, "url", CallParameter("payload", "a")))),
    ("template.parameter_format", (BODY, *REST, button(3, "phone_number", *texts("a")))),
    ("template.parameter_format", (BODY, *REST, button(0, "quick_reply", *texts("a")))),
    ("template.parameter_format", (BODY, *REST, button(5, "url", *texts("a")))),
    ("template.parameter_format", (BODY, *REST, button(-1, "url", *texts("a")))),
    ("template.buttons", (BODY, *REST, button(0, "catalog"))),
    ("template.buttons", (BODY, *REST, button(0, "flow"))),
    ("parameter.missing", (BODY, *REST, button(0, ""))),
    ("parameter.missing", (CallComponent("body", texts("a", "")), *REST)),
    ("parameter.missing", (BODY, *REST, button(0, "quick_reply", CallParameter("payload")))),
    ("parameter.invalid", (BODY, BODY, *REST)),
    ("parameter.invalid", (BODY, TRACK, *REST)),
    ("parameter.invalid", (BODY, *REST, CallComponent("carousel"))),
]


@pytest.mark.parametrize(("code", "components"), REFUSED)
def test_a_call_that_does_not_fit_says_why(code: str, components: tuple[CallComponent, ...]) -> None:
    assert refused(ORDER, *components) == code


def test_four_blanks_in_a_row_are_no_policy_violation() -> None:
    assert call(HEADER, CallComponent("body", texts("a    b", "c")), TRACK, COPY).body.startswith("Hello a    b")


def test_a_header_takes_its_own_kind_of_parameter() -> None:
    assert refused(IMAGE) == "template.component_missing"
    assert refused(IMAGE, CallComponent("header", [CallParameter("video")])) == "template.parameter_format"
    assert refused(IMAGE, CallComponent("header", [CallParameter("audio")])) == "template.media"
    assert refused(IMAGE, CallComponent("header", [CallParameter("image")] * 2)) == "template.parameter_count"
    assert refused(IMAGE, CallComponent("header", [CallParameter("image", "x.png")])) == "parameter.unneeded"
    document = changed(header=Header(HeaderFormat.DOCUMENT), body="x", buttons=[])
    call_of_it = TemplateCall("order", "en", components=[CallComponent("header", [CallParameter("document", "x.pdf")])])
    assert render(check_definition(document), call_of_it).filename == "x.pdf"
    assert refused(document, CallComponent("header", [CallParameter("document", "../x")])) == "parameter.invalid"
    assert refused(changed(header=None), HEADER, BODY, TRACK, COPY) == "template.parameter_format"


# ── what may be kept ───────────────────────────────────────────────────────────────────────────────────────────────


def body(text: str, *examples: str) -> Definition:
    return Definition("a", "en", text, examples=[Example(str(at), each) for at, each in enumerate(examples, 1)])


def with_button(kind: ButtonKind, text: str = "T", value: str = "", **more: Any) -> Definition:
    return Definition("a", "en", "x", buttons=[Button(kind, text, value, **more)])


UNFIT: list[tuple[str, str, Definition]] = [
    ("parameter.missing", "`name`", changed(name="")),
    ("parameter.invalid", "`name`", changed(name="Order")),
    ("parameter.invalid", "`name`", changed(name="a" * 513)),
    ("parameter.missing", "`language`", changed(language="")),
    ("parameter.invalid", "`language`", changed(language="en-US")),
    ("parameter.invalid", "`language`", changed(language="english")),
    ("parameter.invalid", "`namespace`", changed(namespace="a b")),
    ("parameter.invalid", "`category`", changed(category="utility")),
    ("parameter.missing", "`body.text`", body(" ")),
    ("parameter.invalid", "`body.text`", body("x" * 1_025)),
    ("parameter.invalid", "`body.text`", body("{{2}}")),
    ("parameter.invalid", "`body.text`", body("{{1}} {{3}}")),
    ("parameter.invalid", "`body.text`", body("{{1}} {{name}}")),
    ("parameter.invalid", "`body.text`", body("{{Name}}")),
    ("parameter.invalid", "`body.text`", body("{{1")),
    ("parameter.invalid", "`body.text`", body("a\x00b")),
    ("parameter.invalid", "`body.text`", body("a\u202eb")),
    ("parameter.invalid", "`body.example`", body("{{1}} {{2}}", "a")),
    ("parameter.invalid", "`header.text`", changed(header=Header(HeaderFormat.TEXT, "x" * 61))),
    ("parameter.missing", "`header.text`", changed(header=Header(HeaderFormat.TEXT))),
    ("parameter.invalid", "`header.text`", changed(header=Header(HeaderFormat.TEXT, "{{1}} {{2}}"))),
    ("parameter.invalid", "`header.text`", changed(header=Header(HeaderFormat.TEXT, "a\nb"))),
    ("parameter.invalid", "`header.text`", changed(header=Header(HeaderFormat.IMAGE, "x"))),
    ("parameter.invalid", "`header.text`", changed(header=Header(HeaderFormat.TEXT, "{{name}}"))),
    ("parameter.invalid", "`parameter_format`", changed(format=ParameterFormat.NAMED)),
    ("parameter.invalid", "`footer.text`", changed(footer="x" * 61)),
    ("parameter.invalid", "`footer.text`", changed(footer="{{1}}")),
    ("parameter.invalid", "`buttons`", changed(buttons=[Button(ButtonKind.QUICK_REPLY, "x")] * 11)),
    ("parameter.missing", "`buttons[0].text`", with_button(ButtonKind.QUICK_REPLY, "")),
    ("parameter.invalid", "`buttons[0].text`", with_button(ButtonKind.QUICK_REPLY, "x" * 26)),
    ("parameter.invalid", "`buttons[0].text`", with_button(ButtonKind.QUICK_REPLY, "{{1}}")),
    ("parameter.missing", "`buttons[0].url`", with_button(ButtonKind.URL)),
    ("template.url", "`buttons[0].url`", with_button(ButtonKind.URL, value="javascript:alert(1)")),
    ("template.url", "`buttons[0].url`", with_button(ButtonKind.URL, value="https://")),
    ("template.url", "`buttons[0].url`", with_button(ButtonKind.URL, value="https://example.com{{1}}")),
    ("template.url", "`buttons[0].url`", with_button(ButtonKind.URL, value="https://{{1}}")),
    ("template.url", "`buttons[0].url`", with_button(ButtonKind.URL, value="https://example.com/{{1}}/x")),
    ("template.url", "`buttons[0].url`", with_button(ButtonKind.URL, value="https://example.com/{{2}}")),
    ("template.url", "`buttons[0].url`", with_button(ButtonKind.URL, value="https://[::1/{{1}}")),
    ("template.url", "`buttons[0].url`", with_button(ButtonKind.URL, value="https://example.com:99999/")),
    ("template.url", "`buttons[0].url`", with_button(ButtonKind.URL, value="https://example.com/" + "a" * 2_000)),
    ("parameter.missing", "`buttons[0].phone_number`", with_button(ButtonKind.PHONE)),
    ("template.phone", "`buttons[0].phone_number`", with_button(ButtonKind.PHONE, value="12")),
    ("template.phone", "`buttons[0].phone_number`", with_button(ButtonKind.PHONE, value="call me")),
    ("parameter.invalid", "`buttons[0].example`", with_button(ButtonKind.COPY_CODE, example="x" * 16)),
    ("parameter.invalid", "bytes in all", body("{{1}}", "x" * 17_000)),
]


@pytest.mark.parametrize(("code", "words", "definition"), UNFIT)
def test_what_a_template_may_not_be_is_said_with_its_field(code: str, words: str, definition: Definition) -> None:
    with pytest.raises(CallerError) as caught:
        check_definition(definition)
    assert caught.value.code == code and words in str(caught.value)


@pytest.mark.parametrize("language", ["en", "fil", "en_US", "es_419", "zh_Hant", "zh_Hant_TW"])
def test_languages_are_locales(language: str) -> None:
    assert check_definition(changed(language=language)).language == language


# ── any input ──────────────────────────────────────────────────────────────────────────────────────────────────────

ANY = st.text(max_size=30) | st.sampled_from(["{{1}}", "{{2}}", "{{name}}", "{{", "x" * 61, "x" * 1_025, "a\nb"])
TEXTS = st.sampled_from(["Hello", "{{1}}", "For {{1}}", "{{first}} {{last}}", "{{1}} and {{2}}", "x" * 58 + " {{1}}"])
URLS = st.sampled_from(["https://a.b/{{1}}", "https://a.b", "+493023125000", "", "x"])
FORMATS = st.sampled_from([HeaderFormat.TEXT, HeaderFormat.TEXT, HeaderFormat.LOCATION, HeaderFormat.IMAGE])
BUTTONS = st.builds(Button, st.sampled_from(list(ButtonKind)), st.just("T") | ANY, URLS, is_otp=st.booleans())
SOUND_BUTTONS = st.sampled_from(ORDER.buttons + [Button(ButtonKind.COPY_CODE, "", is_otp=True)])


def definitions(words: st.SearchStrategy[str], buttons: st.SearchStrategy[Button]) -> st.SearchStrategy[Definition]:
    header = st.builds(lambda kind, text: Header(kind, text if kind is HeaderFormat.TEXT else ""), FORMATS, words)
    return st.builds(
        Definition,
        st.just("order"),
        st.just("en"),
        words,
        header=st.none() | header,
        footer=st.just("") | words,
        buttons=st.lists(buttons, max_size=3),
    )


LOCATIONS = st.none() | st.builds(Location, st.floats(), st.floats()) | st.just(Location(1, 2))
VALUES = st.text(min_size=1, max_size=10) | ANY
KINDS = {ButtonKind.QUICK_REPLY: "payload", ButtonKind.COPY_CODE: "coupon_code"}


@st.composite
def calls(draw: Any, definition: Definition) -> list[CallComponent]:
    """Draw a call that may fit, with nothing or one thing wrong in it."""

    def parameters(field: str, text: str) -> list[CallParameter]:
        return [CallParameter("text", draw(VALUES), name) for name in variables_of(field, text)]

    components = [CallComponent("body", parameters("body", definition.body))]
    if definition.header is not None and definition.header.format is HeaderFormat.TEXT:
        components.append(CallComponent("header", parameters("header", definition.header.text)))
    elif definition.header is not None:
        components.append(CallComponent("header", [CallParameter("location", location=draw(LOCATIONS))]))
    for at, each in enumerate(definition.buttons):
        if each.kind is not ButtonKind.PHONE and (each.kind is not ButtonKind.URL or each.value.endswith("}}")):
            parameter = CallParameter(KINDS.get(each.kind, "text"), draw(VALUES))
            components.append(CallComponent("button", [parameter], each.kind.value, at))
    if draw(st.booleans()) and draw(st.booleans()):
        types = st.sampled_from(["text", "currency", "date_time", "image", "location", "payload", "coupon_code", ""])
        parameter = CallParameter(draw(types), draw(VALUES), draw(ANY), draw(ANY), draw(LOCATIONS))
        sub_type = draw(st.sampled_from(["", "url", "quick_reply", "copy_code", "flow"]))
        wrong = CallComponent(
            draw(st.sampled_from(["header", "body", "button"])), [parameter], sub_type, draw(st.integers(-1, 3))
        )
        components[draw(st.integers(0, len(components) - 1))] = wrong
    return components


def is_typed(error: CorefastError) -> bool:
    return isinstance(error, TemplateError | ParameterInvalid | ParameterMissing | ParameterUnneeded)


@given(definitions(TEXTS | ANY, BUTTONS))
def test_any_template_is_kept_as_it_would_be_kept_again_or_a_typed_error(definition: Definition) -> None:
    try:
        kept = check_definition(definition)
    except CorefastError as error:
        assert is_typed(error)
    else:
        assert check_definition(kept) == kept


@given(st.data())
def test_any_call_is_within_the_limits_or_a_typed_error(data: st.DataObject) -> None:
    try:
        kept = check_definition(data.draw(definitions(TEXTS, SOUND_BUTTONS)))
    except ParameterInvalid:
        return
    try:
        filled = render(kept, TemplateCall("order", "en", components=data.draw(calls(kept))))
    except CorefastError as error:
        assert is_typed(error)
        return
    assert 0 < len(filled.body) <= MAX_BODY_CHARACTERS
    assert len(filled.header) <= MAX_HEADER_CHARACTERS
    assert len(filled.buttons) == len(kept.buttons) <= MAX_TEMPLATE_BUTTONS
    most = {ButtonKind.COPY_CODE: MAX_CODE_CHARACTERS, ButtonKind.QUICK_REPLY: MAX_PAYLOAD_CHARACTERS}
    for each in filled.buttons:
        assert 0 < len(each.value) <= most.get(each.kind, MAX_URL_CHARACTERS)


@given(st.text(alphabet="{}1a_ \n", max_size=40))
def test_texts_come_back_as_they_are_where_variables_stand_for_themselves(text: str) -> None:
    try:
        names = variables_of("body.text", text)
    except ParameterInvalid:
        return
    filled = fill(text, {name: f"{{{{{name}}}}}" for name in names})
    assert filled.replace(" ", "") == text.replace(" ", "")
