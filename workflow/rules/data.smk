# In:  settings of the block `data`.  Out: results/data/{dataset}.parquet


rule planted_relu:
    input:
        stage_inputs("results/data/planted_relu.parquet"),
    output:
        table="results/data/planted_relu.parquet",
    params:
        command=stage_command("results/data/planted_relu.parquet"),
    log:
        "results/data/planted_relu.parquet.log",
    priority: priority_of("results/data/planted_relu.parquet")
    resources:
        mem_mb=memory_of("results/data/planted_relu.parquet"),
        runtime=minutes_of("results/data/planted_relu.parquet"),
    conda:
        "../../envs/environment.yaml"
    shell:
        RUN


rule mnist1d:
    input:
        stage_inputs("results/data/mnist1d.parquet"),
    output:
        table="results/data/mnist1d.parquet",
    params:
        command=stage_command("results/data/mnist1d.parquet"),
    log:
        "results/data/mnist1d.parquet.log",
    priority: priority_of("results/data/mnist1d.parquet")
    resources:
        mem_mb=memory_of("results/data/mnist1d.parquet"),
        runtime=minutes_of("results/data/mnist1d.parquet"),
    conda:
        "../../envs/environment.yaml"
    shell:
        RUN

