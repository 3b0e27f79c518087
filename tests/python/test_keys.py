"""Encryption with zmq.auth's files, and the one rule for secret files."""

import os
import shutil
import subprocess

import pytest
import zmq.auth
from conftest import texts

import orden
from orden.testing import Broker, find_broker

PATIENCE = 3


@pytest.fixture
def folder(tmp_path):
    """Keys of a broker and of ana, the second made by pyzmq."""
    subprocess.run([find_broker(), "keygen", tmp_path], check=True, capture_output=True)
    zmq.auth.create_certificates(tmp_path, "ana")
    os.chmod(tmp_path / "ana.key_secret", 0o600)
    (tmp_path / "authorized").mkdir()
    shutil.copy(tmp_path / "ana.key", tmp_path / "authorized")
    return tmp_path


@pytest.fixture
def guarded(folder):
    flags = ("--curve-key", folder / "broker.key_secret", "--authorized", folder / "authorized")
    with Broker("127.0.0.1:0", *map(str, flags)) as broker:
        yield broker


def keys(folder, secret="ana.key_secret", server="broker.key"):
    return orden.Keys.read(folder / secret, folder / server)


def refused(error, match, address, **arguments):
    with pytest.raises(error, match=match):
        orden.connect(address, "ana", timeout=PATIENCE, **arguments)


def test_encrypted(folder, guarded):
    with orden.connect(guarded.address, "ana", keys=keys(folder)) as ana:
        ana.publish("hola")
        assert texts(ana, 1)[0].text == "hola"


def test_keys_on_one_side_only(folder, guarded, broker):
    refused(orden.NoAnswer, "asks for keys", guarded.address)
    refused(orden.NoAnswer, "or none .then connect without", broker.address, keys=keys(folder))


def test_another_brokers_key(folder, guarded):
    wrong = keys(folder, server="ana.key")
    refused(orden.NoAnswer, "the broker has another key", guarded.address, keys=wrong)


def test_a_key_that_the_broker_does_not_know(folder, guarded):
    zmq.auth.create_certificates(folder, "eve")
    os.chmod(folder / "eve.key_secret", 0o600)
    eve = keys(folder, "eve.key_secret")
    refused(orden.Refused, "does not know this client's key", guarded.address, keys=eve)


def test_a_name_that_belongs_to_another_key(folder):
    authorized = folder / "authorized/ana.key"
    text = authorized.read_text()
    authorized.write_text(text.replace("metadata", 'metadata\n    names = "bea"'))
    flags = ("--curve-key", folder / "broker.key_secret", "--authorized", folder / "authorized")
    with Broker("127.0.0.1:0", *map(str, flags)) as broker:
        refused(orden.Refused, "not_allowed.*list this key", broker.address, keys=keys(folder))


def test_keys_do_not_show_the_secret(folder):
    ours = keys(folder)
    assert ours.secret.decode() not in repr(ours)
    assert ours.public.decode() in repr(ours)


def bad(folder, match, secret="ana.key_secret", server="broker.key"):
    with pytest.raises(orden.BadArgument, match=match) as caught:
        keys(folder, secret, server)
    return str(caught.value)


def test_files_that_hold_no_key(folder):
    bad(folder, "cannot be opened: No such file", "nothing")
    bad(folder, "holds no secret-key: give the file that ends in .key_secret", "ana.key")
    bad(folder, "is no file that holds a key", server="authorized")
    os.mkfifo(folder / "pipe", 0o600)
    bad(folder, "is no file that holds a key", "pipe")
    (folder / "text").write_text("hello")
    bad(folder, "holds no public-key; make a pair", server="text")
    (folder / "text").write_bytes(b"\xff\xfe")
    bad(folder, "not a text", server="text")
    (folder / "text").write_text('public-key = "short"')
    bad(folder, "line 1: a key has 40 characters, and this one 5", server="text")
    (folder / "text").write_text('public-key = "%s"' % ("~" * 40))
    bad(folder, "no key in Z85", server="text")
    line = next(x for x in (folder / "ana.key").read_text().splitlines() if "public-key" in x)
    (folder / "text").write_text(f"{line}\n{line}\n")
    bad(folder, "line 2: a second public-key", server="text")


def test_a_pair_that_does_not_belong_together(folder):
    zmq.auth.create_certificates(folder, "eve")
    lines = (folder / "eve.key_secret").read_text().splitlines()
    other = next(x for x in (folder / "ana.key").read_text().splitlines() if "public-key" in x)
    mixed = "\n".join(other if "public-key" in line else line for line in lines)
    (folder / "eve.key_secret").write_text(mixed)
    os.chmod(folder / "eve.key_secret", 0o600)
    said = bad(folder, "does not belong to its secret-key", "eve.key_secret")
    secret = next(line for line in lines if "secret-key" in line).split('"')[1]
    assert secret not in said


@pytest.mark.parametrize(
    ("mode", "match"),
    [
        (0o400, None),
        (0o600, None),
        (0o440, None),  # as orchestrators mount it; here root is the owner
        (0o644, "others may use this secret key .mode 0644.: chmod o= "),
        (0o601, "others may use"),
        (0o460, "its group may more than read.*chmod g=r "),
        (0o620, "its group may more than read"),
    ],
)
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to others")
def test_the_rule_for_secret_files_of_root(folder, mode, match):
    os.chmod(folder / "ana.key_secret", mode)
    if match is None:
        keys(folder)
    else:
        bad(folder, match)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_the_rule_for_secret_files_of_users(folder, monkeypatch):
    secret = folder / "ana.key_secret"
    os.chown(secret, 1234, 1234)
    os.chmod(secret, 0o600)
    bad(folder, "belongs to 1234, neither to this user nor to root: chown root ")
    monkeypatch.setattr(os, "geteuid", lambda: 1234)
    keys(folder)
    os.chmod(secret, 0o640)
    bad(folder, "its group may use this secret key .mode 0640.: chmod g= ")
    os.chown(secret, 0, 0)
    keys(folder)
    # A link counts for what it leads to, which may be swapped at any time.
    link = folder / "link"
    link.symlink_to(secret)
    keys(folder, "link")
