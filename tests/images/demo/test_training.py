"""The path from text to served folders, run for a few steps with the engine's own PyTorch: a smoke test, no figures."""

import json
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DEMO = ROOT / "images" / "demo"
PYTHON = ROOT / ".venv-engine" / "bin" / "python"
SENTENCES = {
    "en": "A file has a name and a size. You can open it, copy it, and move it to another folder whenever you like. ",
    "zh": "文件有名称和大小。您可以打开它，复制它，也可以随时把它移动到另一个文件夹中。",
    "ru": "У файла есть имя и размер. Его можно открыть, скопировать и переместить в другую папку. ",
}
TEXTS = (
    "Hello, world!\n1. a\tb  c",
    "你好，世界：计算机“网络”。",
    "Привет, мир — ёлка «да»?",
    "日本語 ελληνικά 🙂 \u200d e\u0301",
    "",
)

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(not PYTHON.exists(), reason="needs .venv-engine: run `make setup` first"),
]


def python(*arguments: str) -> str:
    """Run the engine's Python on one thread from the demo's folder; what it printed."""
    done = subprocess.run(
        [str(PYTHON), *arguments], cwd=DEMO, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tokenizer and packed text, made from a handful of sentences and the repository's dialogues."""
    folder = tmp_path_factory.mktemp("text")
    units = {
        language: [
            {
                "source": "gnome-help/file",
                "parent": "",
                "title": f"{sentence[:4]} {i}",
                "summary": "",
                "blocks": [sentence * 3],
            }
            for i in range(3)
        ]
        for language, sentence in SENTENCES.items()
    }
    (folder / "units.json").write_text(json.dumps(units))
    python("documents.py", "--units", str(folder / "units.json"), "--out", str(folder))
    return folder


@pytest.mark.parametrize("body", ["gemma4", "lfm2"])
def test_tokenizer_gives_every_text_back(body: str) -> None:
    code = (
        "import json, sys; from transformers import AutoTokenizer;"
        "tokenizer = AutoTokenizer.from_pretrained(sys.argv[1]);"
        "ids = [tokenizer.encode(text, add_special_tokens=False) for text in json.loads(sys.argv[2])];"
        "print(json.dumps([tokenizer.decode(one) for one in ids]))"
    )
    assert json.loads(python("-c", code, str(DEMO / body), json.dumps(TEXTS))) == list(TEXTS)


def test_every_stage_trains_repeatably_and_exports(text: Path, tmp_path: Path) -> None:
    """Two runs of the smaller family print the same hashes; both families come out as five loadable folders."""
    common = ("--text", str(text / "text.npz"), "--out", str(tmp_path / "checkpoints"), "--scale", "0", "--batch", "1")
    first, second = (
        [line for line in python("train.py", "lfm2", *common).splitlines() if "safetensors" in line] for _ in range(2)
    )
    assert len(first) == 2
    assert first == second
    python("train.py", "gemma4", *common)
    python(
        "export.py", "--checkpoints", str(tmp_path / "checkpoints"), "--text", str(text), "--out", str(tmp_path / "out")
    )
    assert sorted(path.parent.name for path in tmp_path.glob("out/*/model.safetensors")) == [
        "gemma4", "gemma4-assistant", "gemma4-eagle3", "lfm2", "lfm2-eagle3",
    ]  # fmt: skip
