# Every target first makes what it needs, once; the second time that takes a moment.
# The commands run .venv's Python by its path, so names with spaces or Chinese characters are no trouble.

PYTHON ?= python3
PY := .venv/bin/python
LESSON ?= 01_scoring
NOTEBOOK := lessons/$(LESSON)/$(LESSON).ipynb

.DEFAULT_GOAL := help
.PHONY: help lab demo class test test-all bench bench-gpu lessons readme lock clean ready data checkpoint

help:  ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1	/p' Makefile | expand -t 18

ready:
	@command -v $(PYTHON) >/dev/null || { echo "There is no $(PYTHON) here. Next: install Python 3.11 to 3.13."; exit 2; }
	@$(PYTHON) byhand/bootstrap.py

$(NOTEBOOK): | ready
	@$(PY) -m autograder.cli lessons

lab: ready $(NOTEBOOK)  ## learn: JupyterLab opens on lesson 01
	@$(PY) -m byhand.cli lab

demo: ready  ## teach: a sample class works, submits and is graded (LESSON=01_scoring)
	@$(PY) -m autograder.cli demo $(LESSON)

class: ready  ## release a lesson to your own class, in course/ (LESSON=01_scoring)
	@$(PY) -m autograder.cli release $(LESSON)

test: ready  ## check: style, types, lessons up to date, then every test but the slow ones
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@$(PY) -m autograder.cli lessons --check
	@$(PY) -m pytest

test-all: test  ## the same, then the slow tests
	@$(PY) -m pytest -m slow

data: ready  ## fetch the texts of lessons 06 to 08 (set-up did, if it was online)
	@$(PY) -m byhand.cli data

checkpoint: ready  ## train the shipped translator anew, with its card: 3 trainings of minutes each
	@$(PY) -m byhand.translation.reference

bench: ready  ## compare with others, then attack (LESSON=01_scoring ATTACKS=--all-attacks JOEY=10, minutes)
	@$(PY) -m autograder.cli bench $(LESSON)
	@$(PY) -m autograder.bench.encoder
	@$(PY) -m autograder.bench.translation $(if $(JOEY),--joey $(JOEY))
	@$(PY) -m tests.attacks $(ATTACKS)
	@$(PY) -m autograder.bench.attention

bench-gpu: ready  ## measure lessons 05 and 07 on a GPU (STAGES="train ladder wide local")
	@$(PY) -m autograder.bench.gpu $(STAGES)

lessons: ready  ## make lessons/ and the README's tables from solutions/
	@$(PY) -m autograder.cli lessons
	@$(PY) -m autograder.author.readme

lock: ready  ## write .venv's versions to requirements.lock (for maintainers)
	@$(PY) -m autograder.author.lock > .cache/requirements.lock && mv .cache/requirements.lock requirements.lock

clean:  ## delete what these commands made; keeps work/ (a learner's) and course/ (an instructor's)
	rm -rf .venv .cache artefacts build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -not -path './work/*' -not -path './course/*' -exec rm -rf {} +
	@echo "Kept: work/ (a learner's answers) and course/ (an instructor's class), if they are there."
