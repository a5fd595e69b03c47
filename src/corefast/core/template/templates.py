"""The templates of an account: all in memory, each change durable before it counts."""

import asyncio
from collections.abc import Callable
from itertools import islice
from typing import Any

import msgspec

from corefast.core.context import Context
from corefast.core.store.templates import TemplateStore
from corefast.core.template.check import check_definition
from corefast.core.template.render import render
from corefast.errors import (
    CallerError,
    Overloaded,
    ParameterInvalid,
    TemplateExists,
    TemplateMissing,
    TemplateNamespaceEmpty,
    TemplateUnknown,
)
from corefast.limits import MAX_IMPORTED_TEMPLATES, MAX_PAGE, MAX_TEMPLATE_PAGE_BYTES, MAX_TEMPLATES
from corefast.store.database import Unit
from corefast.wire.body import Template
from corefast.wire.template import (
    Definition,
    DeleteTemplate,
    GetTemplate,
    Imported,
    ImportedTemplates,
    ImportTemplates,
    ListTemplates,
    NewTemplate,
    SetTemplate,
    TemplateCall,
    TemplatePage,
    TemplateView,
)

_encode = msgspec.msgpack.Encoder().encode

_MAX_LISTED_LANGUAGES = 10

Identity = tuple[str, str, str]
"""Name, language and namespace: of each there is one template."""


class Templates:
    """Serves the messages of `wire.template`, and fills in templates for the sender."""

    def __init__(self, context: Context, store: TemplateStore) -> None:
        self._context = context
        self._store = store
        self._changing = asyncio.Lock()
        self._kept: dict[int, Definition] = {}
        """By id, oldest first: ids only grow."""
        self._named: dict[str, dict[str, dict[str, int]]] = {}
        """Ids by name, language and namespace."""
        self._last = 0

    async def load(self) -> None:
        for template, definition in (await self._store.load()).items():
            self._keep(template, definition)

    def functions(self) -> dict[type, Callable[[Any], Any]]:
        """Return what serves each message of this family."""
        return {
            NewTemplate: self.make,
            GetTemplate: self.get,
            ListTemplates: self.page,
            SetTemplate: self.set,
            DeleteTemplate: self.delete,
            ImportTemplates: self.take_in,
        }

    # ── sending ────────────────────────────────────────────────────────────────────────────────────────────────────

    def render(self, call: TemplateCall) -> Template:
        """Return what the customer gets; raise a `CallerError` that says what to change."""
        return render(self._kept[self._find(call)], call)

    def _find(self, call: TemplateCall) -> int:
        """Return the template that is meant. One without a namespace goes with whatever a client says there."""
        languages = self._named.get(call.name, {})
        spaces = languages.get(call.language, {})
        if not spaces:
            raise TemplateMissing(_missing(languages))
        if call.namespace in spaces:
            return spaces[call.namespace]
        if not call.namespace:
            if len(spaces) > 1:
                raise TemplateNamespaceEmpty("several namespaces have this template: say which in `template.namespace`")
            return next(iter(spaces.values()))
        if "" not in spaces:
            raise TemplateMissing("`template.namespace`: this template belongs to another namespace")
        return spaces[""]

    # ── keeping ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def make(self, request: NewTemplate) -> TemplateView:
        definition = check_definition(request.definition)
        async with self._changing:
            if self._id_of(definition) is not None:
                raise TemplateExists("a template of this name, language and namespace is there already")
            self._check_room(1)
            return await self._put(self._next(), definition)

    def get(self, request: GetTemplate) -> TemplateView:
        template = self._parse(request.id)
        return TemplateView(request.id, self._kept[template])

    def page(self, request: ListTemplates) -> TemplatePage:
        """Return as many as asked for, or fewer where these are large."""
        if not 1 <= request.limit <= MAX_PAGE:
            raise ParameterInvalid(f"`limit` has to be from 1 to {MAX_PAGE}")
        if request.after and not _is_id(request.after):
            raise ParameterInvalid("`after` has to be the cursor of an earlier answer")
        after = int(request.after or "0")
        fitting = (
            TemplateView(str(template), kept)
            for template, kept in self._kept.items()
            if template > after and request.name in ("", kept.name) and request.language in ("", kept.language)
        )
        views: list[TemplateView] = []
        room = MAX_TEMPLATE_PAGE_BYTES
        for view in islice(fitting, request.limit + 1):
            room -= len(_encode(view))
            if len(views) == request.limit or room < 0:
                return TemplatePage(views, views[-1].id)
            views.append(view)
        return TemplatePage(views, "")

    async def set(self, request: SetTemplate) -> TemplateView:
        """Put another definition in place of one; what is sent from then on is made of it."""
        definition = check_definition(request.definition)
        async with self._changing:
            template = self._parse(request.id)
            if self._id_of(definition) not in (None, template):
                raise TemplateExists("another template has this name, language and namespace")
            return await self._put(template, definition)

    async def delete(self, request: DeleteTemplate) -> TemplateView:
        async with self._changing:
            template = self._parse(request.id)
            unit = Unit()
            self._store.delete(unit, template)
            await self._context.database.commit(unit)
            return TemplateView(request.id, self._forget(template))

    async def take_in(self, request: ImportTemplates) -> ImportedTemplates:
        """Keep all that can be kept, in one commit."""
        if len(request.definitions) > MAX_IMPORTED_TEMPLATES:
            raise ParameterInvalid(f"one import has at most {MAX_IMPORTED_TEMPLATES} templates")
        async with self._changing:
            changes: dict[Identity, tuple[int, Definition]] = {}
            results = []
            for given in request.definitions:
                results.append(self._plan(changes, given))
                await asyncio.sleep(0)  # a large import holds up no message
            self._check_room(sum(template not in self._kept for template, _ in changes.values()))
            unit = Unit()
            for template, definition in changes.values():
                self._store.put(unit, template, definition)
            await self._context.database.commit(unit)
            for template, definition in changes.values():
                self._keep(template, definition)
        return ImportedTemplates(results)

    def _plan(self, changes: dict[Identity, tuple[int, Definition]], given: Definition) -> Imported:
        """Add what is to be kept to *changes*."""
        try:
            definition = check_definition(given)
        except CallerError as error:
            return Imported(code=error.code, text=str(error))
        planned = changes.get(_identity(definition))
        known = planned[0] if planned else self._id_of(definition)
        template = known or self._next()
        changes[_identity(definition)] = template, definition
        return Imported(str(template), known is None)

    # ── in memory ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def _put(self, template: int, definition: Definition) -> TemplateView:
        unit = Unit()
        self._store.put(unit, template, definition)
        await self._context.database.commit(unit)
        self._keep(template, definition)
        return TemplateView(str(template), definition)

    def _keep(self, template: int, definition: Definition) -> None:
        if template in self._kept:
            self._forget_name(self._kept[template])
        self._kept[template] = definition
        name, language, namespace = _identity(definition)
        self._named.setdefault(name, {}).setdefault(language, {})[namespace] = template
        self._last = max(self._last, template)

    def _forget(self, template: int) -> Definition:
        definition = self._kept.pop(template)
        self._forget_name(definition)
        return definition

    def _forget_name(self, definition: Definition) -> None:
        name, language, namespace = _identity(definition)
        languages = self._named[name]
        del languages[language][namespace]
        if not languages[language]:
            del languages[language]
        if not languages:
            del self._named[name]

    def _id_of(self, definition: Definition) -> int | None:
        name, language, namespace = _identity(definition)
        return self._named.get(name, {}).get(language, {}).get(namespace)

    def _next(self) -> int:
        """Return an id that was never given: the time, or one more than the last."""
        self._last = max(self._last + 1, self._context.clock())
        return self._last

    def _parse(self, text: str) -> int:
        template = int(text) if _is_id(text) else 0
        if template not in self._kept or str(template) != text:
            raise TemplateUnknown("no template has this id")
        return template

    def _check_room(self, more: int) -> None:
        if len(self._kept) + more > MAX_TEMPLATES:
            raise Overloaded(f"an account keeps at most {MAX_TEMPLATES} templates; delete some", retry_after_ms=60_000)


def _identity(definition: Definition) -> Identity:
    return definition.name, definition.language, definition.namespace


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 19


def _missing(languages: dict[str, Any]) -> str:
    if not languages:
        return "no template has this name; GET /v1/templates lists them"
    listed = ", ".join(sorted(languages)[:_MAX_LISTED_LANGUAGES])
    return f"`template.language.code`: the template is not there in this language, but in {listed}"
