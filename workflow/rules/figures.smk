# In:  tables of a study.  Out: results/{study}/figures/{figure}.{svg,pdf,png}, results/{study}/views/{view}.json


rule figure:
    input:
        stage_inputs("results/{study}/figures/{figure}.svg"),
    output:
        svg=report(
            "results/{study}/figures/{figure}.svg",
            caption="../../report/workflow/figure.rst",
            category=title_of,
            labels=figure_labels,
        ),
        pdf="results/{study}/figures/{figure}.pdf",
        png="results/{study}/figures/{figure}.png",
    params:
        command=stage_command("results/{study}/figures/{figure}.svg"),
    log:
        "results/{study}/figures/{figure}.svg.log",
    group: batch_of("results/{study}/figures/{figure}.svg")
    priority: priority_of("results/{study}/figures/{figure}.svg")
    resources:
        mem_mb=memory_of("results/{study}/figures/{figure}.svg"),
        runtime=minutes_of("results/{study}/figures/{figure}.svg"),
        gpu=gpus_of("results/{study}/figures/{figure}.svg"),
    conda:
        "../../envs/environment.yaml"
    shell:
        RUN


rule view:
    input:
        stage_inputs("results/{study}/views/{view}.json"),
    output:
        view="results/{study}/views/{view}.json",
    params:
        command=stage_command("results/{study}/views/{view}.json"),
    log:
        "results/{study}/views/{view}.json.log",
    group: batch_of("results/{study}/views/{view}.json")
    priority: priority_of("results/{study}/views/{view}.json")
    resources:
        mem_mb=memory_of("results/{study}/views/{view}.json"),
        runtime=minutes_of("results/{study}/views/{view}.json"),
        gpu=gpus_of("results/{study}/views/{view}.json"),
    conda:
        "../../envs/environment.yaml"
    shell:
        RUN

