"""Aggregators that let sequences vote for a view, and views for a patient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from echokit import Aggregator, hookimpl


@hookimpl
def register_aggregators(register: Callable[[str, Callable[..., Any]], None]) -> None:
    """Add the paper's vote, rules that pool, rules that learn, evidence and ranks."""
    register("majority-vote", majority_vote)
    register("mean-probability", mean_probability)
    register("confidence-weighted", confidence_weighted)
    register("max-confidence", max_confidence)
    register("stacking", stacking)
    register("attention", attention)
    register("dempster-shafer", dempster_shafer)
    register("borda", borda)


def majority_vote() -> Aggregator:
    """The paper's vote (section 2.3): the label that most voters chose.

    Voters without confidences (sequences of one view):
        tie: the tied label with the larger summed probability, then the more severe;
        confidence: the share of voters that chose the label, C = |y*| / n;
        probabilities: mean over all voters.

    Voters with confidences (views of one patient):
        tie: the tied label whose voters have the larger summed confidence, then the more severe;
        confidence: mean confidence of the voters that chose the label;
        probabilities: those of the most confident voter that chose the label, the paper's rule
        for the multi-view AUROC; of equally confident ones, the one surest of the label.

    Only a label in the tie can win it. Sums are exact, so the order of the voters never matters.

    Returns:
        An aggregator without options; it raises `DataError` on votes that cannot be counted.
    """
    from echokit_voting.majority import vote

    return vote


def mean_probability() -> Aggregator:
    """The label of the largest mean probability: the sum rule of Kittler et al. (1998).

    doi:10.1109/34.667881. It takes what every voter says of every label, where the majority vote
    takes the label that each chose; the voters' own confidences count for nothing.

        tie: the tied label that more voters chose, then the more severe;
        confidence: the mean probability of the label that wins;
        probabilities: mean over all voters.

    Returns:
        An aggregator without options; it raises `DataError` on votes that cannot be counted.
    """
    from echokit_voting.pooling import mean_vote

    return mean_vote


def confidence_weighted() -> Aggregator:
    """The label of the largest mean probability, each voter weighing its confidence.

    Voters without confidences (sequences of one view) weigh their largest probability.

        tie: the tied label that more voters chose, then the more severe;
        confidence: the weighted mean probability of the label that wins;
        probabilities: weighted mean over all voters.

    Source: a linear opinion pool (Genest and Zidek 1986, doi:10.1214/ss/1177013825), its weights
    the confidences of the paper's section 2.3.

    Returns:
        An aggregator without options; it raises `DataError` on votes that cannot be counted.
    """
    from echokit_voting.pooling import weighted_vote

    return weighted_vote


def max_confidence() -> Aggregator:
    """What the single surest voter says: the paper's way out of a tie, taken always.

    The surest is the one of the largest confidence; of voters without confidences (sequences of
    one view), the one of the largest probability.

        tie: the voter that gives its own label more probability, then the more severe label;
        confidence: the surest voter's, or its largest probability;
        probabilities: the surest voter's.

    Returns:
        An aggregator without options; it raises `DataError` on votes that cannot be counted.
    """
    from echokit_voting.pooling import surest_vote

    return surest_vote


def stacking(*, l2: float = 1.0) -> Aggregator:
    """Stacking (Wolpert 1992): a logistic regression over what the voters say; it learns.

    doi:10.1016/S0893-6080(05)80023-1. Multinomial, by scikit-learn, over the log-probabilities of
    every voter seen in training (each at least 0.001, less their mean), an indicator for each that
    is missing, and the mean log-probabilities of all voters. So a voter that was not seen in
    training counts in that mean, and in nothing else.

    It learns from training patients judged by networks that did not learn from them. Every subset
    of a patient's views stands for the patient, all subsets together weighing as one, so that
    missing views are nothing new. One made-up patient of each label, on whom every voter is right,
    joins them: where a label has no training patient, it is all that speaks for it.

        tie: the more severe label;
        confidence: the probability of the label that wins;
        probabilities: the regression's.

    A voter is known by its name: a view. Sequences are named by their first frame, which hardly
    repeats, so of them little more than the mean can be learned.

    Args:
        l2: weight of the penalty ½ l2 |w|², above 0; larger trusts the training patients less.

    Returns:
        An aggregator that `SupportsFit`; it raises `DataError` on votes that cannot be counted,
        and on any before it has learned.
    """
    from echokit_voting.stacked import Stacking

    return Stacking(l2)


def attention(*, l2: float = 1.0) -> Aggregator:
    """A mixture of the voters that are present, each listened to as far as was learned.

    A voter's score is a bias of its name plus two slopes times how certain it is: one minus the
    entropy of its probabilities (as a share of the largest), and its confidence (or largest
    probability). A softmax over the voters present turns scores into shares, as the attention over
    instances of Ilse et al. (2018, arXiv:1802.04712) does; with nothing learned all are equal.
    A voter that was not seen in training has the bias 0, which is the mean of those that were.

    Biases and slopes minimise the negative log-likelihood of the mixture on training patients
    judged by networks that did not learn from them (L-BFGS, by SciPy). Every subset of a patient's
    views stands for the patient, all subsets together weighing as one.

    It can choose between voters and never overrule them all: a label without a training patient
    only loses attention.

        tie: the tied label that more voters chose, then the more severe;
        confidence: the probability of the label that wins;
        probabilities: the mixture's.

    Args:
        l2: weight of the penalty ½ l2 |θ|², above 0; larger keeps closer to the mean.

    Returns:
        An aggregator that `SupportsFit`; it raises `DataError` on votes that cannot be counted,
        and on any before it has learned.
    """
    from echokit_voting.attentive import Attention

    return Attention(l2)


def dempster_shafer(*, reliability: float = 0.9) -> Aggregator:
    """Dempster's rule of combination over the voters' discounted probabilities.

    Shafer, A Mathematical Theory of Evidence, 1976. A voter that is d sure puts the mass d p on
    each label and 1 - d on "any of them" (discounting; d is its confidence, or its largest
    probability where it carries none, times `reliability`). Masses are combined by Dempster's
    rule, conflict is shared out by its normalisation, and what is left of "any" is divided evenly
    (pignistic probability, Smets and Kennes 1994, doi:10.1016/0004-3702(94)90026-4).

    Voters are taken to be independent. Sequences of one clip are not, so for them the confidence
    runs close to 1; it is at home where views vote.

        tie: the tied label that more voters chose, then the more severe;
        confidence: the pignistic probability of the label that wins;
        probabilities: the pignistic ones.

    Args:
        reliability: the most a voter is believed, between 0 and 1.

    Returns:
        An aggregator; it raises `DataError` on votes that cannot be counted.

    Raises:
        OptionError: `reliability` is not between 0 and 1.
    """
    from echokit_voting.evidence import DempsterShafer

    return DempsterShafer(reliability)


def borda() -> Aggregator:
    """Borda's count: each voter ranks the labels and gives each a point for every one below it.

    de Borda 1781; for classifiers Ho, Hull and Srihari 1994, doi:10.1109/34.273716. Labels that
    are equally probable to a voter share their points. How far a voter is from sure counts for
    nothing, only its order. With two labels it is the majority vote.

        tie: the tied label that more voters chose, then the more severe;
        confidence: points of the label that wins as a share of those it could have had;
        probabilities: shares of all points; a label that all put first of three has 2/3.

    Returns:
        An aggregator without options; it raises `DataError` on votes that cannot be counted.
    """
    from echokit_voting.evidence import borda_vote

    return borda_vote
