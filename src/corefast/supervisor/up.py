"""`corefast up`: relay, core, api and webhooks on this machine, started in order, watched, and stopped in order."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from corefast import __version__
from corefast.process import lock_directory
from corefast.supervisor import port
from corefast.supervisor.child import Child, ChildFailed, Facts, spawn
from corefast.supervisor.folder import Folder, Memory, UpFile, write_whole
from corefast.supervisor.front import takes_key
from corefast.supervisor.live import phone_line, webhook_lines
from corefast.supervisor.screen import Screen

DEMO_NUMBER = "49123123456"
HOST = port.HOST

STOP_ORDER = (("phone", "listen", "api", "webhooks"), ("core",), ("relay",))
STOP_GRACE_S = (1.4, 1.4, 0.8)
"""Together under the four seconds that `process.run` leaves us, and the five that we promise."""


class UpConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Run the whole system on this machine."""

    data: Annotated[str, Meta(description="folder for keys, messages and logs")] = "./data"
    port: Annotated[int, Meta(description="port of the API", ge=1, le=65_535)] = 9090
    host: Annotated[
        str, Meta(description="address to serve the API and phones on; beyond loopback, phones register by code")
    ] = HOST
    tls: Annotated[
        str,
        Meta(
            description="of the API: self-signed, off, or a PEM file with certificate and key "
            "(default: self-signed beyond loopback)"
        ),
    ] = ""
    relay_public: Annotated[str, Meta(description="HOST:PORT that phones reach the relay by, where it is another")] = ""
    number: Annotated[str, Meta(description="the business's number; kept from the first run on")] = ""
    webhook: Annotated[str, Meta(description="URL that gets messages and statuses")] = ""
    identity_policy: Annotated[
        Literal["flag", "block"],
        Meta(
            description="when a customer's identity key changes: tell and go on, or send nothing until it is accepted"
        ),
    ] = "flag"
    adopt_restored: Annotated[
        bool, Meta(description="go on from a restored folder: new sessions, and the original is cut off")
    ] = False
    replace: Annotated[bool, Meta(description="take the number over from whoever has it at the relay")] = False
    pin: Annotated[str, Meta(description="the number's pin, where it has one and is taken over")] = ""
    demo: Annotated[bool, Meta(description="add a phone that echoes and, where no webhook is set, a receiver")] = False
    log_level: Annotated[str, Meta(description="of the programs: debug, info, warning or error")] = "info"


class Up:
    """One run of the system; `exit_code` tells how it ended."""

    def __init__(self, config: UpConfig) -> None:
        self._config = config
        self._screen = Screen()
        self._children: dict[str, Child] = {}
        self._keeping: set[asyncio.Task[None]] = set()
        self._failed: asyncio.Future[None]
        self._is_started = False
        self._refusal = ""
        self._first_password = ""
        self.exit_code = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until *stop* is set or a child cannot be kept alive."""
        lock = lock_directory(self._config.data)
        self._failed = asyncio.get_running_loop().create_future()
        self._folder = Folder(self._config.data)
        self._folder.withdraw()
        try:
            await self._first(self._start(), stop)
            await self._first(asyncio.Event().wait(), stop)
        except ChildFailed as error:
            self._screen.show(f"corefast: giving up: {error}; more in {self._folder.logs}")
            self.exit_code = 1
        finally:
            await self._stop()
            self._folder.withdraw()
            self._screen.close()
            lock.close()

    async def _first(self, work: Coroutine[Any, Any, Any], stop: asyncio.Event) -> None:
        """Wait for *work*, the stop event or a failed child; raise what failed."""
        task, stopped = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
        try:
            if not stop.is_set():
                await asyncio.wait((task, stopped, self._failed), return_when=asyncio.FIRST_COMPLETED)
            for one in (self._failed, task):
                if one.done():
                    one.result()
        finally:
            task.cancel()
            stopped.cancel()

    # ── start ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _start(self) -> None:
        config, folder = self._config, self._folder
        memory = folder.memory(config.number, config.port, DEMO_NUMBER if config.demo else "")
        key = folder.api_key()
        port.require(config.port, "choose another one with --port")
        for own in (memory.relay_port, memory.core_port):
            port.require(own, f"remove {folder / 'memory.json'} to take other ports")
        self._screen.show(f"corefast {__version__}: starting relay, core, api and webhooks …")

        relay = (await self._keep("relay", self._relay_command(memory)).ready())["url"]
        core = f"{HOST}:{memory.core_port}"
        is_first = not (folder / "core" / "webhooks.secret").exists()
        front = [] if is_first else self._start_front(core)  # for the first run the core makes its secret
        await self._start_core(memory, self._own_url(memory, relay))
        front = front or self._start_front(core)
        demo = await self._start_demo(core, self._own_url(memory, relay), memory.number)
        if is_first:
            await self._install_key(core, memory.number)
        for child in front + demo:
            await child.ready()
        if not is_first and not await takes_key(config.port, key, is_tls=self._speaks_tls):
            await self._install_key(core, memory.number)

        api = f"{'https' if self._speaks_tls else 'http'}://{HOST}:{config.port}"
        folder.publish(UpFile(api=api, api_key=key, relay=relay, number=memory.number, core=core))
        self._show_banner(api, key, relay)
        self._is_started = True
        self._show_refusal()

    async def _start_core(self, memory: Memory, relay: str) -> None:
        config = self._config
        environ = await self._admission(memory.number)
        # Not as arguments: they are for all to see, and the URL may hold a secret.
        given = {"COREFAST_WEBHOOK": config.webhook, "COREFAST_PIN": config.pin}
        environ |= {variable: value for variable, value in given.items() if value}
        # What the operator says about this start does not hold for one after a crash.
        once = {
            "COREFAST_ADOPT_RESTORED": str(config.adopt_restored).lower(),
            "COREFAST_REPLACE": str(config.replace).lower(),
        }
        core = self._keep("core", self._core_command(memory, relay), self._on_core, environ | once)
        self._on_core(await core.ready())
        core.later(dict.fromkeys(once, "false"))

    def _relay_command(self, memory: Memory) -> list[str]:
        listen = f"{self._config.host}:{memory.relay_port}"
        public = self._config.relay_public or f"{HOST}:{memory.relay_port}"
        data = str(self._folder / "relay")
        mode = "code" if self._is_shared else "open"
        return ["corefast.relay", "--data-dir", data, "--listen", listen, "--public", public, "--registration", mode]

    def _core_command(self, memory: Memory, relay: str) -> list[str]:
        listen = f"{HOST}:{memory.core_port}"
        command = ["corefast.core", "--data-dir", str(self._folder / "core"), "--listen", listen, "--relay", relay]
        return [*command, "--number", memory.number, "--identity-policy", self._config.identity_policy]

    def _start_front(self, core: str) -> list[Child]:
        return [self._keep(name, command) for name, command in self._front_commands(core)]

    def _front_commands(self, core: str) -> list[tuple[str, list[str]]]:
        listen = f"{self._config.host}:{self._config.port}"
        secrets = self._folder / "core"
        front = str(secrets / "front.secret")
        tls = ["--tls", self._config.tls or ("self-signed" if self._is_shared else "off")]
        return [
            ("api", ["api", "--listen", listen, *tls, "--core", core, "--core-secret-file", front]),
            ("webhooks", ["api.webhooks", "--core", core, "--core-secret-file", str(secrets / "webhooks.secret")]),
        ]

    async def _start_demo(self, core: str, relay: str, number: str) -> list[Child]:
        if not self._config.demo:
            return []
        home = str(self._folder / "phone")
        phone = ["corefast.device", "--json", "--echo", "--number", DEMO_NUMBER, "--home", home, "--relay", relay]
        phone += ["--data", ""]  # COREFAST_DATA is ours; a phone takes either a relay or a folder
        children = [self._keep("phone", phone, self._on_phone, await self._admission(DEMO_NUMBER))]
        if not self._config.webhook:
            listen = ["api.listen", "--json", "--port", "0", "--data", str(self._folder.path), "--core", core]
            listen += ["--account", number, "--yields"]
            children.append(self._keep("listen", listen, self._on_webhook))
        return children

    def _keep(
        self,
        name: str,
        command: list[str],
        on_fact: Callable[[Facts], None] = lambda _: None,
        environ: Mapping[str, str] = MappingProxyType({}),
    ) -> Child:
        """Start a child and see that it stays; its failure becomes ours."""
        environ = {"COREFAST_LOG_LEVEL": self._config.log_level, **environ}
        child = Child(name, command, self._folder.logs, environ, on_fact)
        self._children[name] = child
        task = asyncio.ensure_future(child.keep(self._screen.show))
        self._keeping.add(task)
        task.add_done_callback(self._on_kept)
        return child

    def _on_kept(self, task: asyncio.Task[None]) -> None:
        self._keeping.discard(task)
        if not task.cancelled() and (error := task.exception()) and not self._failed.done():
            self._failed.set_exception(error)

    @property
    def _is_shared(self) -> bool:
        """True where others than this machine reach us: there nobody registers without a code."""
        return self._config.host != HOST

    @property
    def _speaks_tls(self) -> bool:
        """Whether the API does; by the rule of the front itself."""
        return self._config.tls != "off" if self._config.tls else self._is_shared

    def _own_url(self, memory: Memory, relay: str) -> str:
        """Return the relay's URL for programs of this machine."""
        return f"corefast://{HOST}:{memory.relay_port}/#{relay.partition('#')[2]}"

    async def _admission(self, number: str) -> dict[str, str]:
        """Return what lets a child of ours register *number*; a code that is not needed ends in ten minutes."""
        if not self._is_shared:
            return {}
        process = await spawn(["corefast.relay", "issue-code", number, "--data-dir", str(self._folder / "relay")])
        answer, complaint = await process.communicate()
        if process.returncode:
            raise ChildFailed(f"code: {complaint.decode(errors='replace').strip().rpartition(chr(10))[2]}")
        return {"COREFAST_CODE": answer.decode().split()[0]}

    async def _install_key(self, core: str, number: str) -> None:
        """Give the core our API key; it keeps only the digest."""
        scopes = [word for scope in ("send", "read", "admin") for word in ("--scope", scope)]
        command = ["api.key", "new", "--name", "up", *scopes, "--data", str(self._folder.path), "--core", core]
        command += ["--account", number]
        environ = {"COREFAST_KEY_FILE": str(self._folder / "api.key")}
        process = await spawn(command, environ)
        _, complaint = await process.communicate()
        if process.returncode:
            raise ChildFailed(f"key: {complaint.decode(errors='replace').strip().rpartition(chr(10))[2]}")

    # ── while it runs ──────────────────────────────────────────────────────────────────────────────────────────────

    def _show_banner(self, api: str, key: str, relay: str) -> None:
        shown, quote, hint = key, "'", "   (make reset erases it)"
        if self._is_shared:  # in a container what we show is kept as a log, where no key belongs
            self._screen.show(f"relay    {relay}   (a phone needs a code: corefast relay issue-code NUMBER)")
            path, quote, hint = self._folder / "api.key", '"', ""
            shown, key = f"in {path}", f"$(cat {path})"
        self._show_first_password()
        header = f"{quote}Authorization: Bearer {key}{quote}"
        body = f'{{"id":"{DEMO_NUMBER}","message":"Hello world!"}}'
        self._screen.show(f"API      {api}   (docs at /docs)")
        self._screen.show(f"key      {shown}")
        self._screen.show(f"data     {self._config.data}{hint}")
        curl = "curl -k" if self._speaks_tls else "curl"  # the certificate is our own, or not for this address
        self._screen.show(f"try      {curl} -H {header} -d '{body}' {api}/api/v7/chat")

    def _show_first_password(self) -> None:
        """Tell it on the first start and never again; where our words are kept as a log, put it into a file."""
        if not self._first_password:
            return
        shown = f"{self._first_password}   (for POST /v1/users/login; shown only now)"
        if self._is_shared:
            write_whole(self._folder / "admin.password", f"{self._first_password}\n".encode())
            shown = f"in {self._folder / 'admin.password'}   (for POST /v1/users/login)"
        self._screen.show(f"admin    {shown}")
        self._first_password = ""

    def _on_core(self, facts: Facts) -> None:
        if password := facts.get("first_password"):
            self._first_password = str(password)
        if refusal := facts.get("refusal"):
            self._refusal = str(refusal)
            if self._is_started:
                self._show_refusal()

    def _show_refusal(self) -> None:
        if self._refusal:
            self._screen.show(f"corefast: messages are not taken: {self._refusal}")
        self._refusal = ""

    def _on_phone(self, facts: Facts) -> None:
        if line := phone_line(DEMO_NUMBER, facts):
            self._screen.show(line)

    def _on_webhook(self, facts: Facts) -> None:
        for line in webhook_lines(facts):
            self._screen.show(line)

    # ── stop ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _stop(self) -> None:
        """Stop the children in order, so that none loses the one it works for; kill what does not end."""
        try:
            for names, grace_s in zip(STOP_ORDER, STOP_GRACE_S, strict=True):
                children = [self._children[name] for name in names if name in self._children]
                await asyncio.gather(*(child.stop(grace_s) for child in children))
        finally:
            for child in self._children.values():
                child.kill()
        if self._keeping:
            await asyncio.wait(self._keeping, timeout=0.5)
