"""Attacks on scores and per-item answers."""

from __future__ import annotations

from attacks import attack
from forge import ITEMS, Forged, program, samples

from ftbench.result import names
from ftbench.result.documents import Sample
from ftbench.result.score import score
from ftbench.spec.canonical import sha256


def right(sample: dict, kind: str = "tuned") -> None:
    if sample["target"] is None:
        sample[kind] |= {"text": program(sample["index"]), "passed": True, "status": "passed"}
    else:
        sample[kind]["loglikelihoods"] = [-8.0 - n for n in range(len(sample["options"]))]
        sample[kind]["loglikelihoods"][sample["target"]] = -0.001


@attack(sealed="documents-parse", raw="documents-parse")
def words_beside_the_samples(f: Forged) -> None:
    """A gzip header takes names and comments of any length."""
    name = names.samples_name("jars")
    data = f.files[name]
    f.files[name] = data[:3] + b"\x10" + data[4:10] + b"prompts and weights of somebody\0" + data[10:]


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
        result["scores"] = score(by_task, f.world.spec.evaluation).model_dump(mode="json")


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
            models = [sample["untuned"], sample["tuned"], *sample["references"].values()]
            for values in (sample["options"], *(model["loglikelihoods"] for model in models)):
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
def likelihood_that_no_float32_holds(f: Forged) -> None:
    """It is below 0 and finite: a difference of two such is not, and a page shows three hundred digits."""
    with f.samples("jars") as answers:
        for sample in answers[:2]:
            sample["untuned"]["loglikelihoods"][sample["target"]] = -1.5e308


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


@attack(sealed="scores-recomputed", keep="scores")
def text_edited_summary_kept(f: Forged) -> None:
    """The score of what was written is told as before; the text says otherwise."""
    with f.samples("jars") as answers:
        for sample in answers:
            sample["tuned"]["text"] = " I cannot tell"


@attack(sealed="scores-recomputed", keep="scores")
def unparsable_counted_as_a_class(f: Forged) -> None:
    """Silence is told as a right answer of some class."""
    with f.result() as result:
        told = result["scores"]["tasks"]["jars"]["also"]["generated"]
        silent = told["tuned"]["unparsable"]
        assert silent
        told["tuned"] |= {"unparsable": 0}


@attack(sealed="scores-recomputed", keep="scores")
def incumbents_score_told_as_generated(f: Forged) -> None:
    with f.result() as result:
        told = result["scores"]["tasks"]["jars"]["also"]
        told["flowertune"], told["generated"] = told["generated"], told["flowertune"]


@attack(sealed="scores-recomputed", keep="scores")
def majority_told_lower(f: Forged) -> None:
    """A constant answer is to look like a gain."""
    with f.result() as result:
        result["scores"]["tasks"]["jars"]["majority"] |= {"correct": 1, "value": 1 / ITEMS}
        result["scores"]["majority"] = 1 / ITEMS


@attack(sealed="scores-recomputed", keep="scores")
def majority_left_out(f: Forged) -> None:
    """As a result of before would have it."""
    with f.result() as result:
        for task in result["scores"]["tasks"].values():
            task["majority"] = None
        result["scores"]["majority"] = None


@attack(sealed="scores-recomputed", keep="scores")
def options_told_more_evenly(f: Forged) -> None:
    with f.result() as result:
        result["scores"]["tasks"]["jars"]["tuned"]["options"] |= {"macro_f1": 0.99, "balanced": 0.99}


@attack(sealed="scores-recomputed", keep="scores")
def untuned_said_to_have_written_an_option(f: Forged) -> None:
    with f.result() as result:
        result["scores"]["tasks"]["jars"]["written"] |= {"text": "red", "option": 0}


@attack(sealed="prompts-compiled")
def prompt_given_a_line_break_at_its_end(f: Forged) -> None:
    """After one a model writes nothing: the untuned one is to look worse."""
    with f.samples("sums") as answers:
        answers[0]["prompt"] += "\n"


@attack(sealed="scores-recomputed", keep="scores")
def another_scoring_ranks(f: Forged) -> None:
    with f.result() as result:
        result["scores"]["tasks"]["jars"]["scoring"] = "generated"


@attack(sealed="answers-possible", keep="scores")
def text_left_out(f: Forged) -> None:
    with f.samples("jars") as answers:
        answers[0]["tuned"]["text"] = None


@attack(sealed="answers-possible", keep="scores")
def status_edited_alone(f: Forged) -> None:
    with f.samples("sums") as answers:
        answers[1]["tuned"]["status"] = "passed"


@attack(sealed="programs-rerun")
def failed_program_told_to_have_passed(f: Forged) -> None:
    with f.samples("sums") as answers:
        answers[1]["tuned"] |= {"passed": True, "status": "passed"}


@attack(sealed="programs-rerun")
def untuned_program_told_to_have_failed(f: Forged) -> None:
    """A gain is made by making the start worse."""
    with f.samples("sums") as answers:
        answers[2]["untuned"]["text"] = program(2)


@attack(sealed="programs-rerun")
def program_that_ends_before_its_tests(f: Forged) -> None:
    with f.samples("sums") as answers:
        answers[1]["tuned"] |= {"text": "import os\nos._exit(0)", "passed": True, "status": "passed"}


@attack(sealed="programs-rerun")
def program_that_raises_stop_iteration(f: Forged) -> None:
    """It ended the chain of steps in the sandbox of 0.1, and was told as passed in an honest run."""
    with f.samples("sums") as answers:
        answers[1]["tuned"] |= {"text": "def f():\n    return next(iter([]))", "passed": True, "status": "passed"}


@attack(sealed="programs-rerun")
def program_whose_result_equals_everything(f: Forged) -> None:
    """The sandbox of 0.1 believed it, in the verifier as well."""
    text = "class A:\n    def __eq__(self, other):\n        return True\n\n\ndef f():\n    return A()"
    with f.samples("sums") as answers:
        answers[1]["tuned"] |= {"text": text, "passed": True, "status": "passed"}


@attack(sealed="programs-rerun")
def failure_told_as_no_plain_data(f: Forged) -> None:
    """A wrong answer is to look like one that could not be read."""
    with f.samples("sums") as answers:
        answers[1]["tuned"]["status"] = "not-plain"


@attack(sealed="programs-rerun")
def no_word_of_the_sandbox(f: Forged) -> None:
    with f.result() as result:
        result["sandbox"] = None


@attack(sealed="scores-recomputed", keep="scores")
def reference_made_worse(f: Forged) -> None:
    """The centralised reference looks beaten: every number is consistent, and none follows from the samples."""
    with f.result() as result:
        scores = result["scores"]
        for task in scores["tasks"].values():
            items = task["references"]["centralised"]["items"]
            nothing = {"correct": 0, "value": 0.0, "interval": {"low": 0.0, "high": 0.2}, "unparsable": 0}
            task["references"]["centralised"] = {"items": items, **nothing}
        scores["references"]["centralised"] = {"value": 0.0, "interval": {"low": 0.0, "high": 0.2}}


@attack(sealed="scores-attainable", raw="scores-attainable", keep="scores")
def reference_mean_edited_alone(f: Forged) -> None:
    with f.result() as result:
        result["scores"]["references"]["centralised"] = {"value": 0.01, "interval": {"low": 0.0, "high": 0.2}}


@attack(sealed="answers-possible", keep="scores")
def reference_left_out_of_some_samples(f: Forged) -> None:
    with f.samples("jars") as answers:
        answers[7]["references"] = {}


@attack(sealed="references-named")
def reference_left_out(f: Forged) -> None:
    with f.result() as result:
        result["references"] = {}
    for task in f.world.items:
        with f.samples(task) as answers:
            for sample in answers:
                sample["references"] = {}


@attack(sealed="references-named", keep="adapter")
def reference_is_the_tuned_adapter(f: Forged) -> None:
    with f.result() as result:
        result["references"]["centralised"] = result["adapter"]


@attack(sealed="benchmark-named", raw="manifest-complete")
def bad_task_left_out(f: Forged) -> None:
    del f.files[names.samples_name("shelves")]


@attack(sealed=None)
def answers_invented(f: Forged) -> None:
    for task in f.world.items:
        with f.samples(task) as answers:
            for sample in answers:
                right(sample)


@attack(sealed="text-withheld")
def questions_hidden_though_nothing_forbids_to_show_them(f: Forged) -> None:
    """So that nobody sees at a glance what was asked."""
    with f.samples("jars") as lines:
        for line in lines:
            line["prompt"] = {"sha256": sha256(line["prompt"].encode())}


@attack(sealed="text-withheld")
def format_of_a_bundle_that_withholds(f: Forged) -> None:
    with f.result() as result:
        result["format"] = "ftbench/result/v2"
