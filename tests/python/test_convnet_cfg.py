"""Reading cuda-convnet's files: values, defaults, comments, and errors that name file, line and section."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastcnn.convnet import ConfigError
from fastcnn.convnet.cfg import Cfg


def cfg(folder: Path, content: str) -> Cfg:
    path = folder / "some.cfg"
    path.write_text(content)
    return Cfg(path)


def test_sections_keep_their_order_and_values_their_types(tmp_path: Path) -> None:
    file = cfg(tmp_path, "[b]\nfilters = 32\nscale: 1e-3\nshared=yes\n[a]\ninputs=b, c ,d\n")
    assert [section.name for section in file] == ["b", "a"]
    b, a = file
    assert (b.integer("filters"), b.real("scale"), b.flag("shared")) == (32, 1e-3, True)
    assert a.words("inputs") == ["b", "c", "d"]
    file.finish()


def test_keys_are_read_in_any_case(tmp_path: Path) -> None:
    section = next(iter(cfg(tmp_path, "[a]\nEPSw=0.1\n")))
    assert section.real("epsW") == 0.1
    section.finish()


def test_comments_and_continued_lines(tmp_path: Path) -> None:
    file = cfg(tmp_path, "# one\n[a]\n; two\nx=1 ; three\nrate=dexp[base=1;numSteps=2]\ninputs=b,\n  c\n")
    section = next(iter(file))
    assert section.integer("x") == 1
    assert section.text("rate") == "dexp[base=1;numSteps=2]"
    assert section.words("inputs") == ["b", "c"]


def test_indented_keys_are_keys_and_have_lines(tmp_path: Path) -> None:
    file = cfg(tmp_path, "  [a]\n  x=1\n    2=3\n  y=2\n[b]\nx=1\n  [c]\n")
    a, b = file
    assert (a.name, a.text("x"), a.integer("y"), b.text("x")) == ("a", "1\n2=3", 2, "1\n[c]")
    assert (str(a.error("", "y")), str(b.error("", "x"))) == (
        f"{file.path}, line 4, [a]: ",
        f"{file.path}, line 6, [b]: ",
    )
    file.finish()


def test_default_section_is_inherited_also_by_sections_that_are_not_there(tmp_path: Path) -> None:
    file = cfg(tmp_path, "[DEFAULT]\nmomW=0.9\nbase=2\n[a]\nepsW=%(base)s0\n[b]\nmomW=0.5\n")
    assert file.section("a").real("epsW") == 20
    assert [file.section(name).real("momW") for name in ("a", "b", "c")] == [0.9, 0.5, 0.9]
    with pytest.raises(ConfigError, match=r"line 3, \[DEFAULT\]: unknown key 'base'"):
        file.finish()


def test_default_values_are_made_of_each_sections_keys(tmp_path: Path) -> None:
    file = cfg(tmp_path, "[DEFAULT]\nepsB=%(epsW)s0\n[a]\nepsW=1\n[b]\nepsW=2\n")
    assert [file.section(name).real("epsB") for name in ("a", "b")] == [10, 20]
    with pytest.raises(ConfigError, match=r"line 2, \[c\]: epsb: .*epsw"):
        file.section("c")


def test_a_wrong_value_of_default_is_named_with_its_line(tmp_path: Path) -> None:
    file = cfg(tmp_path, "[a]\ny=1\n[DEFAULT]\nx=one\n")
    for name in ("a", "b"):
        place = rf"some.cfg, line 4, \[DEFAULT\], inherited by \[{name}\]"
        with pytest.raises(ConfigError, match=f"{place}: x is 'one', expected a number of at least 0$"):
            file.section(name).real("x", least=0.0)


def test_lists_have_one_value_per_input_or_one_for_all(tmp_path: Path) -> None:
    section = next(iter(cfg(tmp_path, "[a]\nstride=2\npadding=0,1\n")))
    assert section.integers("stride", 3) == [2, 2, 2]
    assert section.integers("padding", 2) == [0, 1]
    assert section.flags("randSparse", 2, False) == [False, False]
    with pytest.raises(ConfigError, match=r"some.cfg, line 3, \[a\]: padding has 2 values for 3 inputs"):
        section.integers("padding", 3)


@pytest.mark.parametrize(
    ("value", "read", "message"),
    [
        ("three", "integer", "'three', expected a whole number"),
        ("1.5", "integer", "'1.5', expected a whole number"),
        ("3*4", "integer", "'3\\*4', expected a whole number"),
        ("0", "integer", "0, expected a whole number of at least 1"),
        ("3000000000", "integer", "'3000000000', expected a whole number"),
        ("fast", "real", "'fast', expected a number"),
        ("nan", "real", "'nan', expected a number"),
        ("-inf", "real", "'-inf', expected a number"),
        ("maybe", "flag", "'maybe', expected true or false"),
    ],
)
def test_a_wrong_value_is_named_with_its_line(tmp_path: Path, value: str, read: str, message: str) -> None:
    section = next(iter(cfg(tmp_path, f"\n[conv1]\nx=1\nkey={value}\n")))
    least = {"least": 1} if read == "integer" else {}
    with pytest.raises(ConfigError, match=rf"some\.cfg, line 4, \[conv1\]: key is {message}"):
        getattr(section, read)("key", **least)


def test_a_mistyped_key_gets_the_nearest_one(tmp_path: Path) -> None:
    section = next(iter(cfg(tmp_path, "[conv1]\nfilters=3\nfliterSize=5\n")))
    with pytest.raises(
        ConfigError, match=r"\[conv1\]: filterSize is missing; is 'flitersize' in line 3 meant"
    ):
        section.integer("filterSize")
    section.integer("filterSize", 1)
    section.integer("filters")
    with pytest.raises(
        ConfigError, match=r"line 3, \[conv1\]: unknown key 'flitersize'; did you mean filterSize"
    ):
        section.finish()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("x=1\n", "line 1: no \\[section\\]"),
        ("[a]\nx=1\n\n[a]\n", r"line 4, \[a\]: the section is given twice"),
        ("[a]\nx=1\nX=2\n", r"line 3, \[a\]: 'x' is given twice"),
        ("[a]\nnonsense\n", "line 2: 'nonsense.*', expected key=value"),
        ("[a]\nx=%(y)s\n", r"line 2, \[a\]: x: "),
        ("[b]\n[a]\nx=50%\n", r"line 3, \[a\]: x: "),
        ("[DEFAULT]\nx=50%\n[a]\n", r"line 2, \[a\]: x: "),
    ],
)
def test_a_broken_file_is_an_error_with_its_place(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(ConfigError, match=f"some.cfg.*{message}"):
        cfg(tmp_path, content)


def test_bytes_that_are_no_text_are_an_error(tmp_path: Path) -> None:
    path = tmp_path / "some.cfg"
    path.write_bytes(b"[a]\nx=\xff\xfe\n")
    with pytest.raises(ConfigError, match="not a text file"):
        Cfg(path)
