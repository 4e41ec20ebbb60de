# SPDX-License-Identifier: BSD-3-Clause
"""The shell's completion: for every program that is installed, it offers what --help tells of."""
import json
import re
import subprocess

import pytest

from lab.process import build_folder, program, root
from lab.vswd import run_tool


def installed():
    """The programs that the build would install."""
    try:
        targets = json.loads((build_folder() / "meson-info" / "intro-targets.json").read_text())
    except OSError:
        return []
    return sorted(target["name"] for target in targets
                  if target["type"] == "executable" and target["installed"])


def offered(line):
    """What bash offers, asked the way bash does: through the function that `complete` names."""
    name = line.split()[0]
    path = root() / "completions" / f"{name}.bash"
    assert path.exists(), f"{name} has no completion"
    script = f"""
        source {path}
        function=$(complete -p {name} | sed 's/.*-F \\([^ ]*\\).*/\\1/')
        COMP_LINE={line!r}; COMP_POINT=${{#COMP_LINE}}
        read -ra COMP_WORDS <<<"${{COMP_LINE//=/ = }}"
        [[ $COMP_LINE == *" " ]] && COMP_WORDS+=("")
        COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
        current=${{COMP_WORDS[COMP_CWORD]}}
        $function {name} "$current" "${{COMP_WORDS[COMP_CWORD-1]}}" &&
            printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=10,
                          cwd=root(), env={"PATH": f"{program(name).parent}:/usr/bin:/bin"})
    assert done.returncode == 0, done.stderr
    assert "command not found" not in done.stderr, done.stderr
    return {word.strip() for word in done.stdout.splitlines() if word.strip()}


def help_text(name):
    done = run_tool(name, "--help")
    assert done.returncode == 0, done.stderr
    return done.stdout


def described(text):
    """Options that have a line in a help text, each with the word for its value, or None."""
    found = {}
    for column in re.findall(r"^ +(-.*?)(?:  |$)", text, re.M):
        for option, value in re.findall(r"(--[a-z][a-z-]*)(?: (\[?[A-Z]\S*))?", column):
            found[option] = value or None
    return found


def commands(text):
    """Each command in the help text of vsw, as one would type it: "x" for what is any word. The
    options that one needs are left out."""
    found = []
    for usage in re.findall(r"^  vsw (.*?)(?: --| {2}|$)", text, re.M):
        found.append(" ".join("x" if word.strip("[.]").isupper() else word
                              for word in usage.split()))
    return found


def test_every_program(programs):
    assert {"vswd", "vsw", "vsw-nic"} <= set(installed())
    lacking = [name for name in installed()
               if not (root() / "completions" / f"{name}.bash").exists()]
    assert not lacking, "programs without a completion"


@pytest.mark.parametrize("name", installed())
def test_options(programs, name):
    expected = described(help_text(name))
    assert {"--help", "--version"} < set(expected), "the help text is read as it is meant"
    assert offered(f"{name} -") == set(expected)
    # The start of a word is enough, and rules the others out.
    assert offered(f"{name} --v") == {word for word in expected if word.startswith("--v")}


@pytest.mark.parametrize("name", installed())
def test_values(programs, name):
    """Behind an option that takes a value no other option is offered, behind others one is."""
    for option, value in described(help_text(name)).items():
        if option in ("--help", "--version"):
            continue
        for line in (f"{name} {option} ", f"{name} {option}="):
            options = {word for word in offered(line) if word.startswith("--")}
            assert not (value and options), line
        for choice in re.findall(r"(?<=\|)[a-z]+", value or ""):
            assert choice in offered(f"{name} {option} "), choice


def test_commands(programs):
    """Every command of vsw, word for word, and the options that its own help tells of."""
    text = help_text("vsw")
    assert len(commands(text)) > 8
    following = {}
    for command in commands(text):
        words = [word for word in command.split() if word != "x"]
        for i, word in enumerate(words):
            following.setdefault(" ".join(["vsw", *words[:i], ""]), set()).add(word)
        own = described(run_tool("vsw", *words, "-h").stdout)
        assert offered(f"vsw {command} -") == set(own), command
        for option, value in own.items():
            options = {word for word in offered(f"vsw {command} {option} ")
                       if word.startswith("--")}
            assert not (value and options), option
    for line, words in following.items():
        assert offered(line) - {"help"} == words, line


@pytest.mark.parametrize("line, words", [
    ("vsw po", {"port"}),
    ("vsw port args a --vmm ", {"qemu", "libvirt", "cloud-hypervisor", "vsw-nic"}),
    ("vsw port args a --vmm qemu --vmm-version 9", {"9.2"}),
    ("vsw log level ", {"error", "warning", "info", "debug"}),
    ("vsw help po", {"port"}),
    ("vsw port show --state r", {"running", "refused"}),
    ("vswd --log-level ", {"error", "warning", "info", "debug"}),
    ("vswd --log-level=w", {"warning"}),
    ("vswd --config example", {"examples"}),
    ("vsw-nic --log-level ", {"error", "warning", "info", "debug"}),
    ("vsw-nic --offload ", {"on", "off"}),
])
def test_words(programs, line, words):
    assert offered(line) == words
