"""Attacks on scores and per-item answers."""

from __future__ import annotations

from attacks import attack
from forge import ITEMS, Forged, samples

from ftbench.result import names
from ftbench.result.models import Sample
from ftbench.result.score import score


def right(sample: dict, kind: str = "tuned") -> None:
    sample[kind]["loglikelihoods"][sample["target"]] = -0.001


@attack(sealed="scores-recomputed", keep="scores")
def metric_edited_in_the_summary_only(f: Forged) -> None:
    """Scores of better answers than those in the bundle, consistent in themselves."""
    by_task = {}
    for task in f.world.items:
        name = names.samples_name(task)
        better = [s.model_dump(mode="json") for s in samples.parse(f.files[name], name)]
        for sample in better[:30]:
            right(sample)
        by_task[task] = [Sample.model_validate(s) for s in better]
    with f.result() as result:
        result["scores"] = score(by_task, 0.95).model_dump(mode="json")


@attack(sealed="scores-attainable", raw="scores-attainable", keep="scores")
def metric_no_count_can_give(f: Forged) -> None:
    with f.result() as result:
        result["scores"]["tasks"]["jars"]["tuned"]["value"] = 0.987
        result["scores"]["tasks"]["jars"]["tuned"]["interval"]["high"] = 1.0


@attack(sealed="scores-attainable", raw="scores-attainable", keep="scores")
def mean_edited_alone(f: Forged) -> None:
    with f.result() as result:
        result["scores"]["tuned"] |= {"value": 0.99, "interval": {"low": 0.9, "high": 1.0}}


@attack(sealed="scores-recomputed", keep="scores")
def interval_narrowed(f: Forged) -> None:
    with f.result() as result:
        told = result["scores"]["tuned"]
        told["interval"]["low"] = (told["interval"]["low"] + told["value"]) / 2


@attack(sealed="scores-recomputed", keep="scores")
def p_value_edited(f: Forged) -> None:
    with f.result() as result:
        result["scores"]["difference"]["p_value"] = 1e-9


@attack(sealed="scores-recomputed", keep="scores")
def answer_edited_summary_kept(f: Forged) -> None:
    with f.samples("jars") as answers:
        for sample in answers[:20]:
            right(sample)


@attack(sealed="items-asked", raw="manifest-digests")
def samples_dropped(f: Forged) -> None:
    """The wrongly answered ones go."""
    with f.samples("jars") as answers:
        good = [s for s in answers if max(s["tuned"]["loglikelihoods"]) == s["tuned"]["loglikelihoods"][s["target"]]]
        assert len(good) < len(answers)
        answers[:] = good


@attack(sealed="items-asked")
def samples_dropped_and_renumbered(f: Forged) -> None:
    with f.samples("jars") as answers:
        del answers[3]
        for position, sample in enumerate(answers):
            sample["index"] = position


@attack(sealed="items-asked")
def samples_repeated(f: Forged) -> None:
    """One good answer stands for all the items."""
    with f.samples("jars") as answers:
        right(answers[0])
        answers[:] = [answers[0] | {"index": position} for position in range(ITEMS)]


@attack(sealed="items-asked")
def samples_reordered(f: Forged) -> None:
    with f.samples("jars") as answers:
        answers.reverse()


@attack(sealed="items-asked")
def limit_left_on(f: Forged) -> None:
    with f.samples("jars") as answers:
        del answers[8:]


@attack(sealed="items-asked")
def samples_swapped_between_tasks(f: Forged) -> None:
    one, other = names.samples_name("jars"), names.samples_name("shelves")
    f.files[one], f.files[other] = f.files[other], f.files[one]


@attack(sealed="items-asked")
def samples_of_one_task_copied_to_another(f: Forged) -> None:
    f.files[names.samples_name("shelves")] = f.files[names.samples_name("jars")]


@attack(sealed="prompts-compiled")
def prompt_given_examples(f: Forged) -> None:
    """A few-shot count other than the benchmark's."""
    with f.samples("jars") as answers:
        for sample in answers:
            sample["prompt"] = "jars 0: which? red\n\n" + sample["prompt"]


@attack(sealed="prompts-compiled")
def prompt_has_one_more_space(f: Forged) -> None:
    with f.samples("jars") as answers:
        answers[5]["prompt"] += " "


@attack(sealed="prompts-compiled")
def options_reordered(f: Forged) -> None:
    with f.samples("jars") as answers:
        for sample in answers:
            sample["options"].reverse()
            sample["target"] = len(sample["options"]) - 1 - sample["target"]
            for kind in ("untuned", "tuned"):
                sample[kind]["loglikelihoods"].reverse()


@attack(sealed="prompts-compiled")
def options_fewer(f: Forged) -> None:
    """A wrong option less is an easier question."""
    with f.samples("jars") as answers:
        for sample in answers:
            wrong = (sample["target"] + 1) % len(sample["options"])
            for values in (sample["options"], *(sample[k]["loglikelihoods"] for k in ("untuned", "tuned"))):
                del values[wrong]
            sample["target"] -= wrong < sample["target"]


@attack(sealed="prompts-compiled")
def target_flipped(f: Forged) -> None:
    """What the model answered is declared right."""
    with f.samples("jars") as answers:
        for sample in answers:
            told = sample["tuned"]["loglikelihoods"]
            sample["target"] = told.index(max(told))


@attack(sealed="answers-possible", keep="scores")
def likelihood_above_one(f: Forged) -> None:
    with f.samples("jars") as answers:
        for sample in answers:
            sample["tuned"]["loglikelihoods"][sample["target"]] = 3.0


@attack(sealed="answers-possible", keep="scores")
def likelihoods_left_out(f: Forged) -> None:
    with f.samples("jars") as answers:
        answers[0]["tuned"]["loglikelihoods"] = answers[0]["tuned"]["loglikelihoods"][:1]


@attack(sealed="answers-possible")
def adapter_never_applied(f: Forged) -> None:
    for task in f.world.items:
        with f.samples(task) as answers:
            for sample in answers:
                sample["tuned"] = sample["untuned"]


@attack(sealed="benchmark-named", raw="manifest-complete")
def bad_task_left_out(f: Forged) -> None:
    del f.files[names.samples_name("shelves")]


@attack(sealed=None)
def answers_invented(f: Forged) -> None:
    for task in f.world.items:
        with f.samples(task) as answers:
            for sample in answers:
                right(sample)
