"""Templates in a core: durable, sealed, one of each name, and bounded."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from corefast.core.template import templates
from corefast.errors import RemoteRefused
from corefast.wire.gateway import Send
from corefast.wire.template import (
    Definition,
    DeleteTemplate,
    GetTemplate,
    ImportedTemplates,
    ImportTemplates,
    ListTemplates,
    NewTemplate,
    SetTemplate,
    TemplateCall,
    TemplatePage,
    TemplateView,
)
from tests.core.test_businesses import SECOND, add_second
from tests.core.world import BUSINESS, CUSTOMER, World, story
from tests.support import engine

HELLO = Definition("hello", "en", "words nobody else has")


async def names(world: World) -> list[str]:
    page: TemplatePage = await world.front.call(ListTemplates(BUSINESS, limit=100))
    return [view.definition.body for view in page.templates]


async def code_of(asked: Any) -> str:
    with pytest.raises(RemoteRefused) as caught:
        await asked
    return caught.value.code


def test_templates_outlive_a_restart_and_are_sealed(tmp_path: Path) -> None:
    async def main(world: World) -> None:
        first: TemplateView = await world.front.call(NewTemplate(BUSINESS, HELLO))
        second: TemplateView = await world.front.call(NewTemplate(BUSINESS, Definition("bye", "en", "bye")))
        await world.front.call(SetTemplate(BUSINESS, second.id, Definition("later", "en", "later")))
        third: TemplateView = await world.front.call(NewTemplate(BUSINESS, Definition("bye", "en", "gone")))
        await world.front.call(DeleteTemplate(BUSINESS, third.id))
        await world.restart()
        assert await names(world) == [HELLO.body, "later"]
        fourth: TemplateView = await world.front.call(NewTemplate(BUSINESS, Definition("bye", "en", "new")))
        assert int(first.id) < int(second.id) < int(third.id) and fourth.id not in (first.id, second.id)
        await world.front.call(Send(BUSINESS, CUSTOMER, TemplateCall("hello", "en")))
        await world.relay.until(lambda: world.relay.posts)
        assert world.phone.read(world.relay.posts[0].parts[0]).body.body == HELLO.body
        stored = engine.current.content(tmp_path / "core")
        assert b"template" in stored and HELLO.body.encode() not in stored

    story(main, tmp_path)


@pytest.mark.one_engine
def test_of_many_that_make_the_same_template_at_once_one_does(tmp_path: Path) -> None:
    async def main(world: World) -> None:
        asked = [world.front.call(NewTemplate(BUSINESS, HELLO)) for _ in range(20)]
        done = await asyncio.gather(*asked, return_exceptions=True)
        assert sum(isinstance(each, TemplateView) for each in done) == 1
        assert {each.code for each in done if isinstance(each, RemoteRefused)} == {"template.exists"}
        assert await names(world) == [HELLO.body]

    story(main, tmp_path)


@pytest.mark.one_engine
def test_a_change_that_is_not_durable_did_not_happen(tmp_path: Path) -> None:
    async def main(world: World) -> None:
        kept: TemplateView = await world.front.call(NewTemplate(BUSINESS, HELLO))
        mend = world.break_commits()
        bye = Definition("bye", "en", "bye")
        for change in (
            NewTemplate(BUSINESS, bye),
            SetTemplate(BUSINESS, kept.id, bye),
            DeleteTemplate(BUSINESS, kept.id),
            ImportTemplates(BUSINESS, [bye, HELLO]),
        ):
            assert (await code_of(world.front.call(change))).startswith("store")
        mend()
        assert await names(world) == [HELLO.body]
        imported: ImportedTemplates = await world.front.call(ImportTemplates(BUSINESS, [bye, HELLO]))
        assert [each.is_new for each in imported.results] == [True, False]

    story(main, tmp_path)


@pytest.mark.one_engine
def test_templates_are_bounded_and_belong_to_their_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(templates, "MAX_TEMPLATES", 2)

    async def main(world: World) -> None:
        many = [Definition(f"t_{n}", "en", "x") for n in range(3)]
        assert await code_of(world.front.call(ImportTemplates(BUSINESS, many))) == "overloaded"
        assert await names(world) == []
        await world.front.call(ImportTemplates(BUSINESS, many[:2]))
        await world.front.call(ImportTemplates(BUSINESS, many[:2]))
        assert await code_of(world.front.call(NewTemplate(BUSINESS, HELLO))) == "overloaded"
        assert await code_of(world.front.call(ListTemplates(CUSTOMER))) == "account.unknown"
        assert await code_of(world.front.call(NewTemplate(CUSTOMER, HELLO))) == "account.unknown"

    story(main, tmp_path)


def test_each_number_has_templates_of_its_own(tmp_path: Path) -> None:
    async def main(world: World) -> None:
        await add_second(world)
        mine: TemplateView = await world.front.call(NewTemplate(BUSINESS, HELLO))
        for asked in (
            GetTemplate(SECOND, mine.id),
            DeleteTemplate(SECOND, mine.id),
            SetTemplate(SECOND, mine.id, HELLO),
        ):
            assert await code_of(world.front.call(asked)) == "template.unknown"
        assert (
            await code_of(world.front.call(Send(SECOND, CUSTOMER, TemplateCall("hello", "en")))) == "template.missing"
        )
        theirs: TemplateView = await world.front.call(NewTemplate(SECOND, Definition("hello", "en", "of the second")))
        await world.front.call(DeleteTemplate(BUSINESS, mine.id))
        await world.restart()
        assert await names(world) == []
        kept: TemplateView = await world.front.call(GetTemplate(SECOND, theirs.id))
        assert kept.definition.body == "of the second"

    story(main, tmp_path)
