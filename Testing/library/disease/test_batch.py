import json
import os
import pickle
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from FlareSegLib.disease import catalogue
from FlareSegLib.disease.batch import PLAN_FILE, Plan, run_batch, variant_seed
from FlareSegLib.disease.datasets import LAYOUTS, plan_items, splits, write_nifti
from FlareSegLib.disease.mix import Entry, Mix, mix_text
from FlareSegLib.disease.recipe import read_recipe
from FlareSegLib.disease.simulation import replay, simulate
from FlareSegLib.disease.sources import SourceCase, find_sources, load
from FlareSegLib.errors import FlareSegError
from FlareSegLib.jobs.staging import PREFIX
from FlareSegLib.phantom.phantom import make_phantom
from FlareSegLib.training.raw_checks import check_dataset
from FlareSegLib.training.raw_data import find_raw_dataset
from FlareSegLib.volumes.reading import read_label_map, read_volume

LITTLE_MIX = Mix((Entry("ball", 2), Entry("balls", 1)), (1, 2))
CYSTS = Mix((Entry("renal_cyst", 1, count=(1, 2)), Entry("hypo_metastasis", 1)), (1, 1))


@pytest.fixture(scope="session")
def dataset(tmp_path_factory):
    """Two small cases as nnU-Net v2 keeps them; one is stored from anterior to posterior and from left to right."""
    folder = tmp_path_factory.mktemp("raw ž")
    for number in range(2):
        phantom = make_phantom(number, (80, 64, 24), (4.5, 4.5, 8.0))
        for name, volume in ((f"imagesTr/case{number}_0000.nii.gz", phantom.ct),
                             (f"labelsTr/case{number}.nii.gz", phantom.label_map)):
            if number:
                volume = replace(volume, array=volume.array[:, ::-1, ::-1], direction=(-1, 0, 0, 0, -1, 0, 0, 0, 1))
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            write_nifti(volume, path)
    (folder / "dataset.json").write_text(json.dumps({
        "channel_names": {"0": "CT"}, "file_ending": ".nii.gz", "numTraining": 2,
        "labels": {"background": 0, "liver": 1, "kidney": 2, "spleen": 3, "pancreas": 4}}), encoding="utf-8")
    return folder


def plan(dataset, out, model=LITTLE_MIX, layout="v2", **settings):
    return Plan(find_sources([dataset]), out, LAYOUTS[layout], model, **{"variants": 2, "seed": 7, **settings})


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*"))
            if path.is_file()}


@pytest.fixture(scope="module")
def made(dataset, tmp_path_factory, little):
    """A finished batch."""
    out = tmp_path_factory.mktemp("out") / "Dataset501_Simulated"
    calls = []
    outcome = run_batch(plan(dataset, out), little, progress=lambda done, total: calls.append((done, total)))
    return out, outcome, calls


def test_the_new_data_set_can_be_trained_on(made):
    out, outcome, calls = made
    found = find_raw_dataset(out)
    check_dataset(found)
    assert found.layout == "nnU-Net v2"
    assert [case.name for case in found.cases] == [f"case{n}{end}" for n in (0, 1)
                                                   for end in ("", "_sim000", "_sim001")]
    assert (outcome.made, outcome.kept, outcome.failed) == (6, 0, ())
    assert calls == [(n, 6) for n in range(7)]
    assert (out / "contact_sheet_01.png").is_file() and json.loads((out
                                                                    / "dataset.json").read_text())["numTraining"] == 6


def test_originals_are_as_they_were_and_variants_on_their_grid(dataset, made):
    out, *_ = made
    for name in ("case0", "case1"):
        for read, folder, end in ((read_volume, "imagesTr", "_0000.nii.gz"), (read_label_map, "labelsTr", ".nii.gz")):
            source, original, variant = (read(root / folder / f"{name}{middle}{end}")
                                         for root, middle in ((dataset, ""), (out, ""), (out, "_sim000")))
            assert np.array_equal(source.array, original.array)
            assert variant.array.shape == source.array.shape and variant.direction == pytest.approx(source.direction)
            assert variant.origin == pytest.approx(source.origin, abs=1e-3)
        assert not np.array_equal(read_volume(out / f"imagesTr/{name}_sim000_0000.nii.gz").array,
                                  read_volume(out / f"imagesTr/{name}_sim001_0000.nii.gz").array)


def test_a_recipe_in_the_folder_makes_its_case_again(dataset, made, little):
    out, *_ = made
    for source in find_sources([dataset]):
        loaded = load(source)
        again = replay(read_recipe(out / f"recipes/{source.name}_sim001.json", little), loaded.case, little)
        image, labels = again.volumes(loaded.order, loaded.ct)
        assert np.array_equal(image.array, read_volume(out / f"imagesTr/{source.name}_sim001_0000.nii.gz").array)
        assert np.array_equal(labels.array, read_label_map(out / f"labelsTr/{source.name}_sim001.nii.gz").array)


def test_the_header_says_that_it_is_synthetic(made, little):
    import SimpleITK as sitk

    out, *_ = made
    note = sitk.ReadImage(str(out / "imagesTr/case0_sim000_0000.nii.gz")).GetMetaData("descrip")
    assert note == f"FlareSeg synthetic {read_recipe(out / 'recipes/case0_sim000.json', little).sha256[:16]}"


def test_what_is_missing_is_made_again_the_same(made, dataset, little):
    out, *_ = made
    before = files(out)
    (out / "recipes/case0_sim001.json").unlink()
    (out / "imagesTr/case1_0000.nii.gz").write_bytes(b"")
    (out / "labelsTr/case1.nii.gz").unlink()
    (out / "imagesTr" / f"{PREFIX}0123").mkdir()
    outcome = run_batch(plan(dataset, out), little)
    assert (outcome.made, outcome.kept) == (2, 4)
    assert files(out) == before and not (out / "imagesTr" / f"{PREFIX}0123").exists()


def test_other_settings_and_other_folders_are_refused(made, dataset, tmp_path, little):
    out, *_ = made
    before = files(out)
    for other in (plan(dataset, out, seed=8), plan(dataset, out, layout="v1"),
                  plan(dataset, out, Mix((Entry("ball", 1),)))):
        with pytest.raises(FlareSegError) as caught:
            run_batch(other, little)
        assert caught.value.code == "output_exists"
    assert files(out) == before
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(FlareSegError) as caught:
        run_batch(plan(dataset, tmp_path), little)
    assert caught.value.code == "output_exists" and files(tmp_path) == {"mine.txt": b"mine"}


def test_variants_like_a_recipe(dataset, tmp_path, little, ball):
    loaded = load(find_sources([dataset])[0])
    recipe = simulate(loaded.case, [ball(loaded.case, "spleen", hu=10.0)], little).recipe()
    run_batch(plan(dataset, tmp_path / "out", recipe), little)
    for path in sorted((tmp_path / "out/recipes").iterdir()):
        operation, = read_recipe(path, little).operations
        assert operation.organ == "spleen" and 8 <= operation.parameters.hu <= 12


def test_flare_and_v1_names(dataset, tmp_path, little):
    run_batch(plan(dataset, tmp_path / "flare", layout="flare", originals=False), little)
    found = find_raw_dataset(tmp_path / "flare")
    assert found.layout == "FLARE21" and [case.name for case in found.cases] == [f"train_{n:03}" for n in range(4)]
    mapping = json.loads((tmp_path / "flare/cases.json").read_text())
    assert [(entry["case"], entry["variant"]) for entry in mapping] == [("case0", 0), ("case0", 1), ("case1", 0),
                                                                        ("case1", 1)]
    run_batch(plan(dataset, tmp_path / "v1", layout="v1", variants=1), little)
    assert find_raw_dataset(tmp_path / "v1").layout == "nnU-Net v1"
    description = json.loads((tmp_path / "v1/dataset.json").read_text())
    assert description["training"][1] == {"image": "./imagesTr/case0_sim000.nii.gz",
                                          "label": "./labelsTr/case0_sim000.nii.gz"}
    folds = pickle.loads((tmp_path / "v1/splits_final.pkl").read_bytes())
    assert [{part: names.tolist() for part, names in fold.items()} for fold in folds] \
        == json.loads((tmp_path / "v1/splits_final.json").read_text())
    assert {"case0", "case0_sim000"} in [set(fold["val"]) for fold in folds]


def test_a_patients_cases_stay_in_one_fold():
    sources = tuple(SourceCase(f"c{n:02}", f"p{n % 7}", Path("i"), Path("l")) for n in range(20))
    items = plan_items(sources, 3, True, LAYOUTS["v2"])
    folds = splits(items, [source.patient for source in sources])
    patient = {item.name: item.source.patient for item in items}
    assert len(folds) == 5
    assert sorted(name for fold in folds for name in fold["val"]) == sorted(patient)
    for fold in folds:
        assert not {patient[name] for name in fold["val"]} & {patient[name] for name in fold["train"]}
        assert len(fold["val"]) + len(fold["train"]) == len(items)
    assert splits(items[:4], ["p0"]) is None


def test_a_simulated_data_set_tells_whose_its_cases_are(made):
    out, *_ = made
    assert {source.name: source.patient for source in find_sources([out])} == {
        name: name[:5] for name in ("case0", "case0_sim000", "case0_sim001", "case1", "case1_sim000", "case1_sim001")}


def test_seeds_differ_by_case_number_and_seed():
    assert len({variant_seed(s, c, n) for s in (0, 1) for c in ("a", "a1", "b") for n in (0, 1, 11)}) == 18
    assert variant_seed(0, "case", 0) == variant_seed(0, "case", 0) < 2**64


def test_a_bad_case_does_not_stop_the_others(dataset, tmp_path, little):
    bad = plan(dataset, tmp_path / "out", variants=1)
    empty = tmp_path / "labels.nii.gz"
    labels = read_label_map(bad.sources[0].labels)
    write_nifti(labels.with_array(np.zeros_like(labels.array)), empty)
    bad = replace(bad, sources=(replace(bad.sources[0], labels=empty), bad.sources[1]))
    outcome = run_batch(bad, little)
    assert len(outcome.failed) == 1 and outcome.failed[0].startswith("case0:")
    assert [case.name for case in find_raw_dataset(tmp_path / "out").cases] == ["case1", "case1_sim000"]


def test_where_nothing_could_be_used_the_folder_is_free_again(dataset, tmp_path, little):
    """Given the wrong way round, then the right way: the same folder serves."""
    good = plan(dataset, tmp_path / "out", variants=1)
    wrong = replace(good, sources=tuple(replace(each, image=each.labels, labels=each.image) for each in good.sources))
    outcome = run_batch(wrong, little)
    assert (outcome.made, len(outcome.failed)) == (0, 2) and not (tmp_path / "out").exists()
    assert run_batch(replace(good, seed=8), little).made == 4


def test_sources_are_told_apart(dataset, tmp_path):
    image, labels = dataset / "imagesTr/case0_0000.nii.gz", dataset / "labelsTr/case0.nii.gz"
    assert [source.name for source in find_sources([image, labels])] == ["case0"]
    patients = tmp_path / "patients.json"
    patients.write_text('{"case0": "A", "case1": "A"}')
    assert {source.patient for source in find_sources([dataset], patients)} == {"A"}
    patients.write_text('{"case7": "A"}')
    for paths, file in (([image], None), ([image, labels] * 2, None), ([dataset], patients), ([tmp_path / "no"], None)):
        with pytest.raises(FlareSegError):
            find_sources(paths, file)


def test_a_killed_run_goes_on_with_any_number_of_processes(dataset, tmp_path):
    """Nothing is half-written, nothing made twice, and the end is that of one undisturbed process."""
    mix = tmp_path / "mix.json"
    mix.write_text(mix_text(CYSTS))
    out = tmp_path / "out"
    command = [sys.executable, "-c", "import sys; from FlareSegLib.cli.main import main; sys.exit(main(sys.argv[1:]))",
               "simulate", str(dataset), "-o", str(out), "--mix", str(mix), "--variants", "4", "--seed", "7", "--jobs",
               "2",
               "--quiet"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=environment)
    deadline = time.monotonic() + 60
    while len(list(out.glob("recipes/*.json"))) < 2 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    time.sleep(1.0)  # the processes of a pool end themselves
    there = sorted(path.stem for path in out.glob("recipes/*.json"))
    assert 2 <= len(there) < 8, "killed too late to show anything"
    for name in there:
        read_volume(out / f"imagesTr/{name}_0000.nii.gz")
        read_label_map(out / f"labelsTr/{name}.nii.gz")
    written = {path: path.stat().st_mtime_ns for path in out.glob("recipes/*.json")}
    assert subprocess.run(command, env=environment).returncode == 0
    assert all(path.stat().st_mtime_ns == time_ns for path, time_ns in written.items())
    run_batch(plan(dataset, tmp_path / "whole", CYSTS, variants=4), catalogue.find)
    assert files(out) == files(tmp_path / "whole")
    assert PLAN_FILE in files(out)
