"""These tests need npm packages and a Debian library, so they run only when asked for: `make peers`."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import libsignal_c
from .libsignal import LibsignalDevice
from .talk import Device

collect_ignore_glob = [] if os.environ.get("COREFAST_PEERS") else ["test_*.py"]

RELEASES = ("0.90.0", "0.92.2", "0.103.0")
"""The last to talk without SPQR, the first to demand it, and today's."""

LAST_WITH_X3DH = "0.72.1"


@pytest.fixture(params=RELEASES)
def peer(request: pytest.FixtureRequest) -> Iterator[LibsignalDevice]:
    with LibsignalDevice(request.param) as device:
        yield device


@pytest.fixture(params=[LAST_WITH_X3DH, *RELEASES])
def any_peer(request: pytest.FixtureRequest) -> Iterator[LibsignalDevice]:
    """For what does not depend on sessions, and so is spoken with each release."""
    with LibsignalDevice(request.param) as device:
        yield device


@pytest.fixture
def libsignal_c_device(libsignal_c_program: Path) -> Iterator[libsignal_c.LibsignalCDevice]:
    with libsignal_c.LibsignalCDevice(libsignal_c_program) as device:
        yield device


@pytest.fixture
def old_peer() -> Iterator[LibsignalDevice]:
    with LibsignalDevice(LAST_WITH_X3DH) as device:
        yield device


@pytest.fixture(scope="session")
def libsignal_c_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return libsignal_c.build(tmp_path_factory.mktemp("libsignal_c"))


@pytest.fixture(params=[LAST_WITH_X3DH, "libsignal-protocol-c"])
def x3dh_peer(request: pytest.FixtureRequest, libsignal_c_program: Path) -> Iterator[Device]:
    if request.param == LAST_WITH_X3DH:
        with LibsignalDevice(LAST_WITH_X3DH) as device:
            yield device
    else:
        with libsignal_c.LibsignalCDevice(libsignal_c_program) as c_device:
            yield c_device
