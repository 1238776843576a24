"""Which files are a policy, and what names it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from gateway.errors import PolicyInvalid
from gateway.policies import source
from tests.policies.folders import MANIFEST, rule, saying, write


def findings(folder: Path) -> list[str]:
    with pytest.raises(PolicyInvalid) as refused:
        source.read(folder)
    return refused.value.findings


def test_a_policy_is_its_manifest_rules_packs_and_cases(tmp_path):
    """Editors' files, notes and folders of another name are no part of a version."""
    wanted = {
        "policy.yaml": MANIFEST,
        "rules/deep/er/a.rego": "package a",
        "packs/p/b.rego": "package b",
        "packs/p/cases/c.yaml": "about: c",
        "cases/d.yaml": "about: d",
        "templates/t/template.yaml": "a: 1",
        "constraints/e.yaml": "a: 1",
    }
    others = {
        "README.md": "notes",
        "policy.schema.json": "{}",
        "rules/.a.rego.swp": "half",
        "rules/#a.rego#": "half",
        "rules/a.rego~": "old",
        "rules/notes.txt": "notes",
        "datasets/big.jsonl": "{}",
        ".git/config": "x",
    }
    write(tmp_path, wanted | others)

    read = source.read(tmp_path)

    assert read.files == wanted


def test_the_digest_is_of_paths_and_contents_alone(tmp_path):
    """The same files are the same version for ever, wherever and whenever they were written."""
    one = source.read(write(tmp_path / "one", saying("block")))
    again = write(tmp_path / "two" / "deeper", dict(reversed(saying("block").items())))
    os.utime(again / "policy.yaml", (1, 1))

    assert source.read(again).digest == one.digest == source.digest(saying("block"))
    assert one.digest == "7f0b35e456b45637474b60d12e63c891fe9bc8fd8e9fd8b7277388431d73ebea"


@pytest.mark.parametrize(
    "changed",
    [
        {"rules/a.rego": rule() + "\n"},
        {"rules/b.rego": ""},
        {"policy.yaml": MANIFEST + "data: {}\n"},
        {"cases/x.yaml": "about: y"},
    ],
)
def test_any_change_of_a_file_is_another_version(changed):
    assert source.digest(saying("block") | changed) != source.digest(saying("block"))


def test_content_cannot_pass_for_a_path():
    """Moving text between a path and a content, or between two files, changes the digest."""
    digests = {
        source.digest({"a": "b", "c": "d"}),
        source.digest({"a": "bc", "": "d"}),
        source.digest({"ab": "", "c": "d"}),
        source.digest({"a": "d", "c": "b"}),
    }

    assert len(digests) == 4


def test_a_folder_without_a_manifest_is_no_policy(tmp_path):
    assert findings(tmp_path) == [f"policy.yaml:1: {tmp_path} has no policy.yaml"]


def test_a_folder_that_is_not_there_is_no_policy(tmp_path):
    assert "cannot be read" in findings(tmp_path / "absent")[0]


def test_a_link_that_leads_out_is_refused(tmp_path):
    """A policy cannot pull in what lies beside it."""
    (tmp_path / "secret.rego").write_text("package secret")
    folder = write(tmp_path / "policies", saying("block"))
    (folder / "rules" / "b.rego").symlink_to(tmp_path / "secret.rego")

    assert findings(folder) == ["rules/b.rego:1: a link that leads out of the policy folder"]


def test_a_linked_folder_that_leads_out_is_refused(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    folder = write(tmp_path / "policies", saying("block"))
    (folder / "packs").symlink_to(tmp_path / "elsewhere")

    assert findings(folder) == ["packs:1: a link that leads out of the policy folder"]


def test_links_within_the_folder_are_followed(tmp_path):
    """This is how mounted configuration looks."""
    folder = write(tmp_path, {"..data/policy.yaml": MANIFEST})
    (folder / "policy.yaml").symlink_to("..data/policy.yaml")

    assert source.read(folder).files == {"policy.yaml": MANIFEST}


def test_a_folder_that_contains_itself_ends(tmp_path):
    folder = write(tmp_path, saying("block"))
    (folder / "rules" / "again").symlink_to(folder / "rules")

    assert "nested deeper than 16" in findings(folder)[0]


def test_a_pipe_does_not_hold_up_the_reader(tmp_path):
    folder = write(tmp_path, saying("block"))
    os.mkfifo(folder / "rules" / "b.rego")

    assert findings(folder) == ["rules/b.rego:1: not a regular file"]


def test_text_must_be_utf_8(tmp_path):
    folder = write(tmp_path, saying("block"))
    (folder / "rules" / "b.rego").write_bytes(b"package b # \xff")

    assert findings(folder) == ["rules/b.rego:1: not UTF-8 at byte 12"]


def test_a_name_that_cannot_be_shown_is_refused(tmp_path):
    folder = write(tmp_path, saying("block"))
    (folder / "rules" / "b\n.rego").write_text("package b")

    assert findings(folder) == ["'rules/b\\n.rego':1: a file name that cannot be shown"]


def test_a_large_file_is_refused(tmp_path):
    folder = write(tmp_path, saying("block"))
    (folder / "rules" / "b.rego").write_text("#" * (source.FILE_MAX + 1))

    assert findings(folder) == [f"rules/b.rego:1: larger than {source.FILE_MAX} bytes"]


def test_outside_of_git_there_is_no_commit(tmp_path):
    assert source.read(write(tmp_path, saying("block"))).commit is None


def test_the_commit_says_whether_the_folder_is_as_committed(tmp_path):
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.com"]
    folder = write(tmp_path / "policies", saying("block"))
    subprocess.run([*git, "init", "-q"], check=True)
    assert source.commit(folder) is None

    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "policies"], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    (tmp_path / "beside").write_text("not of the policy")
    assert source.commit(folder) == head.stdout.strip()

    (folder / "rules" / "b.rego").write_text("package b")
    assert source.commit(folder) == f"{head.stdout.strip()}+dirty"


def test_a_folder_that_git_does_not_know_has_no_commit(tmp_path):
    """The commit of a project around it would say nothing about the policy."""
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.com"]
    folder = write(tmp_path / "policies", saying("block"))
    (tmp_path / "code").write_text("x")
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "code"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "code"], check=True)

    assert source.commit(folder) is None


def test_the_signature_changes_with_every_edit(tmp_path):
    """Also when an editor sets the time back and the size stays."""
    folder = write(tmp_path, saying("block"))
    path = folder / "rules" / "a.rego"
    before, times = source.signature(folder), path.stat()

    path.write_text(path.read_text().replace("block", "allow"))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))

    assert source.signature(folder) != before
