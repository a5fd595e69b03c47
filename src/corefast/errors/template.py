"""Templates: the codes 2000 to 2014 of the on-premises API."""

from corefast.errors.blame import CallerError


class TemplateExists(CallerError):
    """A template of this name, language and namespace is there already."""

    code = "template.exists"


class TemplateUnknown(CallerError):
    """No template has this id."""

    code = "template.unknown"


class TemplateError(CallerError):
    """A template cannot be sent, or kept, as it is."""

    code = "template"


class TemplateParameterCount(TemplateError):
    code = "template.parameter_count"


class TemplateMissing(TemplateError):
    """No template has this name in this language and namespace."""

    code = "template.missing"


class TemplateParameterTooLong(TemplateError):
    code = "template.parameter_long"


class TemplateTextTooLong(TemplateError):
    """A text is too long once its parameters are in it."""

    code = "template.text_long"


class TemplateWhitespace(TemplateError):
    code = "template.whitespace"


class TemplateCharacters(TemplateError):
    code = "template.characters"


class TemplateMediaUnsupported(TemplateError):
    code = "template.media"


class TemplateComponentMissing(TemplateError):
    code = "template.component_missing"


class TemplateUrlInvalid(TemplateError):
    code = "template.url"


class TemplatePhoneInvalid(TemplateError):
    code = "template.phone"


class TemplateParameterFormat(TemplateError):
    """A parameter, or a whole component, is not of the kind that the template has in its place."""

    code = "template.parameter_format"


class TemplateButtonsUnsupported(TemplateError):
    code = "template.buttons"


class TemplateNamespaceEmpty(TemplateError):
    """Templates of several namespaces share this name and language, and none was said."""

    code = "template.namespace"
