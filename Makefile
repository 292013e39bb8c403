# The two commands are `make report` and `make test`; README.md says what comes out of them.

PYTHON ?= python3
LOCK ?= envs/run.txt
CORES ?= $(shell nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)

# A user's own Python settings must reach neither the tools nor the stages.
unexport PYTHONPATH PYTHONHOME

# $(call within,FOLDER) runs what follows with the programs of that environment first.
within = PATH="$$PWD/$(1)/bin:$$PATH"

overlays = $(if $(CONFIG),--configfile $(CONFIG))

.PHONY: help report preview verify submission store test test-cluster lint benchmark lock clean environment

help:
	@echo "make report      the whole laboratory at full size: results/report/report.html, .tex and .pdf"
	@echo "make preview     the same at small sizes, in about five minutes on two cores"
	@echo "make verify      prove that nothing shown is stale"
	@echo "make submission  the report and all that makes it again, in results/submission.zip"
	@echo "make store       what the store of finished stages holds, and what it saved"
	@echo "make test        the test suite"
	@echo "make test-cluster  the workflow on a real Slurm of virtual nodes (root, and Debian's packages of Slurm)"
	@echo "make lint        style checks"
	@echo "make benchmark   measured against PyTorch and JAX: benchmarks/RESULTS.md"
	@echo "make lock        compile envs/*.txt anew from pyproject.toml"
	@echo "make clean       remove results and environments; the store .descent stays"
	@echo "Settings: CORES=$(CORES) PYTHON=$(PYTHON) LOCK=$(LOCK) CONFIG=$(CONFIG) (files on top of config.yaml) (envs/cuda.txt: for GPUs; envs/s3.txt: for stores on S3)"

environment:
	@envs/create "$(PYTHON)" .venv $(LOCK)

report: environment
	@$(call within,.venv) snakemake report --cores $(CORES) $(overlays)

preview: environment
	@$(call within,.venv) snakemake report --cores $(CORES) --configfile preview.yaml

verify: environment
	@$(call within,.venv) snakemake verify --cores $(CORES) $(overlays)

submission: environment
	@$(call within,.venv) snakemake submission --cores $(CORES) $(overlays)

store: environment
	@$(call within,.venv) python -m descent store $(overlays)

test:
	@envs/create "$(PYTHON)" .venv-test envs/test.txt
	@$(call within,.venv-test) OMP_NUM_THREADS=1 python -m pytest --numprocesses $(CORES) --dist worksteal $(PYTEST_ARGUMENTS)

test-cluster:
	@envs/create "$(PYTHON)" .venv-test envs/test.txt
	@envs/create "$(PYTHON)" .venv-cluster envs/cluster.txt
	@$(call within,.venv-test) OMP_NUM_THREADS=1 DESCENT_CLUSTER_ENVIRONMENT="$$PWD/.venv-cluster" \
		python -m pytest -rs tests/cluster $(PYTEST_ARGUMENTS)

lint:
	@envs/create "$(PYTHON)" .venv-test envs/test.txt
	@$(call within,.venv-test) ruff check .

benchmark:
	@envs/create "$(PYTHON)" .venv-peers envs/peers.txt
	@$(call within,.venv-peers) python -m benchmarks.run

lock:
	@envs/create "$(PYTHON)" .venv-test envs/test.txt
	@$(call within,.venv-test) python -m pip install --quiet --disable-pip-version-check "pip-tools>=7.6"
	@$(call within,.venv-test) envs/lock

clean:
	rm -rf results .snakemake .venv .venv-test .venv-cluster .venv-peers
