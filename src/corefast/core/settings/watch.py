"""Notices what was set through another core: one look a second for all accounts of this one."""

from collections.abc import Awaitable, Callable, Iterable

from corefast.core.settings.certificates import Certificates
from corefast.core.settings.service import Settings
from corefast.core.store.settings import SettingStore, Versions
from corefast.core.store.span import EVERY_ACCOUNT
from corefast.errors import CorefastError
from corefast.limits import SETTINGS_POLL_S
from corefast.logs import get_logger

log = get_logger()


class Watch:
    """Compares the versions of what is stored; *find_settings* returns those of the accounts at work."""

    def __init__(
        self, store: SettingStore, certificates: Certificates, find_settings: Callable[[], Iterable[Settings]]
    ) -> None:
        self._store = store
        self._certificates = certificates
        self._find_settings = find_settings
        self._common: Versions = {}

    async def run(self, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Look once a second, until cancelled."""
        while True:
            await sleep(SETTINGS_POLL_S)
            await self._quietly(self.look())

    async def look(self) -> None:
        """Take over what was set since the last look, through whichever core."""
        found = await self._store.versions()
        common = found.get(EVERY_ACCOUNT, {})
        if common != self._common:
            await self._quietly(self._load_common(common))
        for settings in self._find_settings():
            await self._quietly(settings.refresh(found.get(settings.account, {})))

    async def _load_common(self, versions: Versions) -> None:
        await self._certificates.load()
        self._common = versions

    async def _quietly(self, work: Awaitable[None]) -> None:
        """Do *work*; what fails is tried again a second later, and keeps nothing else from being looked at."""
        try:
            await work
        except CorefastError as error:
            log.warning("settings could not be read", code=error.code)
        except Exception:
            log.exception("settings could not be read")
