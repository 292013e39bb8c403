"""A laboratory whose stages are jobs of a cluster."""

import os
from pathlib import Path

from tests.cluster.virtual_cluster import VirtualCluster
from tests.laboratory import Laboratory

ENVIRONMENT = os.environ.get("DESCENT_CLUSTER_ENVIRONMENT")
PROFILE = ("--profile", "profiles/slurm", "--group-components", "short=4",
           "--slurm-init-seconds-before-status-checks", "1", "--seconds-between-status-checks", "2")


class OnCluster(Laboratory):
    """A laboratory whose stages are jobs of a cluster."""

    def __init__(self, root: Path, overlays, cluster: VirtualCluster):
        super().__init__(root, overlays)
        self.cluster = cluster

    def command(self, *arguments: str, cores: int = 1) -> list[str]:
        words = [f"{ENVIRONMENT}/bin/python", "-m", "snakemake", *PROFILE, *arguments]
        return [*words, "--configfile", *self.overlays]

    def environment(self) -> dict[str, str]:
        path = os.pathsep.join([f"{ENVIRONMENT}/bin", self.cluster.environment()["PATH"]])
        return {**super().environment(), **self.cluster.environment(), "PATH": path}
