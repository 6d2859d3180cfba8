"""FlowerTune apps of our own, in the shapes that public ones have had: run config or Hydra's files, NumPyClient or
messages, `federations` or a SuperLink's configuration. The prompts are ours; a reference says what is unchanged."""

from __future__ import annotations

import sys
from pathlib import Path

Files = dict[str, str]

PACKAGES = [
    "flwr[simulation]==1.27.0",
    "flwr-datasets==0.6.0",
    "torch==2.9.1",
    "trl==0.8.1",
    "bitsandbytes==0.49.1",
    "peft==0.14.0",
    "transformers==4.53.0",
]
TRAINING = "train.training-arguments"
SETTINGS: dict[str, object] = {
    "model.name": "Qwen/Qwen2.5-0.5B-Instruct",
    "model.quantization": 4,
    "model.gradient-checkpointing": True,
    "model.lora.peft-lora-r": 8,
    "model.lora.peft-lora-alpha": 16,
    "train.learning-rate-max": 5e-5,
    "train.learning-rate-min": 1e-6,
    "train.seq-length": 512,
    "train.training-arguments.output-dir": "",
    "train.training-arguments.learning-rate": "",
    "train.training-arguments.per-device-train-batch-size": 16,
    "train.training-arguments.gradient-accumulation-steps": 1,
    "train.training-arguments.max-steps": 10,
    "train.training-arguments.lr-scheduler-type": "constant",
    "strategy.fraction-train": 0.2,
    "num-server-rounds": 15,
    "static.dataset.name": "flwrlabs/fingpt-sentiment-train",
}

DATASET = '''
from flwr_datasets import FederatedDataset
from flwr_datasets.partitioner import IidPartitioner
from transformers import AutoTokenizer
from trl import DataCollatorForCompletionOnlyLM


def formatting_prompts_func(example):
    """What a client learns from."""
    texts = []
    lead = "A question {of ours} and its answer."
    for i in range(len(example["instruction"])):
        texts.append(f"{lead}\\n# Question\\n{example['instruction'][i]}\\n# Answer {example['response'][i]}")
    return texts


def joined(row):
    row["instruction"] = row["instruction"] + " | " + row["input"]
    return row


def reformat(rows, llm_task):
    rows = rows.rename_column("output", "response")
    if llm_task in ["finance", "code"]:
        rows = rows.map(joined, remove_columns=["input"])
    if llm_task == "medical":
        rows = rows.remove_columns(["instruction"])
        rows = rows.rename_column("input", "instruction")
    return rows


def load_data(partition_id, num_partitions, dataset_name):
    dealt = {"train": IidPartitioner(num_partitions=num_partitions)}
    parts = FederatedDataset(dataset=dataset_name, partitioners=dealt)
    return reformat(parts.load_partition(partition_id, "train"), llm_task="finance")


def collator(model_name):
    tokenizer = AutoTokenizer.from_pretrained(model_name, use_fast=True, padding_side="right")
    return tokenizer, DataCollatorForCompletionOnlyLM("# Answer", tokenizer=tokenizer)
'''

MODELS = """
import math

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, BitsAndBytesConfig


def rate_of(current, whole, top=0.001, bottom=0.0):
    return bottom + 0.5 * (top - bottom) * (1 + math.cos(math.pi * current / whole))


def get_model(model_cfg):
    if model_cfg.quantization == 4:
        held = BitsAndBytesConfig(load_in_4bit=True)
    elif model_cfg.quantization == 8:
        held = BitsAndBytesConfig(load_in_8bit=True)
    else:
        raise ValueError(model_cfg.quantization)
    model = AutoModelForCausalLM.from_pretrained(
        model_cfg.name, quantization_config=held, torch_dtype=torch.bfloat16
    )
    adapter = LoraConfig(
        r=model_cfg.lora.peft_lora_r,
        lora_alpha=model_cfg.lora.peft_lora_alpha,
        lora_dropout=0.075,
        task_type="CAUSAL_LM",
    )
    return get_peft_model(model, adapter)
"""

CLIENT = """
from flwr.app import ArrayRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.common.config import unflatten_dict
from omegaconf import DictConfig
from transformers import TrainingArguments
from trl import SFTTrainer

from mine.dataset import collator, formatting_prompts_func, load_data, replace_keys
from mine.models import get_model, rate_of

app = ClientApp()


@app.train()
def train(msg: Message, context: Context):
    cfg = DictConfig(replace_keys(unflatten_dict(context.run_config)))
    arguments = TrainingArguments(**cfg.train.training_arguments)
    node = context.node_config
    rows = load_data(node["partition-id"], node["num-partitions"], cfg.static.dataset.name)
    tokenizer, collate = collator(cfg.model.name)
    model = get_model(cfg.model)
    arguments.learning_rate = rate_of(
        msg.content["config"]["server-round"],
        context.run_config["num-server-rounds"],
        cfg.train.learning_rate_max,
        cfg.train.learning_rate_min,
    )
    SFTTrainer(model=model, tokenizer=tokenizer, args=arguments, max_seq_length=cfg.train.seq_length,
               train_dataset=rows, formatting_func=formatting_prompts_func, data_collator=collate).train()
    return Message(content=RecordDict({"arrays": ArrayRecord({})}), reply_to=msg)
"""

SERVER = """
from flwr.common.config import unflatten_dict
from flwr.serverapp import Grid, ServerApp
from omegaconf import DictConfig

from mine.dataset import replace_keys
from mine.strategy import Tracked

app = ServerApp()


@app.main()
def main(grid: Grid, context) -> None:
    cfg = DictConfig(replace_keys(unflatten_dict(context.run_config)))
    strategy = Tracked(fraction_train=cfg.strategy.fraction_train, fraction_evaluate=0.0)
    strategy.start(grid=grid, num_rounds=context.run_config["num-server-rounds"])
"""

STRATEGY = """
from flwr.serverapp.strategy import FedAvg


class Tracked(FedAvg):
    def aggregate_train(self, server_round, replies):
        print(server_round)
        return super().aggregate_train(server_round, replies)
"""

SUPERLINK = """
[superlink]
default = "flowertune"

[superlink.flowertune]
options.num-supernodes = 50
"""

OLD_CLIENT = """
from flwr.client import ClientApp, NumPyClient
from flwr.common.config import unflatten_dict
from omegaconf import DictConfig
from transformers import TrainingArguments
from trl import SFTTrainer

from mine.dataset import collator, formatting_prompts_func, load_data, replace_keys
from mine.models import get_model, rate_of


class Client(NumPyClient):
    def __init__(self, model_cfg, train_cfg, rows, tokenizer, collate, num_rounds):
        self.train_cfg = train_cfg
        self.training_arguments = TrainingArguments(**train_cfg.training_arguments)
        self.model = get_model(model_cfg)
        self.num_rounds = num_rounds
        self.rows = rows

    def fit(self, parameters, config):
        now = rate_of(
            int(config["current_round"]),
            self.num_rounds,
            self.train_cfg.learning_rate_max,
            self.train_cfg.learning_rate_min,
        )
        self.training_arguments.learning_rate = now
        SFTTrainer(model=self.model, args=self.training_arguments, max_seq_length=self.train_cfg.seq_length,
                   train_dataset=self.rows, formatting_func=formatting_prompts_func).train()
        return [], len(self.rows), {}


def client_fn(context):
    cfg = DictConfig(replace_keys(unflatten_dict(context.run_config)))
    rows = load_data(0, 50, cfg.static.dataset.name)
    tokenizer, collate = collator(cfg.model.name)
    return Client(cfg.model, cfg.train, rows, tokenizer, collate, context.run_config["num-server-rounds"]).to_client()


app = ClientApp(client_fn)
"""

OLD_SERVER = """
from flwr.common.config import unflatten_dict
from flwr.server import ServerApp, ServerAppComponents, ServerConfig
from omegaconf import DictConfig

from mine.dataset import replace_keys
from mine.strategy import KINDS


def server_fn(context):
    cfg = DictConfig(replace_keys(unflatten_dict(context.run_config)))
    kind = KINDS[cfg.strategy.name]
    strategy = kind(fraction_fit=cfg.strategy.fraction_fit, fraction_evaluate=0.0)
    rounds = context.run_config["num-server-rounds"]
    return ServerAppComponents(strategy=strategy, config=ServerConfig(num_rounds=rounds))


app = ServerApp(server_fn=server_fn)
"""

OLD_STRATEGY = """
from flwr.server.strategy import FedAdam, FedAvg, FedAvgM, FedProx


class Plain(FedAvg):
    pass


class Near(FedProx):
    def __init__(self, **kwargs):
        super().__init__(proximal_mu=1.0, **kwargs)


class Heavy(FedAvgM):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)


class Adaptive(FedAdam):
    def __init__(self, **kwargs):
        super().__init__(eta=0.01, **kwargs)


class Own(FedAvg):
    def aggregate_fit(self, server_round, results, failures):
        return results[0], {}


KINDS = {"fedavg": Plain, "fedprox": Near, "fedavgm": Heavy, "fedadam": Adaptive, "own": Own}
"""

SCORER = """
def get_prediction(text):
    return "yes" if "yes" in text.lower() else "no"


def score(texts, answers):
    return sum(get_prediction(text) == answer for text, answer in zip(texts, answers)) / len(answers)
"""


def toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else repr(value)


def project(settings: dict[str, object], *, packages: list[str] = PACKAGES, flat: bool = False, tail: str = "") -> str:
    """`pyproject.toml`. `flat`: names are quoted whole; else a table for each block, as dotted keys."""
    lines = ["[project]", 'name = "my-app"', 'version = "1.0.0"', f"dependencies = {packages!r}", "", "[tool.flwr.app]"]
    lines += ['publisher = "me"', "", "[tool.flwr.app.components]", 'serverapp = "mine.server_app:app"']
    lines += ['clientapp = "mine.client_app:app"', "", "[tool.flwr.app.config]"]
    if flat:
        lines += [f'"{name}" = {toml(value)}' for name, value in settings.items()]
        return "\n".join(lines) + "\n" + tail
    top = {name: value for name, value in settings.items() if "." not in name}
    lines += [f"{name} = {toml(value)}" for name, value in top.items()]
    for block in dict.fromkeys(name.partition(".")[0] for name in settings if "." in name):
        lines += ["", f"[tool.flwr.app.config.{block}]"]
        inner = {name.partition(".")[2]: value for name, value in settings.items() if name.startswith(f"{block}.")}
        lines += [f"{name} = {toml(value)}" for name, value in inner.items()]
    return "\n".join(lines) + "\n" + tail


FEDERATIONS = """
[tool.flwr.federations]
default = "local-simulation"

[tool.flwr.federations.local-simulation]
options.num-supernodes = 50
"""


def messages(settings: dict[str, object] | None = None, **more: str) -> Files:
    """The newest shape: messages, and a SuperLink's configuration beside it."""
    files = {
        "pyproject.toml": project(SETTINGS | (settings or {})),
        ".flwr/config.toml": SUPERLINK,
        "mine/__init__.py": "",
        "mine/dataset.py": DATASET,
        "mine/models.py": MODELS,
        "mine/client_app.py": CLIENT,
        "mine/server_app.py": SERVER,
        "mine/strategy.py": STRATEGY,
    }
    return files | more


def numpy_clients(settings: dict[str, object] | None = None, **more: str) -> Files:
    """The shape before: NumPyClient, a table of strategies, `federations`, names quoted whole."""
    old = {name: value for name, value in SETTINGS.items() if name != "strategy.fraction-train"}
    old |= {"strategy.fraction-fit": 0.2, "strategy.name": "fedavg"} | (settings or {})
    files = messages() | {
        "pyproject.toml": project(old, flat=True, tail=FEDERATIONS),
        "mine/client_app.py": OLD_CLIENT,
        "mine/server_app.py": OLD_SERVER,
        "mine/strategy.py": OLD_STRATEGY,
    }
    del files[".flwr/config.toml"]
    return files | more


HYDRA_PROJECT = f"""
[project]
name = "my-app"
version = "1.0.0"
dependencies = {PACKAGES!r}

[flower]
publisher = "me"

[flower.components]
serverapp = "mine.app:server"
clientapp = "mine.app:client"

[flower.engine.simulation.supernode]
num = 50
"""

HYDRA_CONFIG = """
model:
  name: "Qwen/Qwen2.5-0.5B-Instruct"
  quantization: 4
  lora:
    peft_lora_r: 8
    peft_lora_alpha: 16
train:
  num_rounds: null
  learning_rate_max: 5e-5
  learning_rate_min: 1e-6
  seq_length: 512
  training_arguments:
    output_dir: null
    learning_rate: null
    per_device_train_batch_size: 8
    gradient_accumulation_steps: 2
    max_steps: 10
    lr_scheduler_type: "constant"
strategy:
  _target_: flwr.server.strategy.FedAvg
  fraction_fit: 0.2
"""

HYDRA_STATIC = """
dataset:
  name: flwrlabs/fingpt-sentiment-train
num_clients: 50
num_rounds: 15
partitioner:
  _target_: flwr_datasets.partitioner.IidPartitioner
  num_partitions: 50
"""

HYDRA_APP = """
from flwr.client import ClientApp
from flwr.server import ServerApp, ServerConfig
from hydra import compose, initialize
from hydra.utils import instantiate

from mine.client_app import client_fn

with initialize(config_path="conf", version_base="1.1"):
    cfg = compose(config_name="config")
client = ClientApp(client_fn=client_fn)
strategy = instantiate(cfg.strategy)
server = ServerApp(config=ServerConfig(num_rounds=15), strategy=strategy)
"""


def hydra() -> Files:
    """The first shape: `[flower]`, and Hydra's files for the configuration."""
    client = OLD_CLIENT.replace("        self.num_rounds = num_rounds\n", "").replace(
        "self.num_rounds,", "self.train_cfg.num_rounds,"
    )
    return {
        "pyproject.toml": HYDRA_PROJECT,
        "mine/__init__.py": "",
        "mine/app.py": HYDRA_APP,
        "mine/conf/config.yaml": HYDRA_CONFIG,
        "mine/conf/static_config.yaml": HYDRA_STATIC,
        "mine/dataset.py": DATASET,
        "mine/models.py": MODELS,
        "mine/client_app.py": client,
    }


def write(files: Files, folder: Path) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def walkthrough(folder: Path) -> None:
    """What docs/walkthroughs/flowertune.md begins with: an app, its log, and answers that its evaluation recorded."""
    import json

    from ftbench.data.store import Store
    from ftbench.recorded.scoring import items_of, task_named
    from ftbench.spec.load import find_spec, load_pins, load_spec

    line = "Communication budget: used {:.2f} MB (+{:.2f} MB this round) / 200,000 MB"
    log = "\n".join(line.format(20.64 * step, 20.64) for step in range(1, 31))
    files = numpy_clients(
        {"strategy.name": "fedprox", f"{TRAINING}.bf16": True, f"{TRAINING}.optim": "paged_adamw_8bit"}
    )
    write(files | {"results/run.log": log + "\n"}, folder)
    spec = load_spec(find_spec("micro/finance"))
    task = task_named(spec.spec, "fiqa", folder)
    answers = [
        {
            "context": item.prompt,
            "target": item.options[item.target or 0].strip(),
            "new_target": item.options[item.target or 0].strip(),
        }
        | {"new_out": ("negative", "neutral", "positive")[number % 3]}
        for number, item in enumerate(items_of(task, load_pins(spec.path), Store.default(None)))
    ]
    text = "".join(json.dumps(answer) + "\n" for answer in answers)
    (folder / "results" / "generation_fiqa_fl.jsonl").write_text(text)
    _checkpoint(folder / "results" / "peft_15")


def _checkpoint(folder: Path) -> None:
    """An untrained adapter of the micro model, as older versions of peft saved one."""
    import json

    import torch

    from ftbench.base_models.adapters import shapes
    from ftbench.base_models.catalogue import find_base_model

    wanted = shapes(find_base_model("builtin/micro-domains").architecture, "lora", 2, ["q_proj", "v_proj"])
    folder.mkdir(parents=True)
    torch.save({name: torch.zeros(shape) for name, shape in wanted.items()}, folder / "adapter_model.bin")
    config = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": 2, "lora_alpha": 4, "lora_dropout": 0.0}
    config |= {"target_modules": ["q_proj", "v_proj"], "base_model_name_or_path": "builtin/micro-domains"}
    (folder / "adapter_config.json").write_text(json.dumps(config))


if __name__ == "__main__":
    walkthrough(Path(sys.argv[1]))
