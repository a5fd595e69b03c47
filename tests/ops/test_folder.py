from pathlib import Path

import msgspec
import pytest

from corefast.errors import SetupError
from corefast.supervisor.folder import DEFAULT_NUMBER, Folder, UpFile, write_whole


def test_a_second_run_finds_the_same_key_number_and_ports(tmp_path: Path):
    folder = Folder(str(tmp_path))
    memory, key = folder.memory("", 20_000), folder.api_key()
    assert key.startswith("cf_") and len(key) > 40
    assert memory.number == DEFAULT_NUMBER
    again = Folder(str(tmp_path))
    assert (again.memory("", 30_000), again.api_key()) == (memory, key)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir() if path.is_file()} == {0o600}


def test_another_number_is_refused_with_the_remedy(tmp_path: Path):
    Folder(str(tmp_path)).memory("493023125001", 20_000)
    with pytest.raises(SetupError, match="belongs to the number 493023125001"):
        Folder(str(tmp_path)).memory("493023125002", 20_000)


def test_a_number_is_kept_in_its_canonical_form_and_a_wrong_one_not_at_all(tmp_path: Path):
    folder = Folder(str(tmp_path))
    with pytest.raises(SetupError, match="--number 'hello': a phone number has no letters"):
        folder.memory("hello", 20_000)
    assert folder.memory("+49 30 23125001", 20_000).number == "493023125001"
    assert folder.memory("0049 30 23125001", 20_000).number == "493023125001"


@pytest.mark.parametrize("content", ["{bad", '{"number":"49","relay_port":999999,"core_port":0}'])
def test_a_damaged_memory_is_reported(tmp_path: Path, content: str):
    (tmp_path / "memory.json").write_text(content)
    with pytest.raises(SetupError, match="is damaged"):
        Folder(str(tmp_path)).memory("", 20_000)


def test_an_empty_key_file_gets_a_key(tmp_path: Path):
    (tmp_path / "api.key").touch()
    assert Folder(str(tmp_path)).api_key().startswith("cf_")


def test_up_json_is_there_only_between_publish_and_withdraw(tmp_path: Path):
    folder = Folder(str(tmp_path))
    facts = UpFile(api="http://127.0.0.1:9090", api_key="cf_x", relay="corefast://…", number="49", core="127.0.0.1:1")
    folder.publish(facts)
    assert msgspec.json.decode((tmp_path / "up.json").read_bytes(), type=UpFile) == facts
    folder.withdraw()
    folder.withdraw()
    assert not (tmp_path / "up.json").exists()


def test_a_half_written_file_never_takes_the_place_of_a_whole_one(tmp_path: Path):
    path = tmp_path / "api.key"
    write_whole(path, b"first")
    with pytest.raises(TypeError):
        write_whole(path, "not bytes")  # type: ignore[arg-type]
    assert path.read_bytes() == b"first"


def test_the_demo_phones_number_is_refused_and_nothing_is_remembered(tmp_path: Path):
    folder = Folder(str(tmp_path))
    with pytest.raises(SetupError, match="the phone that --demo adds; choose another"):
        folder.memory("+49 123 123456", 20_000, "49123123456")
    assert folder.memory("49123123456", 20_000).number == "49123123456"
    with pytest.raises(SetupError, match="omit --demo"):
        folder.memory("", 20_000, "49123123456")


def test_a_full_disk_is_told_in_one_sentence(tmp_path: Path):
    (tmp_path / ".api.key.new").symlink_to("/dev/full")
    with pytest.raises(SetupError, match="api.key: No space left on device"):
        Folder(str(tmp_path)).api_key()
    assert not (tmp_path / "api.key").exists()
