# In:  tables of a study.  Out: its rows of the ledger, its values for the prose, and the whole ledger, also as a page


rule claims:
    input:
        stage_inputs("results/{study}/claims.parquet"),
    output:
        claims="results/{study}/claims.parquet",
    params:
        command=stage_command("results/{study}/claims.parquet"),
    log:
        "results/{study}/claims.parquet.log",
    group: batch_of("results/{study}/claims.parquet")
    priority: priority_of("results/{study}/claims.parquet")
    resources:
        mem_mb=memory_of("results/{study}/claims.parquet"),
        runtime=minutes_of("results/{study}/claims.parquet"),
        gpu=gpus_of("results/{study}/claims.parquet"),
    conda:
        "../../envs/environment.yaml"
    shell:
        RUN


rule values:
    input:
        stage_inputs("results/{study}/values.json"),
    output:
        values="results/{study}/values.json",
    params:
        command=stage_command("results/{study}/values.json"),
    log:
        "results/{study}/values.json.log",
    group: batch_of("results/{study}/values.json")
    priority: priority_of("results/{study}/values.json")
    resources:
        mem_mb=memory_of("results/{study}/values.json"),
        runtime=minutes_of("results/{study}/values.json"),
        gpu=gpus_of("results/{study}/values.json"),
    conda:
        "../../envs/environment.yaml"
    shell:
        RUN


rule ledger:
    input:
        stage_inputs("results/claims.parquet"),
    output:
        claims="results/claims.parquet",
        csv=report(
            "results/claims.csv",
            caption="../../report/workflow/claims.rst",
            category="Report and claims",
            labels={"document": "ledger of claims", "format": "CSV"},
        ),
    params:
        command=stage_command("results/claims.parquet"),
    log:
        "results/claims.parquet.log",
    group: batch_of("results/claims.parquet")
    priority: priority_of("results/claims.parquet")
    resources:
        mem_mb=memory_of("results/claims.parquet"),
        runtime=minutes_of("results/claims.parquet"),
        gpu=gpus_of("results/claims.parquet"),
    conda:
        "../../envs/environment.yaml"
    shell:
        RUN


rule ledger_page:
    input:
        stage_inputs("results/claims.html"),
    output:
        page=report(
            "results/claims.html",
            caption="../../report/workflow/claims.rst",
            category="Report and claims",
            labels={"document": "ledger of claims", "format": "HTML"},
        ),
    params:
        command=stage_command("results/claims.html"),
    log:
        "results/claims.html.log",
    group: batch_of("results/claims.html")
    priority: priority_of("results/claims.html")
    resources:
        mem_mb=memory_of("results/claims.html"),
        runtime=minutes_of("results/claims.html"),
        gpu=gpus_of("results/claims.html"),
    conda:
        "../../envs/environment.yaml"
    shell:
        RUN
