"""Rows of known systems: mechanics, with the symmetries and conserved quantities that it is rich in."""

from __future__ import annotations

from erlangen.systems._system import Generator, Rescaling, Start, System

_ARNOLD = "Arnold, Mathematical Methods of Classical Mechanics"
_GOLDSTEIN = "Goldstein, Poole and Safko, Classical Mechanics, third edition"


def _bodies(count: int) -> tuple[str, ...]:
    return tuple(f"{letter}{k}{axis}" for k in range(1, count + 1) for letter in "qp" for axis in "xy")


def _euclidean(count: int) -> tuple[Generator, ...]:
    """Shifts of all positions along each axis, and the rotation of positions and momenta."""
    shift_x = ("1", "0", "0", "0") * count
    shift_y = ("0", "1", "0", "0") * count
    turn = tuple(part for k in range(1, count + 1) for part in (f"-q{k}y", f"q{k}x", f"-p{k}y", f"p{k}x"))
    return shift_x, shift_y, turn


def _pull(k: int, j: int, axis: str) -> str:
    """Force of body j on body k along an axis."""
    apart = f"((q{j}x - q{k}x)**2 + (q{j}y - q{k}y)**2)"
    return f"G*m{k}*m{j}*(q{j}{axis} - q{k}{axis})/{apart}**1.5"


def _gravity(count: int) -> tuple[str, ...]:
    out = []
    for k in range(1, count + 1):
        others = [j for j in range(1, count + 1) if j != k]
        out += [f"p{k}x/m{k}", f"p{k}y/m{k}"]
        out += [" + ".join(_pull(k, j, axis) for j in others) for axis in "xy"]
    return tuple(out)


def _gravity_conserved(count: int) -> tuple[str, ...]:
    bodies = range(1, count + 1)
    kinetic = " + ".join(f"(p{k}x**2 + p{k}y**2)/(2*m{k})" for k in bodies)
    pairs = [(k, j) for k in bodies for j in bodies if k < j]
    potential = "".join(f" - G*m{k}*m{j}/sqrt((q{j}x - q{k}x)**2 + (q{j}y - q{k}y)**2)" for k, j in pairs)
    momenta = [" + ".join(f"p{k}{axis}" for k in bodies) for axis in "xy"]
    turning = " + ".join(f"q{k}x*p{k}y - q{k}y*p{k}x" for k in bodies)
    return kinetic + potential, *momenta, turning


def _gravity_scaling(count: int) -> Rescaling:
    """Lengths by the square, momenta by the inverse: orbits of another size, at another speed (Kepler's third law)."""
    parts = tuple(f"{w}*{name}" for name, w in zip(_bodies(count), (2, 2, -1, -1) * count, strict=True))
    return Rescaling(parts, -3.0)


_EIGHT = dict(
    zip(
        _bodies(3),
        (
            *(0.97000436, -0.24308753, 0.466203685, 0.43236573),
            *(-0.97000436, 0.24308753, 0.466203685, 0.43236573),
            *(0.0, 0.0, -0.93240737, -0.86473146),
        ),
        strict=True,
    )
)  # the figure-eight orbit

_SEPARATE = "(1/(x**2 + y**2)**1.5)"

ROWS = (
    System(
        "two_body",
        _bodies(2),
        _gravity(2),
        {"G": 1.0, "m1": 1.0, "m2": 0.5},
        Start(
            {
                "q1x": (0.8, 1.2), "q1y": (-0.2, 0.2), "p1x": (-0.1, 0.1), "p1y": (0.2, 0.4),
                "q2x": (-1.2, -0.8), "q2y": (-0.2, 0.2), "p2x": (-0.1, 0.1), "p2y": (-0.4, -0.2),
            }
        ),
        symmetry=_euclidean(2),
        algebra="e(2)",
        rescalings=(_gravity_scaling(2),),
        conserved=_gravity_conserved(2),
        citation=f"{_ARNOLD}, section 8",
        description="Two bodies in a plane, attracting each other.",
    ),
    System(
        "three_body",
        _bodies(3),
        _gravity(3),
        {"G": 1.0, "m1": 1.0, "m2": 1.0, "m3": 1.0},
        Start({name: (value - 0.02, value + 0.02) for name, value in _EIGHT.items()}),
        span=6.0,
        symmetry=_euclidean(3),
        algebra="e(2)",
        rescalings=(_gravity_scaling(3),),
        conserved=_gravity_conserved(3),
        citation="Chenciner and Montgomery, Annals of Mathematics 152 (2000) 881",
        description="Three equal bodies in a plane, near the orbit that has the shape of an eight.",
    ),
    System(
        "kepler",
        ("x", "y", "vx", "vy"),
        ("vx", "vy", f"-mu*x*{_SEPARATE}", f"-mu*y*{_SEPARATE}"),
        {"mu": 1.0},
        Start({"x": (0.8, 1.2), "y": (-0.2, 0.2), "vx": (-0.2, 0.2), "vy": (0.8, 1.1)}),
        span=20.0,
        symmetry=(("-y", "x", "-vy", "vx"),),
        algebra="so(2)",
        rescalings=(Rescaling(("2*x", "2*y", "-vx", "-vy"), -3.0),),
        conserved=(
            "(vx**2 + vy**2)/2 - mu/sqrt(x**2 + y**2)",
            "x*vy - y*vx",
            "vy*(x*vy - y*vx) - mu*x/sqrt(x**2 + y**2)",
            "-vx*(x*vy - y*vx) - mu*y/sqrt(x**2 + y**2)",
        ),
        citation=f"{_GOLDSTEIN}, sections 3.7 and 3.9",
        description="A planet in a plane; its perihelion stays where it is.",
    ),
    System(
        "kepler_3d",
        ("x", "y", "z", "vx", "vy", "vz"),
        ("vx", "vy", "vz", *(f"-mu*{q}/(x**2 + y**2 + z**2)**1.5" for q in "xyz")),
        {"mu": 1.0},
        Start(
            {
                "x": (0.8, 1.2), "y": (-0.2, 0.2), "z": (-0.2, 0.2),
                "vx": (-0.2, 0.2), "vy": (0.7, 1.0), "vz": (-0.4, 0.4),
            }
        ),
        span=20.0,
        symmetry=(
            ("0", "-z", "y", "0", "-vz", "vy"),
            ("z", "0", "-x", "vz", "0", "-vx"),
            ("-y", "x", "0", "-vy", "vx", "0"),
        ),
        algebra="so(3)",
        rescalings=(Rescaling(("2*x", "2*y", "2*z", "-vx", "-vy", "-vz"), -3.0),),
        conserved=(
            "(vx**2 + vy**2 + vz**2)/2 - mu/sqrt(x**2 + y**2 + z**2)",
            "y*vz - z*vy",
            "z*vx - x*vz",
            "x*vy - y*vx",
        ),
        citation=f"{_GOLDSTEIN}, section 3.7",
        description="A planet in space.",
    ),
    System(
        "isotropic_oscillator",
        ("x", "y", "px", "py"),
        ("px", "py", "-k*x", "-k*y"),
        {"k": 1.0},
        Start({name: (-1.0, 1.0) for name in ("x", "y", "px", "py")}),
        span=20.0,
        symmetry=(
            ("px", "py", "-k*x", "-k*y"),
            ("-y", "x", "-py", "px"),
            ("px", "-py", "-k*x", "k*y"),
            ("py", "px", "-k*y", "-k*x"),
        ),
        algebra="u(2)",
        conserved=(
            "(px**2 + py**2)/2 + k*(x**2 + y**2)/2",
            "x*py - y*px",
            "px**2 - py**2 + k*(x**2 - y**2)",
            "px*py + k*x*y",
        ),
        citation=f"{_GOLDSTEIN}, section 9.7",
        description="Equal springs in two directions; the symmetry is larger than rotations.",
    ),
    System(
        "rigid_body",
        ("u", "v", "w"),
        ("(b - c)/a*v*w", "(c - a)/b*w*u", "(a - b)/c*u*v"),
        {"a": 1.0, "b": 2.0, "c": 3.0},
        Start({"u": (-1.0, 1.0), "v": (-1.0, 1.0), "w": (-1.0, 1.0)}),
        span=30.0,
        rescalings=(Rescaling(("u", "v", "w"), 1.0),),
        discrete=(("-u", "-v", "w"), ("u", "-v", "-w")),
        conserved=("a*u**2 + b*v**2 + c*w**2", "a**2*u**2 + b**2*v**2 + c**2*w**2"),
        citation=f"{_ARNOLD}, section 29 (Euler's equations)",
        description="A free top in its own frame: angular velocities about the principal axes.",
    ),
    System(
        "magnetic",
        ("x", "y", "vx", "vy"),
        ("vx", "vy", "b*vy", "-b*vx"),
        {"b": 1.5},
        Start({name: (-1.0, 1.0) for name in ("x", "y", "vx", "vy")}),
        span=10.0,
        symmetry=(("1", "0", "0", "0"), ("0", "1", "0", "0"), ("-y", "x", "-vy", "vx")),
        algebra="e(2)",
        conserved=("vx**2 + vy**2", "vx - b*y", "vy + b*x"),
        citation=f"{_GOLDSTEIN}, section 1.5",
        description="A charge in a plane across a uniform magnetic field.",
    ),
    System(
        "henon_heiles",
        ("x", "y", "px", "py"),
        ("px", "py", "-x - 2*lam*x*y", "-y - lam*(x**2 - y**2)"),
        {"lam": 1.0},
        Start(
            {"x": (-0.3, 0.3), "y": (-0.3, 0.3), "px": (-0.3, 0.3), "py": (-0.3, 0.3)},
            (),
            ("(px**2 + py**2 + x**2 + y**2)/2 + lam*(x**2*y - y**3/3)", 0.02, 0.15),
        ),
        span=40.0,
        discrete=(("-x", "y", "-px", "py"),),
        conserved=("(px**2 + py**2 + x**2 + y**2)/2 + lam*(x**2*y - y**3/3)",),
        citation="Henon and Heiles, Astronomical Journal 69 (1964) 73",
        description="A star in a galaxy: a triangle of three valleys, regular and chaotic.",
    ),
    System(
        "swinging_atwood",
        ("r", "theta", "pr", "ptheta"),
        (
            "pr/(M + m)",
            "ptheta/(m*r**2)",
            "ptheta**2/(m*r**3) - M*g + m*g*cos(theta)",
            "-m*g*r*sin(theta)",
        ),
        {"M": 2.0, "m": 1.0, "g": 1.0},
        Start({"r": (0.8, 1.5), "theta": (0.6, 1.6), "pr": (-0.2, 0.2), "ptheta": (-0.2, 0.2)}),
        span=3.0,
        rescalings=(Rescaling(("2*r", "0", "pr", "3*ptheta"), -1.0),),
        discrete=(("r", "-theta", "pr", "-ptheta"),),
        conserved=("pr**2/(2*(M + m)) + ptheta**2/(2*m*r**2) + M*g*r - m*g*r*cos(theta)",),
        citation="Tufillaro, Abbott and Griffiths, American Journal of Physics 52 (1984) 895",
        description="Two weights on a string over pulleys, one of which swings.",
    ),
    System(
        "double_pendulum",
        ("q1", "q2", "p1", "p2"),
        (
            "(p1 - p2*cos(q1 - q2))/(2 - cos(q1 - q2)**2)",
            "(2*p2 - p1*cos(q1 - q2))/(2 - cos(q1 - q2)**2)",
            "-p1*p2*sin(q1 - q2)/(2 - cos(q1 - q2)**2)"
            " + (p1**2 + 2*p2**2 - 2*p1*p2*cos(q1 - q2))*sin(2*(q1 - q2))/(2*(2 - cos(q1 - q2)**2)**2)"
            " - 2*g*sin(q1)",
            "p1*p2*sin(q1 - q2)/(2 - cos(q1 - q2)**2)"
            " - (p1**2 + 2*p2**2 - 2*p1*p2*cos(q1 - q2))*sin(2*(q1 - q2))/(2*(2 - cos(q1 - q2)**2)**2)"
            " - g*sin(q2)",
        ),
        {"g": 1.0},
        Start({"q1": (-1.5, 1.5), "q2": (-1.5, 1.5), "p1": (-0.5, 0.5), "p2": (-0.5, 0.5)}),
        span=20.0,
        discrete=(("-q1", "-q2", "-p1", "-p2"),),
        conserved=(
            "(p1**2 + 2*p2**2 - 2*p1*p2*cos(q1 - q2))/(2*(2 - cos(q1 - q2)**2)) - 2*g*cos(q1) - g*cos(q2)",
        ),
        citation=f"{_GOLDSTEIN}, section 1.6",
        description="Two equal pendulums, one hanging on the other.",
    ),
    System(
        "toda",
        ("q1", "q2", "q3", "p1", "p2", "p3"),
        (
            "p1", "p2", "p3",
            "exp(q3 - q1) - exp(q1 - q2)", "exp(q1 - q2) - exp(q2 - q3)", "exp(q2 - q3) - exp(q3 - q1)",
        ),
        {},
        Start({name: (-1.0, 1.0) for name in ("q1", "q2", "q3", "p1", "p2", "p3")}),
        span=10.0,
        symmetry=(("1", "1", "1", "0", "0", "0"),),
        algebra="R",
        discrete=(("q2", "q3", "q1", "p2", "p3", "p1"),),
        conserved=(
            "p1 + p2 + p3",
            "(p1**2 + p2**2 + p3**2)/2 + exp(q1 - q2) + exp(q2 - q3) + exp(q3 - q1)",
            "p1*p2*p3 - p1*exp(q2 - q3) - p2*exp(q3 - q1) - p3*exp(q1 - q2)",
        ),
        citation="Henon, Physical Review B 9 (1974) 1921",
        description="Three particles on a ring, repelling each other exponentially; as many laws as particles.",
    ),
)  # fmt: skip
