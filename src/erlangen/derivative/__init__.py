"""Where field and action meet: samples, the Lie derivative, confirmation by finite flow."""

from erlangen.derivative.block_samples import BlockSamples as BlockSamples
from erlangen.derivative.flow import Confirmation as Confirmation
from erlangen.derivative.flow import confirm as confirm
from erlangen.derivative.flow import move as move
from erlangen.derivative.forms import AbstractForm as AbstractForm
from erlangen.derivative.lie import Factors as Factors
from erlangen.derivative.lie import LieDerivative as LieDerivative
from erlangen.derivative.measures import BoxMeasure as BoxMeasure
from erlangen.derivative.measures import GaussianMeasure as GaussianMeasure
from erlangen.derivative.samples import AbstractSamples as AbstractSamples
from erlangen.derivative.samples import Samples as Samples
from erlangen.derivative.scales import Scales as Scales
from erlangen.derivative.scales import scales_of as scales_of

__all__ = [
    "AbstractForm",
    "AbstractSamples",
    "BlockSamples",
    "BoxMeasure",
    "Confirmation",
    "Factors",
    "GaussianMeasure",
    "LieDerivative",
    "Samples",
    "Scales",
    "confirm",
    "move",
    "scales_of",
]
