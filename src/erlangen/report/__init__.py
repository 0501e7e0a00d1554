"""Pages of results that need nothing beside them."""

from erlangen.report.dynamics import dynamics_html as dynamics_html
from erlangen.report.dynamics import dynamics_page as dynamics_page
