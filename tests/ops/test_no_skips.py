import os
import subprocess
import sys
from pathlib import Path

CONFTEST = Path(__file__).parents[1] / "conftest.py"

SKIPS = [
    "import pytest\ndef test_in_the_body():\n    pytest.skip('no network')\n",
    "import pytest\n@pytest.mark.skip(reason='later')\ndef test_by_mark():\n    pass\n",
    "import pytest\npytest.importorskip('no_such_module')\ndef test_at_import():\n    pass\n",
    "import pytest\n@pytest.fixture\ndef f():\n    pytest.skip('x')\ndef test_in_a_fixture(f):\n    pass\n",
]


def test_a_skip_of_any_kind_is_a_failure(tmp_path: Path):
    (tmp_path / "conftest.py").write_text(CONFTEST.read_text())
    for index, text in enumerate(SKIPS):
        (tmp_path / f"test_{index}.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--continue-on-collection-errors"]
    environ = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run([*command, str(tmp_path)], cwd=tmp_path, capture_output=True, text=True, env=environ)
    assert done.returncode == 1
    assert "1 failed, 3 errors" in done.stdout, done.stdout
