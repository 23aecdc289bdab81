"""The safety case as it is written: hazards.toml and requirements.toml, and what is missing in them. Runs nothing."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "safety"
SOFTWARE = ("chip", "firmware", "host")  # kinds of control that tests must show
ON_THE_IMAGE = ("chip", "firmware")  # kinds of which at least one must do so on the real image
HAZARD = {"id", "title", "cause", "harm", "controls", "residual", "owner"}


@dataclass(frozen=True)
class Case:
    """controls: {name: {kind, what, where, end}}; hazards: their tables in order; requirements: {id: table}."""

    controls: dict
    hazards: list
    requirements: dict

    def uses(self):
        """(hazard, control's table, use) of each control of each hazard that is known."""
        for hazard in self.hazards:
            for use in hazard.get("controls", ()):
                if use.get("by") in self.controls:
                    yield hazard, self.controls[use["by"]], use

    def hazards_of(self, requirement):
        """Ids of the hazards that a requirement controls, in their order, each once."""
        ids = (hazard["id"] for hazard, _, use in self.uses() if requirement in use.get("requirements", ()))
        return list(dict.fromkeys(ids))


def read(folder=FOLDER):
    """(Case, problems): what the two files say; a problem is a sentence."""
    written = tomllib.loads((folder / "hazards.toml").read_text())
    tables = tomllib.loads((folder / "requirements.toml").read_text())["requirement"]
    case = Case(written["controls"], written["hazard"], {table["id"]: table for table in tables})
    twice = doubled([table["id"] for table in tables]) + doubled([table["id"] for table in case.hazards])
    return case, [f"{name} is there twice." for name in twice] + problems(case)


def doubled(names):
    return sorted({name for name in names if names.count(name) > 1})


def problems(case):
    """Sentences: what a reader of the two files would miss."""
    found = []
    for name, control in case.controls.items():
        if "where" in control and not (ROOT / control["where"]).exists():
            found.append(f'Control "{name}": {control["where"]} is not there.')
        if not any(use["by"] == name for _, _, use in case.uses()):
            found.append(f'Control "{name}" controls no hazard.')
    for hazard in case.hazards:
        missing = HAZARD - {key for key, value in hazard.items() if value}
        if missing:
            found.append(f"{hazard['id']} has no {', '.join(sorted(missing))}.")
        for use in hazard.get("controls", ()):
            found += of_use(case, hazard["id"], use)
    for name in case.requirements:
        if not case.hazards_of(name):
            found.append(f"{name} controls no hazard.")
    return found


def of_use(case, hazard, use):
    """Problems of one control of one hazard."""
    control = case.controls.get(use.get("by"))
    if control is None:
        return [f'{hazard}: there is no control "{use.get("by")}".']
    if control["kind"] not in SOFTWARE:
        return [] if use.get("duty") else [f'{hazard}: "{use["by"]}" needs its duty in words.']
    named = use.get("requirements", ())
    if not named:
        return [f'{hazard}: "{use["by"]}" is software, so it needs requirements that tests can show.']
    return [f"{hazard}: {name} is no requirement." for name in named if name not in case.requirements]
