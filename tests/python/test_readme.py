import re
from pathlib import Path

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")


def test_the_example_of_the_readme_trains():
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names = {}
    exec(example, names)
    assert names["trainer"].evaluate(names["test"]).accuracy > 0.95
    names["model"].summary((1, 1, 8, 8))
