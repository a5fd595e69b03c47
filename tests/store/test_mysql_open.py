"""Opening a database on a server: how it is named, what is refused and with which remedy, TLS."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from corefast.errors import SchemaTooNew, SetupError
from corefast.store.database import Statement, Unit
from corefast.store.migrate import Migration
from corefast.store.mysql.address import Address, parse_address
from corefast.store.mysql.database import open_mysql
from corefast.store.mysql.writer import BULK_ROWS
from tests.store.conftest import NOTES, Opening
from tests.support.mariadb import MariaDB, running


def refusal(address: Address) -> str:
    """Return the sentence that the operator gets."""

    async def main() -> None:
        await (await open_mysql(address, [NOTES])).close()

    with pytest.raises(SetupError) as caught:
        uvloop.run(main())
    return str(caught.value)


def test_a_url_may_name_the_nodes_of_a_cluster() -> None:
    address = parse_address("mysql://us@one,two:3307,[::1]:3308/name", "")
    assert [(node.host, node.port) for node in address.nodes()] == [("one", 3306), ("two", 3307), ("::1", 3308)]


def test_a_url_names_server_user_and_database() -> None:
    found = parse_address("mysql://us%40er@db.example:3307/shop?ssl_ca=/ca.pem", "secret")
    assert found == Address("db.example", 3307, "us@er", "secret", "shop", ssl_ca="/ca.pem")
    assert "secret" not in f"{found} {found!r}"


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("mysql://user:secret@host/name", "shows its password"),
        ("mysql://host/name", "names no user"),
        ("mysql://user@host/", "no database"),
        ("mysql://user@host/na`me", "no database"),
        ("mysql://user@host:port/name", "not an address"),
        ("mysql://user@host/name?sslca=x", "no option 'sslca'; it has socket, ssl_ca"),
    ],
)
def test_a_wrong_url_is_refused_and_shows_no_password(url: str, complaint: str) -> None:
    with pytest.raises(SetupError, match=complaint) as caught:
        parse_address(url, "")
    assert "secret" not in str(caught.value)


def test_the_session_is_set_as_promised(on_mysql: Opening) -> None:
    async def main() -> None:
        async with on_mysql() as database:
            names = "@@tx_isolation, @@character_set_client, @@collation_connection, @@autocommit"
            [row] = await database.fetch(Statement(f"SELECT {names}"))
            assert row == ("READ-COMMITTED", "utf8mb4", "utf8mb4_bin", 1)

    uvloop.run(main())


@pytest.mark.parametrize(
    ("setting", "safe", "unsafe"),
    [
        ("innodb_flush_log_at_trx_commit", 1, 2),
        ("max_allowed_packet", 16 << 20, 1 << 20),
    ],
)
def test_a_setting_that_loses_commits_is_refused_with_the_remedy(
    server: MariaDB, address: Address, setting: str, safe: int, unsafe: int
) -> None:
    server.sql(f"SET GLOBAL {setting} = {unsafe}")
    try:
        complaint = refusal(address)
    finally:
        server.sql(f"SET GLOBAL {setting} = {safe}")
    assert str(unsafe) in complaint and f"set {setting} = 1" in complaint


def test_a_binary_log_has_to_be_safe_too() -> None:
    with running("--log-bin=log", "--sync-binlog=0", "--binlog-format=ROW") as server:
        address = server.address()
        assert "sync_binlog = 0" in refusal(address)
        server.sql("SET GLOBAL sync_binlog = 1; SET GLOBAL binlog_format = STATEMENT")
        assert "set binlog_format = ROW" in refusal(address)


def test_who_may_not_in_gets_the_servers_reason(server: MariaDB, address: Address) -> None:
    assert "Access denied for user 'corefast'" in refusal(address._replace(password="wrong"))
    assert "Unknown database" in refusal(address._replace(name="corefast_nowhere"))
    assert "is the server running?" in refusal(address._replace(port=1))


def test_a_newer_schema_is_refused_and_so_is_that_of_another_program(address: Address) -> None:
    async def main() -> None:
        more = Migration(2, "more", "CREATE TABLE more (id INT);")
        await (await open_mysql(address, [NOTES, more])).close()
        with pytest.raises(SchemaTooNew, match="schema 2, this corefast knows 1: start the newer"):
            await open_mysql(address, [NOTES])
        with pytest.raises(SetupError, match="belongs to another program: its schema 001 is 'notes'"):
            await open_mysql(address, [Migration(1, "letters", "CREATE TABLE letter (id INT);"), more])

    uvloop.run(main())


def test_with_a_ca_the_server_has_to_prove_its_name(tmp_path: Path) -> None:
    ca, certificate, key = _make_certificate(tmp_path, "127.0.0.1")
    other, _, _ = _make_certificate(tmp_path / "other", "127.0.0.1")

    async def main(address: Address) -> None:
        database = await open_mysql(address, [NOTES])
        [(name, cipher)] = await database.fetch(Statement("SHOW SESSION STATUS LIKE 'Ssl_cipher'"))
        assert name == "Ssl_cipher" and cipher.startswith("TLS_")
        many = Unit()
        for number in range(3 * BULK_ROWS):
            many.add(Statement("INSERT INTO note (author) VALUES (?)"), f"{number}", rows=1)
        await database.commit(many)
        assert await database.fetch(Statement("SELECT count(*) FROM note")) == [(3 * BULK_ROWS,)]
        await database.close()

    with running(f"--ssl-cert={certificate}", f"--ssl-key={key}", "--require-secure-transport=ON") as server:
        address = server.address()
        assert refusal(address)
        assert "its certificate does not convince: self-signed" in refusal(address._replace(ssl_ca=str(other)))
        assert "Hostname mismatch" in refusal(address._replace(ssl_ca=str(ca), host="localhost"))
        assert "certificates cannot be used" in refusal(address._replace(ssl_ca=str(tmp_path / "nowhere")))
        uvloop.run(main(address._replace(ssl_ca=str(ca))))


def _make_certificate(folder: Path, host: str) -> tuple[Path, Path, Path]:
    """Make a certificate that is its own authority; return the files of authority, certificate and key."""
    folder.mkdir(exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "database")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))])
    builder = builder.add_extension(names, critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    certificate = builder.sign(key, hashes.SHA256())
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    (folder / "certificate.pem").write_bytes(pem)
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "certificate.pem", folder / "certificate.pem", folder / "key.pem"
