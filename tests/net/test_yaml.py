# SPDX-License-Identifier: BSD-3-Clause
"""What we print as YAML is the same to other programs' readers: PyYAML knows YAML 1.1."""
import re

import pytest
import yaml

# Names to us; to a reader of YAML 1.1 or 1.2 numbers, booleans, dates or nothing where they are plain.
NASTY = ["on", "Off", "yes", "NO", "y", "n", "true", "False", "null", "Null", "NULL", "010", "0777",
         "08", "0x1F", "0o17", "0b101", "1_000", "1e3", "1.5", "1.", "9e9", "190.20.30", "2026-11-25",
         "12-30", "0", "7", "_", "_1", "a-", "a.", "1-", "nan", "inf", "e1", "x_"]
MAC = "52:54:00:00:00:02"


def load(text):
    """Parsed as Ansible and many other programs do."""
    return yaml.safe_load(text)


@pytest.fixture
def shown(bed):
    """The switch's own configuration, as a reader of YAML 1.1 takes it; and its text."""
    names = [name for name in NASTY if not name.isdigit()]
    ports = {name: {"network": names[i % len(names)]} for i, name in enumerate(NASTY)}
    ports["trunk"] = {"trunk": names, "native": names[0], "mac": MAC, "mtu": 1500}
    ports["paths"] = {"network": "on", "socket": f"{bed.path}/a,b=c:d@e.sock"}
    ports["rights"] = {"network": "on", "owner": "root", "group": "root", "socket-mode": "0640",
                       "ip": ["10.0.0.1", "fd00::1"], "trusted": True, "qinq": True}
    bed.vswd(ports, networks={name: 100 + i for i, name in enumerate(names)})
    text = bed.switch.vsw_raw("config", "show").stdout
    return names, ports, text, load(text)


def test_same_strings(bed, shown):
    names, ports, text, tree = shown
    assert set(tree["networks"]) == set(names)
    assert set(tree["ports"]) == set(ports)
    for name, keys in ports.items():
        entry = tree["ports"][name]
        for key, value in keys.items():
            assert entry[key] == (sorted(value) if isinstance(value, list) else value), (name, key)
        assert entry["socket"] == keys.get("socket", f"{bed.path}/{name}.sock")
    assert tree["switch"]["socket-dir"] == str(bed.path)


# What the core schema of YAML 1.2 takes for something else than text.
CORE = re.compile(r"|~|null|Null|NULL|0o[0-7]+|0x[0-9a-fA-F]+|[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?|"
                  r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)|[Tt]rue|TRUE|[Ff]alse|FALSE")


def test_plain_words(shown):
    """Without quotes stand words that are text to every reader, decimal numbers, true and false."""
    for token in yaml.scan(shown[2]):
        if not isinstance(token, yaml.ScalarToken) or not token.plain:
            continue
        text = token.value
        assert re.fullmatch(r"0|[1-9][0-9]*|true|false", text) or \
            (isinstance(load(text), str) and not CORE.fullmatch(text)), text


def test_written_by_another_program(bed, shown):
    """Through PyYAML and back: nothing would change."""
    path = bed.path / "again.yaml"
    path.write_text(yaml.safe_dump(shown[3]))
    done = bed.switch.vsw_raw("config", "diff", path)
    assert done.returncode == 0, done.stderr
    assert bed.switch.vsw("config", "diff", path) == []


def test_nothing_configured(bed):
    """Empty sections are empty maps, not nulls."""
    bed.vswd({}, networks={})
    tree = load(bed.switch.vsw_raw("config", "show").stdout)
    assert tree["networks"] == {} and tree["ports"] == {}
