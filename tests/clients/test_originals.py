"""Programs published for the on-premises API, installed as they are, do their work against a running system."""

import subprocess
from collections.abc import Iterator

import pytest

from .live import HERE, Live, live


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A system that nobody has logged in to but `whatsappez`, which changes the first password."""
    with live(tmp_path_factory.mktemp("live")) as found:
        key = f"Authorization: Bearer {found.key}"
        # Nothing is trusted yet: the authority's certificate is fetched as the original's users did.
        with found.trust.open("wb") as trust:
            subprocess.run(
                ["curl", "-skf", "-H", key, f"{found.api}/v1/certificates/external/ca"], stdout=trust, check=True
            )
        found.python("whatsappez", "first")
        yield found


@pytest.mark.parametrize("client", ["whatsappez", "wabclient", "turn", "generated", "wadebug"])
def test_a_published_python_client_does_its_work(system: Live, client: str) -> None:
    assert system.python(client).endswith("done\n")


def test_a_published_node_client_does_its_work(system: Live) -> None:
    assert system.drive("node", HERE / "drive" / "sender.js").endswith("done\n")


def test_curl_does_what_it_does(system: Live) -> None:
    assert system.drive("sh", "-eu", HERE / "drive" / "curl.sh").endswith("done\n")
