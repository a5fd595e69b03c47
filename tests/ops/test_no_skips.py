import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"


@pytest.mark.parametrize(
    "text",
    [
        "import pytest\ndef test_x():\n    pytest.skip('no network')\n",
        "import pytest\n@pytest.mark.skip(reason='later')\ndef test_x():\n    pass\n",
        "import pytest\npytest.importorskip('no_such_module')\ndef test_x():\n    pass\n",
        "import pytest\n@pytest.fixture\ndef f():\n    pytest.skip('x')\ndef test_x(f):\n    pass\n",
    ],
)
def test_a_skip_is_a_failure(tmp_path: Path, text: str):
    (tmp_path / "conftest.py").write_text(CONFTEST.read_text())
    (tmp_path / "test_it.py").write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode in (1, 2), done.stdout
    assert "was skipped" in done.stdout
