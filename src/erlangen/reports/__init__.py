"""Pages and figures of results that need nothing beside them."""

from erlangen.reports._draw import save_figure as save_figure
from erlangen.reports._draw import to_plotly as to_plotly
from erlangen.reports._evidence_figures import bounds_figure as bounds_figure
from erlangen.reports._evidence_figures import map_figure as map_figure
from erlangen.reports._evidence_figures import path_figure as path_figure
from erlangen.reports._plotting import plot as plot
from erlangen.reports._reporting import report as report
from erlangen.reports._reporting import report_html as report_html
from erlangen.reports.dynamics import dynamics_html as dynamics_html
from erlangen.reports.dynamics import dynamics_page as dynamics_page
from erlangen.reports.evidence import evidence_cards as evidence_cards
from erlangen.reports.evidence import evidence_html as evidence_html
from erlangen.reports.evidence import evidence_page as evidence_page
from erlangen.reports.evidence import map_cards as map_cards

__all__ = [
    "bounds_figure",
    "dynamics_html",
    "dynamics_page",
    "evidence_cards",
    "evidence_html",
    "evidence_page",
    "map_cards",
    "map_figure",
    "path_figure",
    "plot",
    "report",
    "report_html",
    "save_figure",
    "to_plotly",
]
