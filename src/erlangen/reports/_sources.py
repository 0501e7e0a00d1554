"""What each function, class and result of erlangen rests on, as keys of ``references.bib``.

The names are those under which users meet the objects. A class is listed with what every object of it uses; what
depends on the object is told by `features`, and what comes with its parts stands in `PARTS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

OTTO = "otto2025unified"
PROMOTED = (OTTO, "cai2010singular", "boyd2011distributed")
LAYERS = ("finzi2021practical",)
NAMES = ("degraaf2000lie", "helgason1978differential")
EXACT_TESTS = ("berger1982multiparameter", "schuirmann1987comparison")
SMOOTHING = ("wahba1978improper", "craven1979smoothing")
DISCRETE = ("holm1979simple", "berger1982multiparameter", "berger1996bioequivalence")

MODES: dict[str, tuple[str, ...]] = {
    "held-out": EXACT_TESTS,
    "simultaneous": ("kendiukhov2026certified",),
    "calibrated": ("kendiukhov2026certified",),
    "class-free": ("chernozhukov2018double", "messenger2021galerkin", "hyvarinen2005estimation", "hyvarinen2007some"),
    "model": (),
}
"""What a certificate rests on, by its mode."""

SOURCES: dict[str, tuple[str, ...]] = {
    # questions
    "discover": (OTTO,),
    "enforce": (OTTO,),
    "closure": (OTTO,),
    "promote": (*PROMOTED, "fazel2003log", "breiman1984classification"),
    "Factored": ("demmel2012communication",),
    "Summary": ("chan1983algorithms",),
    "Symmetry": (OTTO,),
    "LieDerivative": (OTTO,),
    "AbstractSubspace": (OTTO,),
    "Closure": (OTTO,),
    "Promoted": PROMOTED,
    "Selected": (*PROMOTED, "breiman1984classification"),
    "EquivariantMaps": (*LAYERS,),
    # algebras
    "identify": NAMES,
    "LieAlgebra": ("degraaf2000lie",),
    "Structure": ("degraaf2000lie",),
    "Named": ("degraaf2000lie",),
    "rep": LAYERS,
    "structure_of": ("degraaf2000lie",),
    "commutant": ("murota2010numerical",),
    "irreducible_blocks": ("murota2010numerical",),
    "complex_structure": ("cannas2001lectures",),
    "is_compact": ("hall2015lie",),
    "preserved_forms": ("hall2015lie",),
    "trace_ratio": ("dynkin1957semisimple",),
    "spin": ("biedenharn1981angular",),
    "readable_basis": ("spielman2012exact",),
    # actions and fields
    "kernel": (OTTO,),
    "KernelAction": (OTTO,),
    "on_grid": ("trefethen2000spectral",),
    "FunctionGrid": ("trefethen2000spectral",),
    "Prolonged": ("olver1993applications",),
    "cloud_field": ("tyagi2013tangent",),
    "CloudField": ("tyagi2013tangent",),
    "fit_table": ("kendiukhov2026certified", "allen1974relationship"),
    "FittedField": ("kendiukhov2026certified", "allen1974relationship"),
    "calibrate": ("rasmussen2006gaussian",),
    "CalibratedField": ("rasmussen2006gaussian",),
    # dynamics
    "SINDy": ("brunton2016discovering",),
    "SymbolicRegression": ("burlacu2020operon", "yang2024symmetry"),
    "smooth": SMOOTHING,
    "Smoothed": SMOOTHING,
    "conserved": ("kaiser2018discovering",),
    "ConservedQuantities": ("kaiser2018discovering",),
    "noether": ("noether1918invariante", "besselhagen1921erhaltungssatze"),
    "NoetherCharge": ("noether1918invariante", "besselhagen1921erhaltungssatze"),
    "momentum_map": ("noether1918invariante", "marsden1999introduction"),
    "poisson_algebra": ("marsden1999introduction",),
    "coverage": ("belsley1980regression",),
    "discrete_symmetries": ("lamb1998time",),
    "repair": ("brunton2016discovering",),
    "step_residuals": ("ljung1999system",),
    "symmetries": (OTTO, "olver1993applications"),
    "hamiltonian": ("bertalan2019learning",),
    "HamiltonianFit": ("bertalan2019learning",),
    "structure": ("santilli1978foundations", "mclachlan2001conformal"),
    "FieldStructure": ("santilli1978foundations", "mclachlan2001conformal"),
    "ModelError": ("mojgani2022discovery",),
    "GridModelError": ("messenger2021pde",),
    "GridEquation": ("kassam2005fourth",),
    "lyapunov_exponent": ("benettin1980lyapunov",),
    "LyapunovExponent": ("benettin1980lyapunov",),
    "valid_prediction_time": ("pathak2018hybrid", "vlachas2020backpropagation"),
    "spectral_distance": ("mikhaeil2022difficulty",),
    "ordinal": ("bandt2002permutation", "rosso2007distinguishing", "gumbel1958statistics"),
    "Ordinal": ("bandt2002permutation", "rosso2007distinguishing", "gumbel1958statistics"),
    # evidence
    "certify": ("kendiukhov2026certified", *EXACT_TESTS, "berger1996bioequivalence"),
    "Certificate": (),
    "Certified": (),
    "class_free": MODES["class-free"],
    "estimate": ("mackinnon1985some", "ibragimov2010statistic", "kunsch1989jackknife"),
    "Estimate": ("mackinnon1985some", "ibragimov2010statistic", "kunsch1989jackknife"),
    "estimate_features": ("mackinnon1985some", "ibragimov2010statistic", "kunsch1989jackknife"),
    "extrapolation": ("cohen2013stability",),
    "network": ("liu1989limited",),
    "noise_of_states": ("gasser1986residual", "hall1990asymptotically"),
    "pruned": ("leeb2005model",),
    "where": ("fan1996local",),
    "with_time": ("olver1993applications",),
    "estimate_noisy_states": ("nakamura1990corrected", "stefanski1989unbiased"),
    "lack_of_fit": ("seber2003linear", "kline2012score"),
    "boosted": ("friedman2001greedy",),
    "conformal": ("vovk2005algorithmic",),
    "Conformal": ("vovk2005algorithmic",),
    "violating_share": ("clopper1934use",),
    "Share": ("clopper1934use",),
    "test_group": ("berger1982multiparameter", "berger1996bioequivalence"),
    "GroupTest": ("berger1982multiparameter", "berger1996bioequivalence"),
    "test_elements": DISCRETE,
    "DiscreteTest": DISCRETE,
    "ElementTest": DISCRETE,
    "find_components": ("bhat2025atlasd",),
    "Components": ("bhat2025atlasd",),
    "holm": ("holm1979simple",),
    "closed_testing": ("marcus1976closed",),
    "e_bh": ("wang2022false",),
    "among_named": ("wang2022false",),
    "EProcess": ("ramdas2023game",),
    "generator_log_e": ("vovk2021values", "grunwald2024safe"),
    "over_batches": ("ramdas2023game", "vovk2021values"),
    "compare": ("bjorck1973numerical",),
    "Comparison": ("bjorck1973numerical",),
    "orbital": ("olver1993applications",),
    "Orbital": ("olver1993applications",),
    "bound": ("moore2009introduction", "shi2022efficiently"),
    "bound_steps": ("moore2009introduction", "shi2022efficiently"),
    "BoxCertificate": ("moore2009introduction",),
    "FiniteCertificate": ("moore2009introduction",),
    "suggest_points": ("fedorov1972theory", "mackay1992information"),
    "Suggestion": ("fedorov1972theory", "mackay1992information"),
    "fresh_points": ("nouy2023weighted", "cohen2017optimal", "hough2006determinantal"),
    "FreshDesign": ("nouy2023weighted", "cohen2017optimal", "hough2006determinantal"),
    # estimators and networks
    "SymmetryPromotingRegressor": (*PROMOTED, "breiman1984classification"),
    "EquivariantRegressor": (OTTO,),
    "EquivariantLinear": LAYERS,
    "EquivariantBilinear": LAYERS,
    "ChannelProducts": LAYERS,
    "EquivariantBlock": LAYERS,
    "EquivariantMLP": LAYERS,
    "Gated": ("weiler2018steerable",),
    "NormActivation": ("worrall2017harmonic", "weiler2019general"),
    "Pointwise": ("ravanbakhsh2017equivariance",),
    "SymmetryMonitor": (OTTO, "gruver2023lie"),
    "augment": ("chen2020group",),
    "InvariantScalars": ("villar2021scalars",),
    "symmetrize": ("puny2022frame", "dym2024equivariant"),
    "AbstractSymmetrized": ("puny2022frame", "dym2024equivariant"),
    "symmetry_penalty": (OTTO, "fazel2003log"),
    "SymmetryPenalty": (OTTO, "fazel2003log"),
    "EquivariancePromotingMLP": (OTTO,),
    "PromotingLinear": (OTTO, "finzi2021residual"),
    # systems and tests
    "odebench": ("dascoli2024odeformer", "strogatz1994nonlinear"),
    "odebench_trajectories": ("dascoli2024odeformer", "strogatz1994nonlinear"),
    "dysts": ("gilpin2021chaos",),
    "reaction_diffusion": ("champion2019data",),
    "Spiral": ("champion2019data",),
    "assert_symmetric": ("higham2019new",),
    "equivariance_error": ("higham2019new",),
    "SymmetryReport": ("higham2019new",),
}
"""Papers behind each public name."""

EVERY: dict[str, tuple[str, ...]] = {
    "SINDy": ("messenger2021galerkin", "bock1981numerical", OTTO),
    "Certificate": tuple(key for keys in MODES.values() for key in keys),
    "Structure": NAMES,
    "ConservedQuantities": ("noether1918invariante",),
    "Promoted": ("fazel2003log",),
}
"""Further papers where a class is named and there is no object whose features could tell."""

PARTS: dict[str, tuple[str, ...]] = {
    "Symmetry": ("lie.field", "lie.action", "structure"),
    "ConservedQuantities": ("poisson.structure",),
    "Selected": ("penalty",),
}
"""Attributes that bring references of their own."""


def features(obj: Any) -> Iterator[str]:
    """Yield keys that depend on what an object holds, not on its class alone."""
    kinds = {kind.__name__ for kind in type(obj).__mro__}
    for name in sorted(kinds & _FEATURES.keys()):
        yield from _FEATURES[name](obj)


def _certificate(found: Any) -> tuple[str, ...]:
    return MODES.get(found.mode, ())


def _symmetry(found: Any) -> tuple[str, ...]:
    """The certificate, where it has been asked for: it is made on demand, and not for a citation."""
    certificate, _ = vars(found).get("_evidence", (None, ""))
    return () if certificate is None else _certificate(certificate)


def _structure(found: Any) -> Iterator[str]:
    answer = getattr(found, "structure", found)  # what `discover` names holds the structure
    if getattr(answer, "levi", ()):
        yield "helgason1978differential"
    if "Bianchi" in (getattr(answer, "certificate", "") or ""):
        yield from ("bianchi1898spazi", "ellis1969class")


def _sindy(model: Any) -> Iterator[str]:
    """The form that was fitted; before a fit, or for ``auto``, the one that would be."""
    fitted = hasattr(model, "reason_")
    slopes = model.form == "strong" or fitted and model.search_ is None
    if not slopes:  # the search for solutions starts from integrals
        yield "messenger2021galerkin"
    if not slopes and model.form != "weak":
        yield "bock1981numerical"
    if slopes and fitted and "Gaussian process" in model.reason_:
        yield from SMOOTHING
    if model.symmetry is not None or model.promote is not None:
        yield OTTO


def _laws(found: Any) -> Iterator[str]:
    if found.generators:
        yield "noether1918invariante"


def _promoted(found: Any) -> Iterator[str]:
    if len(getattr(found, "objectives", ())) > 1:  # a sequence of convex problems: the reweighted form
        yield "fazel2003log"


def _network(model: Any) -> Iterator[str]:
    """Layers of a network, each with its own."""
    for module in model.modules():
        yield from SOURCES.get(type(module).__name__, ())


_FEATURES: dict[str, Callable[[Any], Any]] = {
    "Certificate": _certificate,
    "Symmetry": _symmetry,
    "Structure": _structure,
    "Named": _structure,
    "SINDy": _sindy,
    "ConservedQuantities": _laws,
    "Promoted": _promoted,
    "EquivariantMLP": _network,
}
