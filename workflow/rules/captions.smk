# What `snakemake --report` says of the files that rules mark for it, and when it says nothing.
# In:  the finished report.  Out: config["captions"], title_of(), figure_labels()

from descent.pipeline import discovery
from descent.report.captions import Captions

# The only thing that templates of captions can reach which Snakemake does not show beside them.
config["captions"] = Captions()


report: "../../report/workflow/workflow.rst"


def title_of(wildcards):
    # A colon would end the name of a target in reStructuredText.
    return discovery.load("studies", wildcards.study).TITLE.partition(":")[0]


def figure_labels(wildcards):
    return {"figure": wildcards.figure.replace("_", " "), "format": "SVG"}
