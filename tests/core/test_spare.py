"""A running core makes keys ahead for all its accounts, and keeps none when it stops."""

import asyncio

import uvloop

from corefast.core import app
from corefast.core.config import CoreConfig
from corefast.endpoint.refill import TICK_MS, Refill
from corefast.limits import CORE_SPARE_KEYS
from corefast.native.curve import public_from_private
from corefast.net import sweep
from corefast.net.client import format_relay_url
from tests.support import engine

from .world import BUSINESS

NO_RELAY = format_relay_url("127.0.0.1", 1, public_from_private(bytes(32)))


def refills() -> list[Refill]:
    current = sweep._sweeps.get(asyncio.get_running_loop())
    return [each for each in current._members if isinstance(each, Refill)] if current is not None else []


def test_a_core_has_spare_keys_while_it_runs(tmp_path, monkeypatch, capsys):
    async def main():
        cores, stop = [], asyncio.Event()
        open_core = app.Core.open

        async def opened(folder, config):
            cores.append(await open_core(folder, config))
            return cores[0]

        monkeypatch.setattr(app.Core, "open", opened)
        monkeypatch.setattr(app, "_calm_collector", lambda: None)
        settings = engine.current.settings(tmp_path, "core")
        config = CoreConfig(relay=NO_RELAY, number=BUSINESS, listen="127.0.0.1:0", data_dir=str(tmp_path), **settings)
        running = asyncio.create_task(app.main(config, stop))
        while not (found := refills()) and not running.done():
            await asyncio.sleep(0)
        refill = found[0]
        assert cores[0].refill is refill
        assert cores[0].find(BUSINESS).context.random is refill.keys
        for tick in range(10):
            refill._tick(tick * TICK_MS)
        assert refill.keys.count == CORE_SPARE_KEYS
        stop.set()
        await running
        assert refill.keys.count == 0 and not refills()

    uvloop.run(main())
    assert '"ready":"core"' in capsys.readouterr().out
