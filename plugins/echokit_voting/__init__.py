"""Voting rules: from the sequences of a view to its label, and from views to the patient's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from echokit import Aggregator, OptionError, hookimpl


@hookimpl
def register_aggregators(register: Callable[[str, Callable[..., Any]], None]) -> None:
    """Add the paper's vote, and rules that pool, learn, combine evidence or count ranks."""
    register("majority-vote", majority_vote)
    register("mean-probability", mean_probability)
    register("confidence-weighted", confidence_weighted)
    register("max-confidence", max_confidence)
    register("stacking", stacking)
    register("attention", attention)
    register("dempster-shafer", dempster_shafer)
    register("borda", borda)


def majority_vote(*, tie: Literal["sum", "most-confident"] = "sum") -> Aggregator:
    """The paper's vote (section 2.3): the label that most voters chose.

    Voters without confidences (sequences of one view):
        tie: the tied label with the larger summed probability, then the more severe;
        confidence: the share of voters that chose the label, C = |y*| / n;
        probabilities: mean over all voters.

    Voters with confidences (views of one patient):
        tie: the tied label whose voters have the larger summed confidence, then the more severe;
        confidence: mean confidence of the voters that chose the label;
        probabilities: those of the most confident voter that chose the label, the paper's rule
        for the multi-view AUROC; among equally confident ones, of the one that gives the label the
        largest probability.

    Section 2.3 says of a tie that "the prediction of the model(s) with higher confidence is
    selected". The plural speaks for the sum. `tie = "most-confident"` reads it as the single most
    confident voter: of the tied labels, the one that the most confident of all their voters chose
    (of sequences, the one with the largest probability of its label). Only what is equal then goes
    by the sum, and by severity.

    Only a tied label can win a tie. Sums are exact: a confidence that is a share of at most 10,000
    sequences counts as that fraction, not as the float64 next to it, so neither rounding nor the
    order of the voters ever decides.

    Args:
        tie: "sum" or "most-confident".

    Returns:
        An aggregator; it raises `DataError` on votes that cannot be counted.

    Raises:
        OptionError: `tie` is neither.
    """
    from echokit_voting.majority import MajorityVote

    if tie not in ("sum", "most-confident"):
        raise OptionError(f"tie={tie!r} is refused: give 'sum' or 'most-confident'.")
    return MajorityVote(tie)


def mean_probability() -> Aggregator:
    """The label of the largest mean probability: the sum rule of Kittler et al. (1998).

    doi:10.1109/34.667881. It uses each voter's probabilities of all labels, where the majority vote
    uses only the chosen label; the voters' confidences are not used.

        tie: the tied label that more voters chose, then the more severe;
        confidence: the mean probability of the winning label;
        probabilities: mean over all voters.

    Returns:
        An aggregator without options; it raises `DataError` on votes that cannot be counted.
    """
    from echokit_voting.pooling import mean_vote

    return mean_vote


def confidence_weighted() -> Aggregator:
    """The label of the largest mean probability, weighted by the voters' confidences.

    Voters without confidences (sequences of one view) are weighted by their largest probability.

        tie: the tied label that more voters chose, then the more severe;
        confidence: the weighted mean probability of the winning label;
        probabilities: weighted mean over all voters.

    Source: a linear opinion pool (Genest and Zidek 1986, doi:10.1214/ss/1177013825) whose weights
    are the confidences of the paper's section 2.3.

    Returns:
        An aggregator without options; it raises `DataError` on votes that cannot be counted.
    """
    from echokit_voting.pooling import weighted_vote

    return weighted_vote


def max_confidence() -> Aggregator:
    """The label of the most confident voter: how the paper breaks a tie, applied always.

    Among voters without confidences (sequences of one view), the voter with the largest
    probability is used.

        tie: the voter that gives its own label more probability, then the more severe label;
        confidence: the most confident voter's, or its largest probability;
        probabilities: the most confident voter's.

    Returns:
        An aggregator without options; it raises `DataError` on votes that cannot be counted.
    """
    from echokit_voting.pooling import surest_vote

    return surest_vote


def stacking(*, l2: float = 1.0) -> Aggregator:
    """Stacking (Wolpert 1992): a logistic regression on the voters' probabilities; it learns.

    doi:10.1016/S0893-6080(05)80023-1. A multinomial regression by scikit-learn. Its features are
    the log-probabilities of every voter of the training data (at least 0.001, minus their mean), an
    indicator for each missing voter, and the mean log-probabilities of all voters. A voter that is
    not in the training data only enters that mean.

    It learns from training patients whose votes come from networks that did not learn from them.
    Every subset of a patient's views is one example, and all subsets of a patient together weigh as
    one, so the regression also learns from missing views. One artificial patient of each label, on
    whom every voter is right, is added: it is the only example of a label that no training patient
    has.

        tie: the more severe label;
        confidence: the probability of the winning label;
        probabilities: the regression's.

    A voter is recognised by its name: a view. Sequences are named by their first frame, which
    hardly repeats, so little more than the mean can be learned from them.

    Args:
        l2: weight of the penalty ½ l2 |w|², above 0; a larger one trusts the training patients
            less.

    Returns:
        An aggregator that `SupportsFit`; it raises `DataError` on votes that cannot be counted,
        and on all votes before it has learned.
    """
    from echokit_voting.stacked import Stacking

    return Stacking(l2)


def attention(*, l2: float = 1.0) -> Aggregator:
    """A mixture of the present voters' probabilities with learned weights (attention).

    A voter's score is a bias of its name plus two slopes times its certainty: one minus the entropy
    of its probabilities (as a share of the largest possible), and its confidence (or largest
    probability). A softmax over the present voters turns scores into weights, as the attention over
    instances of Ilse et al. (2018, arXiv:1802.04712) does; before learning all weights are equal.
    A voter that is not in the training data has the bias 0, the mean of the others.

    Biases and slopes minimise the negative log-likelihood of the mixture on training patients whose
    votes come from networks that did not learn from them (L-BFGS, by SciPy). Every subset of a
    patient's views is one example, and all subsets of a patient together weigh as one.

    The mixture can choose between voters and cannot overrule all of them: a label without a
    training patient only loses weight.

        tie: the tied label that more voters chose, then the more severe;
        confidence: the probability of the winning label;
        probabilities: the mixture's.

    Args:
        l2: weight of the penalty ½ l2 |θ|², above 0; a larger one stays closer to the mean.

    Returns:
        An aggregator that `SupportsFit`; it raises `DataError` on votes that cannot be counted,
        and on all votes before it has learned.
    """
    from echokit_voting.attentive import Attention

    return Attention(l2)


def dempster_shafer(*, reliability: float = 0.9) -> Aggregator:
    """Dempster's rule of combination over the voters' discounted probabilities.

    Shafer, A Mathematical Theory of Evidence, 1976. A voter of reliability d gives the mass d p to
    each label and 1 - d to "any label" (discounting; d is its confidence, or its largest
    probability without one, times `reliability`). Masses are combined by Dempster's rule, which
    normalises conflict away, and the mass left on "any label" is divided evenly (pignistic
    probability, Smets and Kennes 1994, doi:10.1016/0004-3702(94)90026-4).

    The rule assumes independent voters. Sequences of one clip are not, so their combined confidence
    comes close to 1: use it for views.

        tie: the tied label that more voters chose, then the more severe;
        confidence: the pignistic probability of the winning label;
        probabilities: the pignistic ones.

    Args:
        reliability: largest reliability d of a voter, between 0 and 1.

    Returns:
        An aggregator; it raises `DataError` on votes that cannot be counted.

    Raises:
        OptionError: `reliability` is not between 0 and 1.
    """
    from echokit_voting.evidence import DempsterShafer

    return DempsterShafer(reliability)


def borda() -> Aggregator:
    """Borda's count: each voter ranks the labels and gives each a point for every one below it.

    de Borda 1781; for classifiers Ho, Hull and Srihari 1994, doi:10.1109/34.273716. Labels with
    equal probabilities share their points. Only the order of a voter's probabilities counts, not
    their values. With two labels it is the majority vote.

        tie: the tied label that more voters chose, then the more severe;
        confidence: points of the winning label as a share of the largest possible number;
        probabilities: shares of all points; a label that all voters rank first of three has 2/3.

    Returns:
        An aggregator without options; it raises `DataError` on votes that cannot be counted.
    """
    from echokit_voting.evidence import borda_vote

    return borda_vote
