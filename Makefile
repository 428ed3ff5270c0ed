# The menu. Every target sets up what it needs on a machine with Python 3.11+ and make.
.DEFAULT_GOAL := help
.PHONY: help setup demo test check format bench bench-parts bench-full bench-reports bench-overhead bench-store chaos faults train eval eval-metrics fetch serve renderer store ceph lock

PYTHON := .venv/bin/python
TRAIN := $(PYTHON) -m models.miniature.training
SEED ?= 0
SCENE ?= example
MASTER ?= docs/pictures/example_master.png
PROFILE ?= qwen-edit-2511
STORE ?= seaweed
DATABASE ?= postgresql
RENDERER ?=

export PREFECT_HOME ?= $(CURDIR)/.mastershot/prefect
export PREFECT_SERVER_ANALYTICS_ENABLED ?= false
export PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS ?= 120
export PREFECT_LOGGING_LEVEL ?= WARNING
export PREFECT_LOGGING_EXTRA_LOGGERS ?= models
export PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW ?= ignore
FETCH_OFFLINE := $(or $(HF_HUB_OFFLINE),0)
export HF_HUB_OFFLINE ?= 1

help: ## show this menu
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: .venv/.synced ## make the environment from requirements.lock
	@mkdir -p "$(PREFECT_HOME)"

demo: setup ## render the coverage of the example master: SEED=1, SCENE=name, MASTER=any/photograph.jpg
	@MASTERSHOT_MASTER_FOLDERS="[\"$$(dirname "$(MASTER)")\"]" \
	  $(PYTHON) -m flows --scene "$(SCENE)" --master "$(MASTER)" --seed "$(SEED)"

test: setup ## run all tests
	$(PYTHON) -m pytest

check: setup ## format, lint, types, import rules
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	.venv/bin/lint-imports
	.venv/bin/pyright

format: setup ## rewrite the code in the house format
	$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix .

bench: setup ## time seven angles against the stock pipeline
	$(PYTHON) -m tests.benchmark.coverage

bench-parts: setup ## time modulation tables and the 2-D autoencoder beside what they replace
	$(PYTHON) -m tests.benchmark.parts

bench-full: setup ## time six angles at the true size of Qwen-Image-Edit, random weights; needs a GPU of 80 GB
	$(PYTHON) -m tests.benchmark.full_size

bench-reports: setup ## time questions to a million rows of reports
	$(PYTHON) -m tests.benchmark.queries

faults: setup ## hurt a whole service in mid-coverage, ten times in each of eight ways, and look for what was lost
	$(PYTHON) -m tests.faults

chaos: setup ## kill writers and servers for twenty rounds and look for what was lost: STORE=directory, seaweed or ceph
	$(PYTHON) -m tests.chaos "$(STORE)"

bench-overhead: setup ## time what a task and a resident renderer add to an angle; needs PostgreSQL
	$(PYTHON) -m tests.benchmark.overhead

bench-store: setup ## time the S3 store beside boto3 on one SeaweedFS; boto3 is optional
	$(PYTHON) -m tests.benchmark.store

train: setup ## make the weights of the miniature again, recipe by recipe; begins where it stopped, takes hours
	$(TRAIN).views
	$(TRAIN).captions
	$(TRAIN).autoencoder --compile
	$(TRAIN).latents
	$(TRAIN).sharpness --compile
	$(TRAIN).language
	$(TRAIN).contrast
	$(TRAIN).transformer --compile
	$(TRAIN).angles --compile
	$(TRAIN).lightning --compile
	$(TRAIN).samples --compile
	$(TRAIN).sharpness --compile --latents .mastershot/training/sampled --folder .mastershot/training/decoder_again
	$(TRAIN).judge

eval: setup ## judge the miniature on held-out scenes: a table and a picture grid in .mastershot/evaluation
	$(PYTHON) -m models.miniature.evaluation

eval-metrics: setup ## judge the scores themselves where cameras are known: a table in .mastershot/eval-metrics, half an hour
	$(PYTHON) -m models.scores.evaluation

fetch: setup ## fetch the files of a profile from the hub: PROFILE=qwen-edit-2511
	HF_HUB_OFFLINE="$(FETCH_OFFLINE)" $(PYTHON) -m models.fetching --profile "$(PROFILE)"

serve: setup ## Prefect on PostgreSQL with UI, workers and deployments, until Ctrl-C: RENDERER=miniature, DATABASE=sqlite
	PREFECT_LOGGING_LEVEL=INFO $(PYTHON) -m deployments.serve --database "$(DATABASE)" --renderer "$(RENDERER)"

renderer: PROFILE = miniature
renderer: setup ## keep a model warm on Ray Serve until Ctrl-C: PROFILE=qwen-edit-2511
	@$(PYTHON) -m deployments.renderer --profile "$(PROFILE)"

store: setup ## an S3 store on this machine, kept in .mastershot/seaweedfs, until Ctrl-C: STORE_PORT=9000
	@$(PYTHON) -m deployments.store

ceph: ## install the object gateway of Ceph, which tests run against if it is there; Debian, as root
	apt-get update
	apt-get install --yes --no-install-recommends ceph-base ceph-common ceph-mon ceph-osd radosgw

lock: ## resolve pyproject.toml anew into requirements.lock
	uv pip compile --quiet --upgrade --generate-hashes --no-emit-index-url --no-header --no-annotate --universal \
	  --python-version 3.11 pyproject.toml --group dev --extra faces --extra multi-view --extra resident --output-file requirements.lock

.venv/.synced: requirements.lock
	@command -v uv >/dev/null || test -x .mastershot/uv/bin/uv || \
	  { python3 -m venv .mastershot/uv && .mastershot/uv/bin/python -m pip install --quiet uv; }
	@PATH="$$PATH:$(CURDIR)/.mastershot/uv/bin"; \
	  test -d .venv || uv venv --quiet --no-project --python '>=3.11,<3.14' .venv; \
	  uv pip sync --python $(PYTHON) --require-hashes requirements.lock
	@touch $@
