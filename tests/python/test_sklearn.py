"""CNNClassifier as an estimator of scikit-learn."""

import pickle
import subprocess
import sys

import numpy as np
import pytest

import fastcnn
from fastcnn import _core, nn
from fastcnn.data import load

pytest.importorskip("sklearn", reason="needs scikit-learn, an extra: fastcnn[sklearn]")

import joblib
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from fastcnn.sklearn import CNNClassifier

DIGITS = load("digits")
IMAGES, LABELS = DIGITS.train.images[:600], DIGITS.train.labels[:600]
ROWS = IMAGES.reshape(600, 64)


@pytest.fixture
def native_gemm():
    """A BLAS may round a row by its place in the batch."""
    before = _core.gemm_provider()
    _core.set_gemm_provider("native")
    yield
    _core.set_gemm_provider(before)


@pytest.mark.usefixtures("native_gemm")
@parametrize_with_checks([CNNClassifier()])
def test_scikit_learns_checks_pass(estimator, check):
    check(estimator)


def tiny(image_shape, num_classes):
    channels, height, width = image_shape
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * height * width, num_classes))


@pytest.fixture(scope="module")
def fitted():
    return CNNClassifier(epochs=10, random_state=0).fit(ROWS, LABELS)


def test_rows_and_arrays_of_images_are_the_same(fitted):
    assert fitted.image_shape_ == (1, 8, 8) and fitted.n_features_in_ == 64
    assert fitted.score(DIGITS.test.images.reshape(-1, 64), DIGITS.test.labels) > 0.93
    for X in (IMAGES, IMAGES[:, None]):
        other = CNNClassifier(epochs=10, random_state=0).fit(X, LABELS)
        np.testing.assert_array_equal(other.predict_proba(X), fitted.predict_proba(ROWS))
    with pytest.raises(ValueError, match=r"images are \(4, 4, 4\), expected \(1, 8, 8\)"):
        fitted.predict(IMAGES.reshape(-1, 4, 4, 4))


@pytest.mark.usefixtures("native_gemm")
def test_probabilities_do_not_depend_on_the_other_images(fitted):
    whole = fitted.predict_proba(ROWS[:50])
    np.testing.assert_array_equal(fitted.predict_proba(ROWS[7:8]), whole[7:8])
    np.testing.assert_array_equal(fitted.predict_proba(ROWS[:50][::-1]), whole[::-1])


def test_labels_may_be_strings():
    names = np.array(DIGITS.class_names)[LABELS]
    model = CNNClassifier(epochs=2, random_state=0).fit(ROWS, names)
    assert model.predict(ROWS[:3]).dtype == names.dtype and list(model.classes_) == list("0123456789")


def test_colour_images_by_image_shape():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 90)
    images = rng.random((90, 3, 4, 5))
    images[np.arange(90), labels] += 1
    model = CNNClassifier(image_shape=(3, 4, 5), epochs=5, random_state=0)
    assert model.fit(images.reshape(90, -1), labels).score(images, labels) == 1
    assert model.mean_.shape == (3,)
    with pytest.raises(ValueError, match=r"image_shape is \(3, 4, 4\), of 48 numbers; rows have 60"):
        CNNClassifier(image_shape=(3, 4, 4)).fit(images.reshape(90, -1), labels)


def test_named_model_gets_images_of_its_size():
    model = CNNClassifier("lenet", epochs=3, lr=0.02, random_state=0).fit(ROWS, LABELS)
    assert type(model.model_).__name__ == "LeNet"
    assert model.score(ROWS, LABELS) > 0.9
    with pytest.raises(ValueError, match="did you mean lenet"):
        CNNClassifier("lenett").fit(ROWS, LABELS)


def test_random_state_decides_and_leaves_the_packages_numbers_alone():
    before = fastcnn.random.get_state()
    one, same, other = (
        CNNClassifier(tiny, epochs=1, random_state=seed).fit(ROWS, LABELS).predict_proba(ROWS[:5])
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
    assert fastcnn.random.get_state() == before


def test_class_weights_move_predictions():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((200, 4)), np.arange(200) % 10 == 0
    model = CNNClassifier(tiny, epochs=20, random_state=0)
    assert not model.fit(X, y).predict(X).any()
    assert clone(model).set_params(class_weight="balanced").fit(X, y).predict(X).mean() > 0.1


def test_divergence_is_an_error():
    with pytest.raises(ValueError, match="diverged; lower lr"):
        CNNClassifier(lr=1e30, epochs=3, random_state=0).fit(ROWS, LABELS)


def test_verbose_prints_each_epoch(capsys):
    CNNClassifier(tiny, epochs=2, verbose=True).fit(ROWS, LABELS)
    assert [line.split(":")[0] for line in capsys.readouterr().err.splitlines()] == ["epoch 1/2", "epoch 2/2"]


def test_pickle_holds_safetensors_and_predicts_the_same(fitted, tmp_path):
    data = pickle.dumps(fitted)
    assert b"__metadata__" in data or b'"dtype":"F32"' in data
    assert b"fastcnn._core" not in data and b"fastcnn.nn" not in data
    before = fastcnn.random.get_state()
    expected = fitted.predict_proba(ROWS[:40])
    np.testing.assert_array_equal(pickle.loads(data).predict_proba(ROWS[:40]), expected)
    assert fastcnn.random.get_state() == before
    joblib.dump(fitted, tmp_path / "model.joblib")
    np.testing.assert_array_equal(joblib.load(tmp_path / "model.joblib").predict_proba(ROWS[:40]), expected)


def test_pickle_of_a_fitted_model_keeps_it_when_parameters_change(fitted):
    changed = pickle.loads(pickle.dumps(fitted)).set_params(model="lenet")
    again = pickle.loads(pickle.dumps(changed))
    np.testing.assert_array_equal(again.predict_proba(ROWS[:4]), fitted.predict_proba(ROWS[:4]))


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_works_in_a_pipeline_and_a_grid_search(backend):
    pipeline = make_pipeline(StandardScaler(), CNNClassifier(tiny, random_state=0))
    grid = {"cnnclassifier__lr": [1e-5, 0.05], "cnnclassifier__epochs": [1, 5]}
    with joblib.parallel_config(backend, n_jobs=2):
        search = GridSearchCV(pipeline, grid, cv=2).fit(ROWS, LABELS)
    assert search.best_params_ == {"cnnclassifier__lr": 0.05, "cnnclassifier__epochs": 5}
    alone = GridSearchCV(pipeline, grid, cv=2).fit(ROWS, LABELS)
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"])


def test_without_scikit_learn_the_import_says_what_to_install():
    code = "import sys; sys.modules['sklearn'] = None; import fastcnn.sklearn"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "pip install 'fastcnn[sklearn]'" in done.stderr
