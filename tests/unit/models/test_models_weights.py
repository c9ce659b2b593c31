"""Every backbone tensor of a weights file is accounted for, and nothing is unpickled."""

import http.server
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from medclassify.errors import WeightsError
from medclassify.models import create_network, load_weights, state_fingerprint

TINY = "test_efficientnet"


def backbone_state(seed: int) -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)
    state = create_network(TINY, 1).state_dict()
    return {
        name: value.clone(memory_format=torch.contiguous_format)
        for name, value in state.items()
        if not name.startswith("classifier.")
    }


def test_a_safetensors_file_fills_every_backbone_tensor_and_leaves_the_head(tmp_path: Path) -> None:
    state = backbone_state(1)
    save_file(state, tmp_path / "w.safetensors")
    torch.manual_seed(2)
    network = create_network(TINY, 3)
    head = network.get_classifier().weight.clone()
    report = load_weights(network, str(tmp_path / "w.safetensors"))
    assert report.share == 1.0 and report.loaded == report.total > 50 and not report.fallback
    assert all(torch.equal(network.state_dict()[name], value) for name, value in state.items())
    assert torch.equal(network.get_classifier().weight, head)


def test_a_wrapped_pth_file_is_read(tmp_path: Path) -> None:
    torch.save({"state_dict": backbone_state(1)}, tmp_path / "w.pth")
    assert load_weights(create_network(TINY, 2), str(tmp_path / "w.pth")).share == 1.0


class Planted:
    """Makes a folder when it is unpickled."""

    def __init__(self, target: str) -> None:
        self.target = target

    def __reduce__(self):
        return os.mkdir, (self.target,)


def test_pickled_code_is_not_executed(tmp_path: Path) -> None:
    trap = tmp_path / "executed"
    torch.save({"state_dict": Planted(str(trap))}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="without executing code"):
        load_weights(create_network(TINY, 2), str(tmp_path / "w.pth"))
    assert not trap.exists()
    with open(tmp_path / "raw.pth", "wb") as file:
        pickle.dump(Planted(str(trap)), file)
    with pytest.raises(WeightsError, match="without executing code"):
        load_weights(create_network(TINY, 2), str(tmp_path / "raw.pth"))
    assert not trap.exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("conv_stem.weight"), "1 of .* backbone tensors are missing"),
        (lambda s: s.update({"conv_stem.weight": torch.zeros(1)}), "1 have another shape"),
        (lambda s: s.update({"conv_stem.weight": torch.full_like(s["conv_stem.weight"], torch.nan)}), "NaN or infinity"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(tmp_path: Path, change, message: str) -> None:
    state = backbone_state(1)
    change(state)
    save_file(state, tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match=message):
        load_weights(create_network(TINY, 2), str(tmp_path / "w.safetensors"))


def test_files_that_cannot_be_weights(tmp_path: Path) -> None:
    network = create_network(TINY, 2)
    with pytest.raises(WeightsError, match="no such file"):
        load_weights(network, str(tmp_path / "none.pth"))
    (tmp_path / "w.txt").write_text("x")
    with pytest.raises(WeightsError, match="unknown kind of file"):
        load_weights(network, str(tmp_path / "w.txt"))
    (tmp_path / "w.safetensors").write_text("not safetensors")
    with pytest.raises(WeightsError, match="damaged"):
        load_weights(network, str(tmp_path / "w.safetensors"))
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(WeightsError, match="no table of tensors"):
        load_weights(network, str(tmp_path / "list.pth"))


def test_random_weights_say_so() -> None:
    report = load_weights(create_network(TINY, 2), "none")
    assert (report.source, report.share, report.fallback) == ("random", 0.0, False)


def test_fingerprint_changes_with_one_value() -> None:
    state = backbone_state(1)
    before = state_fingerprint(state)
    assert before == state_fingerprint(dict(reversed(state.items())))
    state["conv_stem.weight"].view(-1)[0] += 1e-6
    assert before != state_fingerprint(state)


HUB_SCRIPT = """
import sys
from medclassify.models import create_network, load_weights
print(load_weights(create_network("test_efficientnet.r160_in1k", 2), "imagenet", allow_random="allow" in sys.argv).to_json())
"""


def run_hub(tmp_path: Path, endpoint: str, *words: str) -> subprocess.CompletedProcess[str]:
    names = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "HF_HUB_OFFLINE")
    environment = {name: value for name, value in os.environ.items() if name not in names}
    environment |= {"HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path / "hub"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", HUB_SCRIPT, *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_the_hub_path_downloads_once_and_then_reads_its_cache(tmp_path: Path) -> None:
    save_file(backbone_state(1), tmp_path / "model.safetensors")
    body = (tmp_path / "model.safetensors").read_bytes()
    asked: list[str] = []

    class Hub(http.server.BaseHTTPRequestHandler):
        """Stands in for the hub: one repository, one file."""

        def do_HEAD(self) -> None:
            self.answer(send=False)

        def do_GET(self) -> None:
            self.answer(send=True)

        def answer(self, *, send: bool) -> None:
            asked.append(f"{self.command} {self.path}")
            found = self.path.endswith("/resolve/main/model.safetensors")
            self.send_response(200 if found else 404)
            self.send_header("ETag", '"0123456789abcdef0123456789abcdef01234567"')
            self.send_header("X-Repo-Commit", "0123456789abcdef0123456789abcdef01234567")
            self.send_header("Content-Length", str(len(body) if found else 0))
            self.end_headers()
            if send and found:
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        endpoint = f"http://127.0.0.1:{server.server_port}"
        done = run_hub(tmp_path, endpoint)
        assert done.returncode == 0, done.stderr
        assert "'source': 'hub:timm/test_efficientnet.r160_in1k'" in done.stdout and "'share_loaded': 1.0" in done.stdout
        assert any(line.startswith("GET") and "timm/test_efficientnet.r160_in1k" in line for line in asked)
        server.shutdown()
    again = run_hub(tmp_path, endpoint)  # nobody listens there any more
    assert again.returncode == 0 and "'share_loaded': 1.0" in again.stdout, again.stderr


def test_offline_without_cache_is_one_clear_line_unless_random_weights_are_allowed(tmp_path: Path) -> None:
    nobody = "http://127.0.0.1:9"
    failed = run_hub(tmp_path, nobody)
    assert failed.returncode != 0
    told = "is not cached and cannot be downloaded (no network: the connection is refused or broken). Connect once"
    assert told in failed.stderr.splitlines()[-1]
    unknown = run_hub(tmp_path, "http://nobody.invalid")
    assert "(no network, or the hub's name is not known here)" in unknown.stderr.splitlines()[-1]
    assert "--model.weights FILE.safetensors" in failed.stderr.splitlines()[-1]
    allowed = run_hub(tmp_path, nobody, "allow")
    assert "'fallback': True" in allowed.stdout and "RANDOM initial weights" in allowed.stdout


def test_the_real_imagenet_weights_load_whole(real_data: Path) -> None:
    network = create_network("tf_efficientnetv2_b0", 2)
    report = load_weights(network, str(real_data / "weights" / "tf_efficientnetv2_b0.imagenet_notop.safetensors"))
    assert report.share == 1.0
