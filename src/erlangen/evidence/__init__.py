"""Is it real? Certificates, held-out tests, bounds and discrete tests for symmetries that were found."""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

# A function named as its module is bound here: importing the module by itself would put the module in its place.
from erlangen.evidence.certify import certify as certify
from erlangen.evidence.estimate import estimate as estimate
from erlangen.evidence.observed import observed as observed

if _TYPE_CHECKING:
    from erlangen.evidence._orbital import Orbital as Orbital
    from erlangen.evidence._orbital import orbital as orbital
    from erlangen.evidence._pointwise import Conformal as Conformal
    from erlangen.evidence._pointwise import Share as Share
    from erlangen.evidence._pointwise import conformal as conformal
    from erlangen.evidence._pointwise import paired_bound as paired_bound
    from erlangen.evidence._pointwise import violating_share as violating_share
    from erlangen.evidence.anytime import among_named as among_named
    from erlangen.evidence.anytime import generator_log_e as generator_log_e
    from erlangen.evidence.anytime import over_batches as over_batches
    from erlangen.evidence.bounds.box import bound as bound
    from erlangen.evidence.bounds.box import bound_steps as bound_steps
    from erlangen.evidence.bounds.result import BoxCertificate as BoxCertificate
    from erlangen.evidence.bounds.result import FiniteCertificate as FiniteCertificate
    from erlangen.evidence.certificate import Band as Band
    from erlangen.evidence.certificate import Bound as Bound
    from erlangen.evidence.certificate import Certificate as Certificate
    from erlangen.evidence.certificate import Gate as Gate
    from erlangen.evidence.comparison import Comparison as Comparison
    from erlangen.evidence.comparison import compare as compare
    from erlangen.evidence.defect_map import DefectMap as DefectMap
    from erlangen.evidence.defect_map import where as where
    from erlangen.evidence.discrete.components import Component as Component
    from erlangen.evidence.discrete.components import Components as Components
    from erlangen.evidence.discrete.components import find_components as find_components
    from erlangen.evidence.discrete.element_tests import DiscreteTest as DiscreteTest
    from erlangen.evidence.discrete.element_tests import ElementTest as ElementTest
    from erlangen.evidence.discrete.element_tests import test_elements as test_elements
    from erlangen.evidence.discrete.elements import FiniteSet as FiniteSet
    from erlangen.evidence.discrete.elements import cyclic as cyclic
    from erlangen.evidence.discrete.elements import permutations as permutations
    from erlangen.evidence.discrete.elements import reflections as reflections
    from erlangen.evidence.discrete.elements import signed_permutations as signed_permutations
    from erlangen.evidence.discrete.elements import signs as signs
    from erlangen.evidence.equivalence import EProcess as EProcess
    from erlangen.evidence.estimate import Estimate as Estimate
    from erlangen.evidence.estimate import estimate_features as estimate_features
    from erlangen.evidence.gates import Extrapolation as Extrapolation
    from erlangen.evidence.gates import extrapolation as extrapolation
    from erlangen.evidence.gates import gates_of as gates_of
    from erlangen.evidence.gates import lack_of_fit as lack_of_fit
    from erlangen.evidence.gates import pruned as pruned
    from erlangen.evidence.group_test import GroupTest as GroupTest
    from erlangen.evidence.group_test import test_group as test_group
    from erlangen.evidence.model_claims import model_certificate as model_certificate
    from erlangen.evidence.multiplicity import closed_testing as closed_testing
    from erlangen.evidence.multiplicity import e_bh as e_bh
    from erlangen.evidence.multiplicity import holm as holm
    from erlangen.evidence.noisy_states import estimate_noisy_states as estimate_noisy_states
    from erlangen.evidence.noisy_states import noise_of_states as noise_of_states
    from erlangen.evidence.observed import Observed as Observed
    from erlangen.evidence.rule import Certified as Certified
    from erlangen.evidence.smooth_models import boosted as boosted
    from erlangen.evidence.smooth_models import network as network
    from erlangen.evidence.special import Explained as Explained
    from erlangen.evidence.special import explain_special as explain_special
    from erlangen.evidence.special import with_time as with_time
    from erlangen.evidence.suggest import FreshDesign as FreshDesign
    from erlangen.evidence.suggest import Suggestion as Suggestion
    from erlangen.evidence.suggest import fresh_points as fresh_points
    from erlangen.evidence.suggest import suggest_points as suggest_points
    from erlangen.evidence.weak_moments import class_free as class_free

# Each name is imported when it is first used, so that the folder imports in a blink.
_HOMES = {
    "_orbital": ("Orbital", "orbital"),
    "bounds.box": ("bound", "bound_steps"),
    "bounds.result": ("BoxCertificate", "FiniteCertificate"),
    "anytime": ("among_named", "generator_log_e", "over_batches"),
    "certify": ("certify",),
    "certificate": ("Band", "Bound", "Certificate", "Gate"),
    "comparison": ("Comparison", "compare"),
    "defect_map": ("DefectMap", "where"),
    "discrete.components": ("Component", "Components", "find_components"),
    "discrete.element_tests": ("DiscreteTest", "ElementTest", "test_elements"),
    "discrete.elements": ("FiniteSet", "cyclic", "permutations", "reflections", "signed_permutations", "signs"),
    "equivalence": ("EProcess",),
    "_pointwise": ("Conformal", "Share", "conformal", "paired_bound", "violating_share"),
    "estimate": ("Estimate", "estimate", "estimate_features"),
    "gates": ("Extrapolation", "extrapolation", "gates_of", "lack_of_fit", "pruned"),
    "group_test": ("GroupTest", "test_group"),
    "multiplicity": ("closed_testing", "e_bh", "holm"),
    "noisy_states": ("estimate_noisy_states", "noise_of_states"),
    "model_claims": ("model_certificate",),
    "observed": ("Observed", "observed"),
    "rule": ("Certified",),
    "smooth_models": ("boosted", "network"),
    "special": ("Explained", "explain_special", "with_time"),
    "suggest": ("FreshDesign", "Suggestion", "fresh_points", "suggest_points"),
    "weak_moments": ("class_free",),
}
_WHERE = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Band",
    "Bound",
    "BoxCertificate",
    "Certificate",
    "Certified",
    "Comparison",
    "Component",
    "Components",
    "Conformal",
    "DefectMap",
    "DiscreteTest",
    "EProcess",
    "ElementTest",
    "Estimate",
    "Explained",
    "Extrapolation",
    "FiniteCertificate",
    "FiniteSet",
    "FreshDesign",
    "Gate",
    "GroupTest",
    "Observed",
    "Orbital",
    "Share",
    "Suggestion",
    "among_named",
    "boosted",
    "bound",
    "bound_steps",
    "certify",
    "class_free",
    "closed_testing",
    "compare",
    "conformal",
    "cyclic",
    "e_bh",
    "estimate",
    "estimate_features",
    "estimate_noisy_states",
    "explain_special",
    "extrapolation",
    "find_components",
    "fresh_points",
    "gates_of",
    "generator_log_e",
    "holm",
    "lack_of_fit",
    "model_certificate",
    "network",
    "noise_of_states",
    "observed",
    "orbital",
    "over_batches",
    "paired_bound",
    "permutations",
    "pruned",
    "reflections",
    "signed_permutations",
    "signs",
    "suggest_points",
    "test_elements",
    "test_group",
    "violating_share",
    "where",
    "with_time",
]


def __getattr__(name: str) -> _Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'erlangen.evidence' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(_import_module(f"erlangen.evidence.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    return __all__
