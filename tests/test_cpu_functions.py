"""What stands for functions of torch on a CPU does what they do."""

import time

import pytest
import torch
import torch.nn.functional as F

from spacy_dualre.model import cpu_functions
from spacy_dualre.model.cpu_functions import CpuFunctions, attention, dropout, linear


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_as_many_numbers_are_dropped_as_asked_for(p):
    torch.manual_seed(0)
    dropped = (dropout(torch.ones(1001, 1003), p) == 0).double().mean()
    assert abs(dropped - p) < 0.002


@pytest.mark.parametrize("shape", [(0,), (1,), (3, 5), (2, 3, 7)])
def test_what_is_kept_grows_and_keeps_its_shape(shape):
    torch.manual_seed(0)
    x = torch.randn(shape)
    y = dropout(x, 0.2)
    assert y.shape == x.shape
    kept = y != 0
    torch.testing.assert_close(y[kept], x[kept] / 0.8)


def test_each_of_the_four_numbers_of_an_integer_is_its_own():
    torch.manual_seed(0)
    dropped = (dropout(torch.ones(100_000, 4), 0.5) == 0).double()
    together = torch.corrcoef(dropped.T) - torch.eye(4)
    assert together.abs().max() < 0.02


def test_gradients_are_those_of_what_is_kept():
    torch.manual_seed(0)
    x = torch.randn(50, 50, requires_grad=True)
    y = dropout(x, 0.3)
    y.sum().backward()
    torch.testing.assert_close(x.grad, (y != 0) / 0.7)


def test_torchs_seed_decides_what_is_dropped():
    def draw(seed):
        torch.manual_seed(seed)
        return dropout(torch.ones(1000), 0.5)

    assert (draw(1) == draw(1)).all()
    assert (draw(1) != draw(2)).any()


def test_all_is_dropped_where_all_is_to_be():
    assert (dropout(torch.ones(100), 1.0) == 0).all()


@pytest.mark.parametrize(("p", "training"), [(0.0, True), (0.5, False)])
def test_nothing_is_dropped_where_nothing_is_to_be(p, training):
    x = torch.randn(100)
    assert (dropout(x, p, training) == x).all()


def masks():
    hidden = torch.rand(3, 1, 11, 11) < 0.3
    hidden[..., 0] = False
    return [None, ~hidden, torch.zeros(3, 1, 11, 11).masked_fill(hidden, -1e9)]


@pytest.mark.parametrize("kind", [0, 1, 2], ids=["none", "bool", "added"])
@pytest.mark.parametrize("scale", [None, 0.3])
def test_attention_is_torchs(kind, scale):
    torch.manual_seed(0)
    q, k, v = torch.randn(3, 3, 4, 11, 8).unbind()
    mask = masks()[kind]
    right = F.scaled_dot_product_attention(q, k, v, mask, scale=scale)
    torch.testing.assert_close(attention(q, k, v, mask, scale=scale), right)
    # So low a probability drops none of so few.
    drawn = attention(q, k, v, mask, dropout_p=1e-6, scale=scale)
    torch.testing.assert_close(drawn, right, rtol=1e-4, atol=1e-5)


def test_attention_drops_as_much_as_torchs():
    torch.manual_seed(0)
    q, k = torch.zeros(2, 1, 2, 400, 8).unbind()
    v = torch.ones(1, 2, 400, 8)
    drawn = attention(q, k, v, dropout_p=0.3)[..., 0]
    right = F.scaled_dot_product_attention(q, k, v, dropout_p=0.3)[..., 0]
    assert abs(drawn.mean() - 1) < 0.01
    assert float(drawn.std()) == pytest.approx(float(right.std()), rel=0.15)


def test_torchs_functions_and_layers_draw_cheaply_in_the_context():
    def draw():
        torch.manual_seed(0)
        return torch.nn.Dropout(0.5)(torch.ones(1000))

    torch.manual_seed(0)
    cheap = dropout(torch.ones(1000), 0.5)
    with CpuFunctions():
        assert (draw() == cheap).all()
    assert (draw() != cheap).any()


# Linear layers.


@pytest.fixture(params=[True, False], ids=["onednn", "torch"])
def library(request, monkeypatch):
    monkeypatch.setattr(cpu_functions, "onednn_is_faster", lambda: request.param)


@pytest.mark.parametrize("shape", [(5, 8), (1, 8), (0, 8), (2, 3, 8), (8,)], ids=str)
@pytest.mark.parametrize("has_bias", [True, False])
def test_a_linear_layer_and_its_gradients_are_torchs(library, shape, has_bias):
    torch.manual_seed(0)
    given = [torch.randn(shape), torch.randn(6, 8)] + [torch.randn(6)] * has_bias
    results = []
    for function in (linear, F.linear):
        own = [tensor.clone().requires_grad_() for tensor in given]
        product = function(*own)
        product.pow(2).sum().backward()
        results.append([product, *(tensor.grad for tensor in own)])
    for ours, torchs in zip(*results):
        torch.testing.assert_close(ours, torchs)


def test_what_is_frozen_gets_no_gradient(library):
    x, weight = torch.randn(5, 8, requires_grad=True), torch.randn(6, 8)
    linear(x, weight).sum().backward()
    assert x.grad is not None
    assert weight.grad is None


def test_views_are_multiplied_as_they_are_seen(library):
    torch.manual_seed(0)
    x, weight = torch.randn(8, 5).t(), torch.randn(8, 6).t()[::2]
    torch.testing.assert_close(linear(x, weight), F.linear(x, weight))


def test_other_precisions_are_left_to_torch(library):
    x, weight = torch.randn(5, 8), torch.randn(6, 8)
    assert linear(x.double(), weight.double()).dtype == torch.float64
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert linear(x, weight).dtype == torch.bfloat16


@pytest.mark.skipif(
    not torch.backends.mkldnn.is_available(), reason="This torch has no oneDNN."
)
@pytest.mark.parametrize(
    ("multiply", "is_faster"),
    [(lambda *args: None, True), (lambda *args: time.sleep(0.1), False)],
    ids=["at once", "slow"],
)
def test_the_faster_library_is_found(multiply, is_faster, monkeypatch):
    monkeypatch.setattr(cpu_functions, "_multiply", multiply)
    assert cpu_functions.onednn_is_faster.__wrapped__() is is_faster
